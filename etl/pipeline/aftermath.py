"""The step after the last decision: the run, what it left, corrections, reconciliation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from etl.errors import ExitCode
from etl.ledger.kind_record import KindStanding
from etl.ledger.ledger import Ledger
from etl.ledger.records import RunRecord
from etl.load.signs import IncompleteError
from etl.mapping.settings import FILE
from etl.mapping.whereabouts import row_of_setting
from etl.model.kinds import BILL, COMPANY, OLD, REBATES, RESERVATION, is_payment_kind, name_of
from etl.model.ledger_place import shown
from etl.model.mapping import Mapping as MappingFolder
from etl.model.route import Route
from etl.model.states import State
from etl.model.status import ReportState
from etl.model.words import counted
from etl.pipeline.causes import Causes, Effect
from etl.pipeline.reach import Reach
from etl.pipeline.reconciled import RECOVERED_AT, Trace
from etl.pipeline.step import Desk, Step, with_effect

_REPORT = "reconciled"
"""Folder of the report that `reconcile` is to write."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a plan and the ledger come to. `run`: the command that posts it; `unassigned`: rows without an order number.

    `reach`: how far back Mews takes bills, where the ledger knows of that; `start`: the day that `run` begins with for it.
    """

    causes: Causes
    run: str
    ledger: Ledger | None
    mapping: MappingFolder
    trace: Trace | None = None
    unassigned: int = 0
    reach: Reach | None = None
    start: date | None = None

    @property
    def out_of_reach(self) -> int:
        """Orders that are ready and older than what Mews takes."""
        return self.reach.ready_before(self.start) if self.reach else 0


def after_decisions(desk: Desk, left: Left) -> Step:
    """Nothing is left to decide: run, what the run left, corrections, reconciliation."""
    last = left.ledger.runs()[-1:] if left.ledger else []
    ready = left.causes.states.get(ReportState.READY)
    if not ready:
        return aftermath(desk, left)
    if last and (stop := _stop_of(last[0])) and not left.out_of_reach:
        what = f"The last {last[0].command} stopped: {stop}. Once that is mended, post what is ready"
        return with_effect(Step(what, type=left.run), ready, "posts")
    if old := left.out_of_reach:
        return _narrowed(desk, left, ready, old)
    out = left.causes.states.get(ReportState.BLOCKED, Effect()).orders
    rest = f" ({out:,} stay out until corrected)" if out else ""
    review = desk.typed("dry-run", *desk.plan_files, "--report", "dry-run")
    what = f"Have dry-run/report.html reviewed, which `{review}` writes; then post what is ready{rest}"
    return with_effect(Step(what, type=left.run), ready, "posts")


def halted(desk: Desk, ledger: Ledger) -> Step | None:
    """What goes before everything else after the last command, which did not come to its end; None where nothing does."""
    runs = ledger.runs()
    if not runs:
        return None
    last, recovered = runs[-1], ledger.meta(RECOVERED_AT)
    if _stop(last).get("code") == IncompleteError.code and (recovered or "") < last.started:
        return Step(f"The last {last.command} stopped: {_stop_of(last)}", type=desk.typed("recover"))
    if last.command == "undo" and (last.exit_code in (None, ExitCode.INTERRUPTED) or _stop(last)):
        why = f" ({stop})" if (stop := _stop_of(last)) else ""
        what = "The last undo did not come to its end: give the same undo again; what is reversed already is not reversed twice"
        return Step(f"{what}{why}", type=desk.typed("undo", "--help"))
    return None


def _stop(record: RunRecord) -> Mapping[str, Any]:
    found: Mapping[str, Any] = record.summary.get("stopped") or {}
    return found


def _stop_of(record: RunRecord) -> str:
    """Why a command ended early, and what to do about it; "" where it did not."""
    stop = _stop(record)
    return " ".join(filter(None, (f"{stop['message'].rstrip('.')}.", stop.get("hint", "")))).rstrip(".") if stop else ""


def aftermath(desk: Desk, left: Left) -> Step:
    """Nothing is ready: what the run left, most urgent first."""
    causes, states = left.causes, left.causes.states
    held = next((part for part in left.ledger.unsettled() if part.held), None) if left.ledger else None
    if held is not None:
        what = f"Order {held.number}: look in Mews whether it is there, then decide it: --posted ORDERID, or --absent"
        return Step(what, orders=1, type=desk.typed("settle", held.number, "--help"))
    if unknown := states.get(ReportState.UNKNOWN):
        return with_effect(
            Step("Let the run find out what became of orders in doubt", type=left.run), unknown, "settles"
        )
    if causes.refused:
        return _kind(desk, left)
    rejected = states.get(ReportState.REJECTED)
    if rejected and left.reach and left.reach.aged == rejected.orders:
        return _out_of_reach(desk, left, rejected)
    if rejected:
        words = _words(causes, ReportState.REJECTED)
        what = f"Mews refused orders{words}: clear the cause, then send them again"
        return with_effect(Step(what, type=f"{left.run} --retry-rejected"), rejected)
    if changed := states.get(ReportState.CHANGED):
        return with_effect(
            _changed(desk, causes, is_bill=left.mapping.settings.route is Route.OUTLET), changed, "about"
        )
    if (blocked := states.get(ReportState.BLOCKED)) or left.unassigned:
        return _corrections(desk, causes, blocked or Effect(), left.unassigned)
    return _whole(desk, left)


def _narrowed(desk: Desk, left: Left, ready: Effect, old: int) -> Step:
    """Some of what is ready is older than what Mews takes, or all of it: no run leads there."""
    if old == ready.orders:
        return aftermath(desk, left) if ReportState.UNKNOWN in left.causes.states else _out_of_reach(desk, left, ready)
    count = ready.orders - old
    what = (
        f"Post what is ready from {left.start} on; posts {counted(count, 'order|orders')}. {counted(old, 'older one|ones stays|stay')}"
        " out: Mews refused bills of that age"
    )
    return Step(what, orders=count, type=left.run)


def _out_of_reach(desk: Desk, left: Left, effect: Effect) -> Step:
    """Bills that Mews would refuse one by one: what it took is reconciled, and Mews is asked for the rest."""
    took = f" and took those from {left.start} on" if left.reach and left.reach.taken else ""
    what = (
        f"Mews refused bills up to {left.reach.refused if left.reach else None}{took}: ask Mews how far back it takes them. Once that is "
        f"farther, `{desk.typed('run', *(desk.plan_files or ('EXPORT...',)))} --from DATE --retry-rejected` sends them from that day "
        "on; else they stay out, and what was posted is reconciled"
    )
    return with_effect(Step(what, type=_reconcile(desk)), effect, "not in Mews:")


def _whole(desk: Desk, left: Left) -> Step:
    """Nothing needs a person but the proof that it is so."""
    states, trace = left.causes.states, left.trace
    done = _sum(states, (ReportState.ALREADY_POSTED, ReportState.POSTED, ReportState.RECOVERED))
    undone = states.get(ReportState.UNDONE)
    if done.orders and left.ledger is not None and _is_recovered_since(left.ledger):
        what = "Run the export over what recover found in Mews: it compares both, and sends only what is missing"
        return with_effect(Step(what, type=left.run), done, "compares")
    if done.orders and trace is None:
        return with_effect(Step("Read everything back from Mews and compare it", type=_reconcile(desk)), done, "proves")
    if undone and (trace is None or not trace.is_complete):
        what = "Orders were undone: once the cause is mended, post them again"
        return with_effect(Step(what, type=f"{left.run} --repost-undone"), undone, "posts")
    if done.orders and trace is not None:
        return _reconciled(desk, trace)
    return Step("Nothing is left to do: no order of the export is to be sent")


_IN_NO_EXPORT = "SELECT count(*) FROM orders WHERE reading = '' AND verdict = '' AND state <> :undone"


def _is_recovered_since(ledger: Ledger) -> bool:
    """Whether no run has met an export since `recover` filled the ledger: a reconciliation knows no source of what it found."""
    recovered = ledger.meta(RECOVERED_AT)
    if not recovered or any(run.started > recovered for run in ledger.runs() if run.command == "run"):
        return False
    ((unread,),) = ledger.query(_IN_NO_EXPORT, {"undone": State.UNDONE.value})
    return bool(unread)


@dataclass(frozen=True, slots=True)
class _WayOut:
    """What to do without the permission; `key` of migration.toml and the `value` to be written there, if it is one."""

    words: str
    key: str = ""
    value: str = ""


_SPREAD = _WayOut(
    'set vouchers.policy = "spread" in migration.toml, with which vouchers lower the prices instead (returns go on needing '
    "the permission)",
    "vouchers.policy",
    "spread",
)
_TOGETHER = (
    "--from DATE and --retry-rejected go together, since without the second one younger bills stay blocked as well"
)
_WAYS_OUT = {
    REBATES: _SPREAD,
    COMPANY: _WayOut("name customers instead of the company in accounts.csv, or as accounts.fallback"),
    RESERVATION: _WayOut("take their rows out of reservations.csv"),
    BILL: _WayOut("take their rows out of bills.csv"),
    OLD: _WayOut(f"leave them out: {_TOGETHER}"),
}
_ANOTHER_TYPE = _WayOut("name another type in payments.csv, or set payments.post = false")


def _kind(desk: Desk, left: Left) -> Step:
    """What Mews refused of one kind, with everything that waits for it, and the ways out."""
    held = left.ledger.kinds() if left.ledger else {}
    kind, effect = max(left.causes.refused.items(), key=lambda one: one[1].weight)
    why, name = held.get(kind, KindStanding(kind)).reason.rstrip("."), name_of(kind)
    out = _ANOTHER_TYPE if is_payment_kind(kind) else _WAYS_OUT.get(kind, _WayOut("clear the cause"))
    ways = "ask Mews for the permission, then type the command, which tries one first"
    is_taken = out is _SPREAD and left.mapping.settings.vouchers.policy == out.value
    if not is_taken:
        ways = f"{ways}; or {out.words}"
    if kind == OLD and left.reach and left.reach.refused and left.start:
        ways = (
            f"it refused those up to {left.reach.refused}, and whether it takes those from {left.start} on only Mews knows: ask how "
            f"far back it takes bills, then type the command with that day, if it is a later one. {_TOGETHER}"
        )
    key = "" if is_taken else out.key
    return with_effect(
        Step(
            f"{why}. {name[:1].upper()}{name[1:]}: {ways}",
            FILE if key else "",
            row_of_setting(desk.settings.mappings, key) if key else None,
            key,
            (out.value,) if key else (),
            type=f"{left.run} --retry-rejected",
        ),
        effect,
        "refused and waiting:",
    )


def _reconcile(desk: Desk) -> str:
    return desk.typed("reconcile", "--report", _REPORT)


def _reconciled(desk: Desk, trace: Trace) -> Step:
    """What follows from a reconciliation of which nothing has moved since."""
    at = f"{trace.at[:10]} {trace.at[11:16]} UTC"
    if trace.is_complete:
        found = f"reconcile of {at} found all {trace.orders:,} orders complete"
        if not trace.page:
            what = f"Write the certificate that is signed, the last part of {_REPORT}/report.html: {found}"
            return Step(what, type=_reconcile(desk))
        kept = f"keep the ledger ({shown(desk.settings.ledger)}) and the certificate, the last part of {trace.page}"
        return Step(f"Nothing is left to do: {found}; {kept}, signed, as long as the books")
    first, *more = trace.reasons
    rest = f" ({counted(len(more), 'more reason|reasons')})" if more else ""
    what = f"Reconcile of {at} is not complete: {first}{rest}"
    what += "; correct that in Mews, or accept it by name in waivers.csv, then reconcile again"
    return Step(what, file="waivers.csv", type=_reconcile(desk))


def _sum(states: Mapping[ReportState, Effect], wanted: Iterable[ReportState]) -> Effect:
    total = Effect()
    for effect in (states[state] for state in wanted if state in states):
        total.orders += effect.orders
        for currency, amount in effect.money.items():
            total.money[currency] += amount
    return total


def _words(causes: Causes, state: ReportState) -> str:
    found = next((status for (known, _), status in causes.examples.items() if known is state), None)
    return f" ({found.message.rstrip('.')})" if found and found.message else ""


def _changed(desk: Desk, causes: Causes, *, is_bill: bool) -> Step:
    different = causes.examples.get((ReportState.CHANGED, "different"))
    if different is not None:
        what = f"Order {different.number} stands in Mews with other amounts: compare both sides, then decide it"
        return Step(what, type=desk.typed("settle", different.number, "--help"))
    found = next((one for (state, _), one in causes.examples.items() if state is ReportState.CHANGED), None)
    number = found.number if found else ""
    what = (
        f"Order {number} was posted and reads differently now{_words(causes, ReportState.CHANGED)}: correct the export"
    )
    way = (
        ", or accept it in waivers.csv, or undo it (`undo --only NUMBER`) and run with --repost-undone: a bill itself can't be changed"
        if is_bill
        else ", or accept it in waivers.csv"
    )
    return Step(f"{what}{way}", file="waivers.csv")


def _corrections(desk: Desk, causes: Causes, blocked: Effect, unassigned: int) -> Step:
    if not blocked.orders:
        # attention.csv holds whole orders; what belongs to none is corrected where it stands.
        rows = counted(unassigned, "row|rows has|have")
        what = f"{rows} no readable order number (problems.csv, which the command writes into dry-run, names each): write it into the export"
        return Step(what, file="problems.csv", type=desk.typed("dry-run", *desk.plan_files, "--report", "dry-run"))
    others = causes.others()
    why = f" ({', '.join(dict.fromkeys(cause.code for cause, _ in others[:3]))})" if others else ""
    rows = f"; {counted(unassigned, 'row|rows has|have')} no readable order number" if unassigned else ""
    is_json = all({*path.suffixes} & {".json", ".ndjson", ".jsonl"} for path in desk.exports)
    file = "attention.ndjson" if desk.exports and is_json else "attention.csv"
    what = f"Correct the orders of {file}{why}, which the command writes into dry-run, and give the file with --corrections{rows}"
    command = desk.typed("dry-run", *desk.plan_files, "--report", "dry-run")
    return with_effect(Step(what, file=file, type=command), blocked)
