"""What a command reports of an order: plan and ledger together. Pure.

Rule: design sections 2 and 7.4. Every order read has exactly one standing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from etl.evidence.match import match
from etl.evidence.observed import observed_rows
from etl.evidence.sent import sent_entries
from etl.evidence.values import NOT_IN_MEWS, Difference, Expected
from etl.ledger.changes import Changes, compare, is_nobodys
from etl.ledger.corrections import is_original
from etl.ledger.records import LedgerOrder, loads
from etl.model.identity import Identity
from etl.model.plan import Basis, PlannedOrder, Verdict
from etl.model.problem import Problem, notice
from etl.model.sent import sent_hash, sent_payload
from etl.model.states import PLANNED, State
from etl.model.status import ReportState

_STANDINGS = {
    State.BLOCKED: ReportState.BLOCKED,
    State.SKIPPED: ReportState.SKIPPED,
    State.READY: ReportState.READY,
    State.IN_FLIGHT: ReportState.UNKNOWN,
    State.REJECTED: ReportState.REJECTED,
    State.UNKNOWN: ReportState.UNKNOWN,
    State.DIFFERENT: ReportState.CHANGED,
    State.UNDONE: ReportState.UNDONE,
}


def standing(row: LedgerOrder | None, order: PlannedOrder | None, store: str, run_id: str = "") -> ReportState:
    """What this run (or dry run, without `run_id`) reports of an order that it read.

    `row` is the ledger's, None where it knows nothing; `order` is today's plan. At least one is given.
    """
    if row is None:
        return ReportState(order.verdict.value) if order is not None else ReportState.SKIPPED
    if row.state is State.DIFFERENT:
        return ReportState.CHANGED
    if row.has_posted and order is not None and change(row, order, store):
        return ReportState.CHANGED
    if row.has_posted and order is None and row.changed:
        return ReportState.CHANGED
    if row.rejected_hash and not row.has_posted and row.state in PLANNED:
        return _after_refusal(row, order, store)
    if row.state is State.POSTED:
        if run_id and row.resolved_run_id == run_id:
            return ReportState.RECOVERED
        return (
            ReportState.POSTED
            if run_id and run_id in (row.posted_run_id, row.last_run_id)
            else ReportState.ALREADY_POSTED
        )
    if not run_id and order is not None and row.state in (State.BLOCKED, State.SKIPPED, State.READY):
        # A dry run reports its own verdict; the ledger's may be of an earlier export or mapping.
        return ReportState(order.verdict.value) if not row.has_posted else _STANDINGS[row.state]
    return _STANDINGS[row.state]


def _after_refusal(row: LedgerOrder, order: PlannedOrder | None, store: str) -> ReportState:
    """What Mews refused stays rejected until its payload changes, also where today's plan blocks it (design section 2)."""
    if order is None:
        return ReportState.SKIPPED if row.state is State.SKIPPED else ReportState.REJECTED
    if order.verdict is Verdict.SKIPPED:
        return ReportState.SKIPPED
    # Who is charged is not known yet where a customer is to be made.
    if order.verdict is Verdict.BLOCKED or order.create_customer:
        return ReportState.REJECTED
    planned = sent_hash(order, Identity(store, row.number, row.generation))
    return ReportState.REJECTED if planned == row.rejected_hash else ReportState.READY


def change(row: LedgerOrder, order: PlannedOrder, store: str) -> str:
    """In what the source differs from what was posted, as a sentence; "" where it does not, or nothing was.

    Rule: design section 7.4. An edited mapping is no change, save what the source itself is read through; the
    original of an order that was corrected before it was posted is none either.
    """
    if not row.has_posted or is_original(row, order):
        return ""
    found = _change(row, order, store)
    return (
        f"{found}. The mapping folder was edited since it was posted: {row.edited}" if found and row.edited else found
    )


def notices_of(row: LedgerOrder, order: PlannedOrder) -> list[Problem]:
    """The notices of a posted order that is met again otherwise, though nothing that counts differs."""
    if not row.has_posted:
        return []
    if is_original(row, order):
        text = f"Order {order.number} was corrected before it was posted; this export still has it uncorrected."
        return [notice("order.corrected", text, order=order.number)]
    if row.posted_fingerprint == order.fingerprint or not (row.posted_content and order.content):
        return []
    keys = _compared(row, order).erased
    text = f"Gone from the order since it was posted: {', '.join(keys)}."
    return [notice("account.erased", text, order=order.number)] if keys else []


def _change(row: LedgerOrder, order: PlannedOrder, store: str) -> str:
    if order.verdict is Verdict.SKIPPED:
        return f"the source skips the order now: {order.skip_reason or 'no reason given'}"
    if not order.fingerprint:
        return f"the source can't be read any more{_unread(order)}"
    if row.is_as_recovered:
        return _change_of_recovered(row, order, store)
    if row.posted_content and order.content:
        same = row.posted_fingerprint == order.fingerprint and row.posted_as == order.read_as
        return "" if same else "; ".join(_compared(row, order).differences)
    if order.fingerprint != row.posted_fingerprint:
        return _totals(row, order) or "lines, VAT, countries, account keys or consumption differ from what was posted"
    return ""


def _compared(row: LedgerOrder, order: PlannedOrder) -> Changes:
    return compare(row.posted_content, row.posted_as, order.content, order.read_as, order.captured)


def _unread(order: PlannedOrder) -> str:
    problem = next((problem for problem in order.problems if problem.is_error), None)
    return "" if problem is None else f" ({problem.place}: {problem.message})"


def _totals(row: LedgerOrder, order: PlannedOrder) -> str:
    if order.currency and row.currency and order.currency != row.currency:
        return f"posted in {row.currency}, the source now says {order.currency}"
    if order.source_total is not None and row.source_total is not None and order.source_total != row.source_total:
        return f"posted {row.source_total} {row.currency}, the source now says {order.source_total}"
    return ""


def _change_of_recovered(row: LedgerOrder, order: PlannedOrder, store: str) -> str:
    """Against what Mews returned: amounts, lines, codes, account, consumption; clamped times aside."""
    if order.verdict is Verdict.BLOCKED:
        return ""
    observed = loads(row.observed, {})
    if observed and order.content and is_nobodys(order.content):
        # Erased at the shop, or never known: whom the plan falls back to says nothing about the source.
        observed = {**observed, "account": ""}
    if order.is_charge_open:
        # The plan knows nobody to charge; a run found the customer, or nobody says that Mews has another one.
        order = replace(order, account_id=row.facts.get("charged", ""))
    return "; ".join(differs_from_observed(observed, order, Identity(store, row.number, row.generation)))


def differs_from_observed(observed: dict[str, Any], order: PlannedOrder, identity: Identity) -> list[str]:
    """How the plan of an order differs from what `recover` read of it (`evidence/observed.py`)."""
    if "account" not in observed:
        return []
    payload = sent_payload(order, identity)
    differences = []
    account, consumed = payload.get("AccountId", ""), payload.get("ConsumptionUtc") or payload.get("ClosedUtc")
    if observed["account"] and account and observed["account"] != account:
        differences.append(f"Mews has account {observed['account']}, the plan says {account}")
    if not order.is_clamped and observed["consumed"] and observed["consumed"] != consumed:
        differences.append(f"Mews has consumption {observed['consumed']}, the plan says {consumed}")
    basis = order.entries[0].basis if order.entries else Basis.NET
    # What Mews makes of the taxes is no matter of the source: no amounts are predicted here.
    entries = sent_entries(payload, basis, (), identity.stem)
    if not all(item.get("count") for item in observed["items"]):
        # Read by an earlier version, which kept no counts.
        entries = tuple(replace(entry, count=None) for entry in entries)
    planned = Expected(
        number=identity.number,
        generation=identity.generation,
        order_id="",
        account_id=order.account_id,
        consumption=order.consumption,
        currency=order.currency,
        basis=basis,
        entries=entries,
    )
    matched = match(planned, observed_rows(observed))
    return [*differences, *(_against_plan(one) for one in matched.not_as_sent)]


def _against_plan(one: Difference) -> str:
    seen = one.found if one.found == NOT_IN_MEWS else f"Mews has {one.found}"
    return f"{one.item + ': ' if one.item else ''}{seen}, the plan says {one.expected}"
