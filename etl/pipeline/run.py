"""The job of `run`: plan, check, confirm, post what is not posted yet, account for every order."""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from etl.errors import ExitCode, MewsError, PlanError, StoppedError, UsageError
from etl.ledger.ledger import Ledger
from etl.ledger.records import RunRecord
from etl.load.first_order import FirstCheck
from etl.load.poster import Poster
from etl.load.result import LoadResult
from etl.load.stop import StopFlag
from etl.model.observed import Observed
from etl.model.plan import PlannedOrder
from etl.model.reference import Reference
from etl.model.states import State
from etl.pipeline.both_ways import is_switched_off
from etl.pipeline.canary import Canary, CanaryCheck
from etl.pipeline.connect import Link
from etl.pipeline.facts import facts_document, reading_document
from etl.pipeline.finished import Memory, is_possible, key_of
from etl.pipeline.firsts import first_orders
from etl.pipeline.heart import Heart
from etl.pipeline.outlet import NOT_PERMITTED, check_other_route, on_route
from etl.pipeline.planning import Progress
from etl.pipeline.prepare import (
    Again,
    Export,
    Prepared,
    check_reading,
    finished_statuses,
    keep_reference,
    link_to_mews,
    locked,
    open_batch,
    order_number_headers,
    plan_export,
    read_mapping_of,
    reading_of,
    reference_online,
    statuses,
)
from etl.pipeline.reporting import report_on
from etl.pipeline.sending import poster_of, reach_of, run_facts
from etl.pipeline.source_again import EXPORTS, files_read
from etl.pipeline.sources import file_names
from etl.pipeline.turns import BEGIN, CANARY, in_turn, keep_verdict, verdict_of_others
from etl.pipeline.unconfirmed import refuse_unconfirmed
from etl.report.summary import Summary
from etl.settings import Connection, Settings
from etl.transform.arithmetic import TaxRounding
from etl.transform.observed import as_booked, observe
from etl.waiting import OTHERS, SETTLING, WAITS


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the user asked of a run."""

    expect: str = ""
    limit: int | None = None
    only: frozenset[str] = frozenset()
    canary: int | None = None
    retry_rejected: bool = False
    repost_undone: bool = False
    no_wait: bool = False
    take_over: str = ""
    report: Path | None = None


@dataclass(frozen=True, slots=True)
class RunDone:
    """What a run did. `stopped` says why it ended early, if it did."""

    document: dict[str, Any]
    summary: Summary
    exit_code: ExitCode
    report: list[Path]
    stopped: str = ""
    hint: str = ""


Post = Callable[[int | None, Iterable[PlannedOrder]], Awaitable[LoadResult]]
"""Posts so many of these orders at most."""

Confirm = Callable[[Prepared, Summary], bool]
"""Shows enterprise, orders, money and open balance, and asks; called outside loopback without --expect."""


async def run(
    stack: ExitStack,
    settings: Settings,
    export: Export,
    connection: Connection,
    options: RunOptions,
    *,
    confirm: Confirm,
    progress: Progress,
) -> RunDone:
    """Posts what is not posted yet. Effects: writes to Mews, the ledger and the report folder.

    Raises PlanError where the plan is not the reviewed one, LedgerError where the ledger is held, foreign
    or incomplete, MewsError where Mews can't be reached or refuses the credentials.
    """
    mapping = read_mapping_of(settings)
    ledger = stack.enter_context(Ledger.open(settings.ledger))
    stack.enter_context(locked(ledger, "run", take_over=options.take_over, shared=True))
    heart = Heart(ledger, progress)
    stack.callback(heart.stop)
    batch, facts = stack.enter_context(open_batch(export, mapping, heart))
    async with link_to_mews(settings, mapping, connection, writes=True) as link:
        if not link.is_loopback:
            refuse_unconfirmed(mapping)
        reference = await reference_online(link, mapping, batch, export.span)
        keep_reference(ledger, mapping, reference)
        check_reading(ledger, mapping, facts)
        # A report lists every order, and --only asks for some: both want the plan of each.
        is_whole = options.report is not None or bool(options.only)
        known = None if is_whole else ledger
        prepared = plan_export(
            stack, batch, facts, mapping, reference, span=export.span, progress=heart,
            is_fast=not is_switched_off(), is_sent=True, ledger=known,
        )  # fmt: skip
        _check_plan(prepared, ledger, link, options, confirm)
        ledger.share_plan(prepared.plan.plan)
        return await _post(prepared, ledger, on_route(link, mapping, reference, ledger), options, heart)


def _check_plan(prepared: Prepared, ledger: Ledger, link: Link, options: RunOptions, confirm: Confirm) -> None:
    if options.expect:
        if options.expect != prepared.plan.plan:
            raise PlanError(
                f"The plan is {prepared.plan.plan}, not the reviewed {options.expect}. Nothing was sent.",
                hint="Run `centra-mews dry-run` again and compare its report with the reviewed one.",
            )
        return
    if link.is_loopback:
        return
    if not confirm(prepared, _to_confirm(prepared, ledger, options)):
        raise PlanError(
            "The run was not confirmed. Nothing was sent.",
            code="plan.unconfirmed",
            hint="Review `centra-mews dry-run --report DIR`, then give its plan id with --expect.",
        )


def _to_confirm(prepared: Prepared, ledger: Ledger, options: RunOptions) -> Summary:
    """What stands before this run, with its options: orders that it sends again count as ready, others are left out."""
    summary = Summary()
    summary.precisions = {code: currency.precision for code, currency in prepared.reference.currencies.items()}
    again = Again(rejected=options.retry_rejected, undone=options.repost_undone)
    for status, orders in finished_statuses(prepared, ledger, again=again):
        summary.add(status, orders)
    for status in statuses(prepared, ledger, again=again):
        if not options.only or status.number in options.only:
            summary.add(status)
    return summary


_WHICH_ORDER = "`centra-mews dry-run EXPORT... --report DIR` lists all numbers in orders.csv."


async def _post(prepared: Prepared, ledger: Ledger, link: Link, options: RunOptions, heart: Heart) -> RunDone:
    run_id = uuid.uuid4().hex[:12]
    unknown = sorted(options.only - _numbers(prepared, options.only))
    if unknown:
        raise UsageError(f"--only: the export has no order {', '.join(unknown)}.", hint=_WHICH_ORDER)
    ledger.save_run(_record(prepared, run_id, document=reading_document(prepared)))
    ledger.set_order_numbers(prepared.mapping.settings.source.order_number, order_number_headers(prepared.facts))
    with heart.beating():
        async with in_turn(ledger, BEGIN, WAITS.sleep(OTHERS)):
            _record_plan(prepared, ledger, run_id)
            ((posted,),) = ledger.query(_POSTED_OF_PLAN, {"state": State.POSTED.value, "run": run_id})
            unread = await check_other_route(link, prepared.mapping, ledger, run_id, heart)
        result, canary = await _load(prepared, ledger, link, options, run_id, _of_all(prepared, options, heart, posted))
    # What stands there twice stays told until it is reversed, not only by the run that found it.
    # The ledger has all that any look found of a number; a single look may have met its order, or its payments.
    result.duplicated = {**result.duplicated, **dict(ledger.duplicated())}
    code = _early_end(result)
    if code is None and result.duplicated:
        code = ExitCode.ATTENTION
    summary, paths, document = report_on(
        prepared,
        statuses(prepared, ledger, run_id=run_id),
        options.report,
        command="run",
        run_id=run_id,
        exit_code=code,
        more={
            **facts_document(prepared),
            **_result_document(result),
            "canary": canary.document() if canary else None,
            **({"other_route_unread": unread} if unread else {}),
        },
        ledger=ledger,
        alike=finished_statuses(prepared, ledger, run_id=run_id),
        progress=heart,
    )
    if code is None:
        code = summary.exit_code
    ledger.save_run(_record(prepared, run_id, code, document))
    stop = result.stop
    return RunDone(document, summary, code, paths, stop.message if stop else "", stop.hint if stop else "")


def _record_plan(prepared: Prepared, ledger: Ledger, run_id: str) -> None:
    """Keeps in the ledger what the plan says, and what it was read from: the next run need not plan that again."""
    if prepared.finished is not None:
        prepared.finished.keep(run_id)
    mapping, orders = prepared.mapping, prepared.store.by_number()
    if is_possible(mapping):
        memory = Memory(ledger, prepared.batch, key_of(mapping, prepared.reference), mapping.settings.source.store)
        orders = memory.watch(orders)
    ledger.record_plan(run_id, orders)


_POSTED_OF_PLAN = "SELECT count(*) FROM orders WHERE state = :state AND plan_run_id = :run"


def _of_all(prepared: Prepared, options: RunOptions, progress: Progress, posted: int) -> Progress:
    """Progress in which posting has its true end: the orders of the plan that are to stand in Mews after this run.

    `posted`: those that do already.
    """
    done = prepared.finished.count if prepared.finished else 0
    total, posted = (len(options.only), 0) if options.only else (prepared.store.ready_count + done, posted)
    if options.limit is not None:
        total = min(total, posted + options.limit)

    def tell(stage: str, done: int, of: int | None) -> None:
        if stage == "post":
            # What is there already is met in no time and is no pace.
            progress(stage, min(max(done, posted), total), total)
        else:
            progress(stage, done, of)

    if posted:
        tell("post", posted, None)

    return tell


async def _load(
    prepared: Prepared, ledger: Ledger, link: Link, options: RunOptions, run_id: str, progress: Progress
) -> tuple[LoadResult, Canary | None]:
    """Posts; with --canary the first orders go alone and are compared before the others."""
    stop = StopFlag()

    async def post(limit: int | None, orders: Iterable[PlannedOrder]) -> LoadResult:
        return await _poster(prepared, ledger, link, run_id, stop, progress).run(
            orders,
            limit=limit,
            no_wait=options.no_wait,
            retry_rejected=options.retry_rejected,
            repost_undone=options.repost_undone,
        )

    with signals(stop):
        plan_id = prepared.plan.plan
        async with in_turn(ledger, CANARY, WAITS.sleep(OTHERS), lambda: stop.is_set) as waited:
            is_looked_at, refusal = verdict_of_others(ledger, plan_id, waited=waited)
            if refusal is not None:
                return LoadResult(stop=refusal), None
            if options.canary is not None and not is_looked_at:
                begun, canary = await _canary(prepared, ledger, link, options, run_id, stop, post)
                keep_verdict(ledger, plan_id, begun.stop if isinstance(begun.stop, StoppedError) else None)
                if begun.stop is not None or begun.is_interrupted or _left(options, begun) == 0:
                    return begun, canary
            else:
                begun, canary = LoadResult(), None
        return _joined(begun, await post(_left(options, begun), _chosen(prepared, options))), canary


async def _canary(
    prepared: Prepared, ledger: Ledger, link: Link, options: RunOptions, run_id: str, stop: StopFlag, post: Post
) -> tuple[LoadResult, Canary | None]:
    """Posts the first orders and the first of each kind, and compares them."""
    most = options.canary or 0
    first = most if options.limit is None else min(most, options.limit)
    begun = await post(first, _chosen(prepared, options))
    retries = run_id if options.retry_rejected else ""
    plan = partial(_chosen, prepared, options)
    begun = await _with_firsts(begun, options, post, lambda: first_orders(plan, ledger, retries_before=retries))
    if begun.stop is not None or begun.is_interrupted:
        return begun, None
    return begun, await _compared(prepared, ledger, link, run_id, stop, begun)


async def _with_firsts(
    begun: LoadResult,
    options: RunOptions,
    post: Post,
    firsts_left: Callable[[], list[PlannedOrder]],
) -> LoadResult:
    """The canary's orders and, beyond them, the first of each kind that they did not try; kinds end proved or held."""
    tried: list[str] = []
    while begun.stop is None and not begun.is_interrupted and _left(options, begun) != 0:
        firsts = firsts_left()
        numbers = [order.number for order in firsts]
        if not firsts or numbers == tried:
            break
        tried = numbers
        begun = _joined(begun, await post(_left(options, begun), firsts))
    return begun


def _left(options: RunOptions, begun: LoadResult) -> int | None:
    return None if options.limit is None else max(options.limit - begun.begun, 0)


async def _compared(
    prepared: Prepared, ledger: Ledger, link: Link, run_id: str, stop: StopFlag, begun: LoadResult
) -> Canary | None:
    """What the first orders look like in Mews. Effects: `begun` says why the run stops, if it does."""
    check = CanaryCheck(
        ledger,
        link.reader,
        run_id=run_id,
        service_id=prepared.reference.place.id,
        patience=float(prepared.mapping.settings.mews.settle_seconds) / 2 + 1,
        sleep=WAITS.sleep(SETTLING),
        is_over=lambda: stop.is_set,
    )
    try:
        canary = await check.look()
    except MewsError as error:
        begun.stop = error
        return None
    begun.stop = canary.stop()
    return canary


def _joined(first: LoadResult, second: LoadResult) -> LoadResult:
    """Two parts of one run as one; the second has counted every order."""
    second.sent += first.sent
    second.begun += first.begun
    second.duplicated = {**first.duplicated, **second.duplicated}
    second.first_check = first.first_check or second.first_check
    second.strangers = max(first.strangers, second.strangers)
    second.surveys += first.surveys
    return second


def _poster(prepared: Prepared, ledger: Ledger, link: Link, run_id: str, stop: StopFlag, progress: Progress) -> Poster:
    check = FirstCheck(linked_reservation(link, prepared.reference.place.id), _Observed(prepared.reference))
    facts = run_facts(run_id, prepared.mapping, prepared.reference)
    return poster_of(facts)(ledger, reach_of(link), facts, stop=stop, progress=progress, first_check=check)


class _Observed:
    """The first order's lesson on rounding, for one enterprise."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def observe(self, entries: Sequence[Observed]) -> str:
        """The name of a way of rounding that explains the entries, "" for none."""
        found = observe(entries, self._reference)
        return found.value if found else ""

    def adapt(self, order: PlannedOrder, rounding: str) -> PlannedOrder:
        """The order with predictions that follow it."""
        return as_booked(order, TaxRounding(rounding), self._reference)


def linked_reservation(link: Link, service_id: str) -> Callable[[str], Awaitable[str]]:
    """Asks Mews which reservation it linked to an OrderId, "" for none.

    An integration that may not read service orders goes on without this check: what is really wrong with the
    tokens or the address shows at the next request.
    """

    async def ask(order_id: str) -> str:
        try:
            async for page in link.reader.service_orders(service_ids=[service_id], order_ids=[order_id]):
                for order in page:
                    return order.reservation_id
        except MewsError as error:
            if error.code not in NOT_PERMITTED:
                raise
            structlog.get_logger().warning("linked reservation not checked", reason=error.message)
        return ""

    return ask


def _chosen(prepared: Prepared, options: RunOptions) -> Iterator[PlannedOrder]:
    for order in prepared.store.ready():
        if not options.only or order.number in options.only:
            yield order


def _numbers(prepared: Prepared, wanted: frozenset[str]) -> frozenset[str]:
    if not wanted:
        return frozenset()
    return frozenset(order.number for order in prepared.store.by_number() if order.number in wanted)


def _early_end(result: LoadResult) -> ExitCode | None:
    """The exit code of a run that did not come to its end; None where the orders decide."""
    if result.stop is not None:
        return result.stop.exit_code
    return ExitCode.INTERRUPTED if result.is_interrupted else None


def _result_document(result: LoadResult) -> dict[str, Any]:
    return {
        "sent": result.sent,
        "stopped": result.stop.attrs() if result.stop else None,
        "duplicated": {number: list(ids) for number, ids in result.duplicated.items()},
        "rounding_of_mews": list(result.first_check),
        "other_orders_on_the_service": result.strangers,
    }


def _record(
    prepared: Prepared, run_id: str, code: ExitCode | None = None, document: dict[str, Any] | None = None
) -> RunRecord:
    names = file_names(prepared.facts.files)
    return RunRecord(
        run_id,
        "run",
        prepared.plan.plan,
        exit_code=None if code is None else int(code),
        summary=document or {},
        sources={names[file.path]: file.sha256 for file in prepared.facts.files},
        mapping={
            "digest": prepared.mapping.digest,
            "reading": reading_of(prepared.mapping),
            EXPORTS: files_read(prepared.facts),
        },
    )


def _interrupted(stop: StopFlag) -> None:
    if not stop.is_set:
        structlog.get_logger().warning(
            "interrupted: what is in flight is awaited and recorded, nothing more is sent; a second Ctrl-C leaves at once"
        )
    stop.request()


@contextmanager
def signals(stop: StopFlag) -> Iterator[None]:
    """Ctrl-C and SIGTERM: the first stops after what is in flight, the second leaves at once."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        loop.add_signal_handler(number, _interrupted, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
