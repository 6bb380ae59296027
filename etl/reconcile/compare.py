"""One order of the ledger against what Mews returns of it: what was sent, where it stands, how it is paid. Pure.

Whether it is what was sent says `evidence.match`; here follow what an accountant asks besides (account, time, category,
payments) and both sides' bookings. A closed bill, a category that Mews chose itself and what Mews does not tell are no
differences.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from etl.evidence.match import (
    Pair,
    booked_in,
    currency_of,
    match,
    match_payment,
    moment_words,
    payment_words,
    with_last_change,
)
from etl.evidence.values import NOT_IN_MEWS, Difference, Expected, ExpectedEntry, ExpectedPayment, What
from etl.model.identity import parse_identifier
from etl.model.plan import BALANCE, CAPTURE, Basis, letters_of
from etl.model.rows import OrderItemRow, PaymentRow
from etl.model.shares import CREDIT
from etl.reconcile.values import Booking, Klass, OrderFinding

ZERO = Decimal(0)


@dataclass(slots=True)
class _Findings:
    """What was met so far of one order."""

    differences: list[Difference] = field(default_factory=list)
    notices: list[Difference] = field(default_factory=list)
    ledger: list[Booking] = field(default_factory=list)
    mews: list[Booking] = field(default_factory=list)


def compare_order(
    expected: Expected, rows: Sequence[OrderItemRow], payments: Mapping[str, PaymentRow] | None = None
) -> OrderFinding:
    """The class of one order, its differences, and both sides' bookings.

    `rows`: all items of its OrderId; `payments` by Mews's id. An order without any item is missing.
    """
    matched = match(expected, rows)
    found = _Findings(list(matched.differences), list(matched.notices))
    found.ledger = [_ledger_booking(expected, entry, ()) for entry in matched.missing if not entry.is_payment]
    found.mews = [_mews_booking(row, row.currency, None, "") for row in matched.extra if not row.is_payment]
    for pair in matched.pairs:
        _book_pair(expected, pair, found)
        _compare_category(pair, found)
    _compare_whole(expected, [row for row in rows if not row.is_canceled], found)
    _compare_payments(expected, payments or {}, found)
    klass = Klass.DIFFERENT if found.differences else Klass.MATCHED
    if not rows and expected.entries:
        klass = Klass.MISSING
    return _finding(klass, expected, payments or {}, found, _paid_by_items(expected, rows))


def bookings(rows: Iterable[OrderItemRow]) -> tuple[Booking, ...]:
    """What stands in Mews of items that no entry explains."""
    return tuple(_mews_booking(row, row.currency, None, "") for row in rows if not (row.is_canceled or row.is_payment))


def _book_pair(expected: Expected, pair: Pair, found: _Findings) -> None:
    """Both sides' bookings: the ledger's as sent, Mews's as they stand."""
    found.ledger += [_ledger_booking(expected, entry, pair.live) for entry in pair.entries if not entry.is_payment]
    paired = pair.entries[0] if len(pair.entries) == 1 else None
    currency = currency_of(expected, pair.live)
    found.mews += [
        _mews_booking(row, currency, paired.codes if paired else None, paired.category_id if paired else "")
        for row in pair.live
        if not row.is_payment
    ]


def _compare_category(pair: Pair, found: _Findings) -> None:
    wanted = {entry.category_id.lower() for entry in pair.entries}
    seen = {row.category_id.lower() for row in pair.live if row.category_id}
    if "" not in wanted and seen - wanted:
        words = with_last_change(" ".join(sorted(seen)), pair.live)
        found.differences.append(Difference(What.CATEGORY, " ".join(sorted(wanted)), words, pair.item))


# The whole order


def _compare_whole(expected: Expected, live: Sequence[OrderItemRow], found: _Findings) -> None:
    """Account and time of consumption, each other value told once."""
    accounts: dict[str, list[OrderItemRow]] = defaultdict(list)
    dates: dict[datetime, list[OrderItemRow]] = defaultdict(list)
    for row in live:
        if row.account_id and row.account_id.lower() != expected.account_id.lower():
            accounts[row.account_id].append(row)
        if row.consumed is not None and not _same_second(row.consumed, expected.consumption):
            dates[row.consumed].append(row)
    if expected.account_id:
        for account, rows in accounts.items():
            found.differences.append(
                Difference(What.ACCOUNT, expected.account_id, with_last_change(account, rows), _items(rows, live))
            )
    if expected.consumption is not None:
        for moment, rows in dates.items():
            words = with_last_change(moment_words(moment), rows)
            found.differences.append(
                Difference(What.DATE, moment_words(expected.consumption), words, _items(rows, live))
            )


def _items(rows: Sequence[OrderItemRow], live: Sequence[OrderItemRow]) -> str:
    """What a difference concerns: "" for the whole order."""
    return "" if len(rows) == len(live) else ", ".join(row.external_identifier or row.name for row in rows)


def _same_second(one: datetime, other: datetime | None) -> bool:
    return other is not None and one.replace(microsecond=0) == other.replace(microsecond=0)


# Payments


def _compare_payments(expected: Expected, payments: Mapping[str, PaymentRow], found: _Findings) -> None:
    for payment in expected.payments:
        row = payments.get(payment.id)
        sent = payment_words(payment)
        if row is None:
            found.differences.append(Difference(What.PAYMENT, sent, NOT_IN_MEWS, payment.identifier))
        elif row.is_canceled:
            words = f"cancelled in Mews, {row.state or row.accounting_state}"
            found.differences.append(Difference(What.PAYMENT, sent, words, payment.identifier))
        else:
            found.differences += _payment_differences(expected, payment, row)


def _payment_differences(expected: Expected, payment: ExpectedPayment, row: PaymentRow) -> list[Difference]:
    differences = list(match_payment(payment, row, expected.basis))
    if row.account_id and payment.account_id and row.account_id.lower() != payment.account_id.lower():
        differences.append(Difference(What.ACCOUNT, payment.account_id, row.account_id, payment.identifier))
    return differences


def _paid(expected: Expected, payments: Mapping[str, PaymentRow], *, is_credit: bool) -> Decimal:
    """What Mews holds of the credits, or of the captures, of an order."""
    total = ZERO
    for payment in expected.payments:
        row = payments.get(payment.id)
        if payment.part.startswith(CREDIT) is is_credit and row is not None and not row.is_canceled:
            seen = row.gross if expected.basis is Basis.GROSS else row.net
            total += abs(seen) if payment.amount is None else abs(seen).copy_sign(payment.amount)
    return total


def _paid_by_items(expected: Expected, rows: Iterable[OrderItemRow]) -> dict[str, Decimal]:
    """What the items of an outlet bill pay, by the letters of their lines, as Mews holds it; positive for money received."""
    paid = {CREDIT: ZERO, CAPTURE: ZERO, BALANCE: ZERO}
    for row in rows:
        if row.is_payment and not row.is_canceled:
            parsed = parse_identifier(row.external_identifier)
            letters = letters_of(parsed[1]) if parsed is not None else CAPTURE
            paid[letters if letters in paid else CAPTURE] -= row.gross if expected.basis is Basis.GROSS else row.net
    return paid


# Both sides


def _finding(
    klass: Klass,
    expected: Expected,
    payments: Mapping[str, PaymentRow],
    found: _Findings,
    by_items: Mapping[str, Decimal],
) -> OrderFinding:
    return OrderFinding(
        klass,
        tuple(found.differences),
        tuple(found.notices),
        tuple(found.ledger),
        tuple(found.mews),
        _paid(expected, payments, is_credit=True) + by_items[CREDIT],
        _paid(expected, payments, is_credit=False) + by_items[CAPTURE],
        by_items[BALANCE],
    )


def _ledger_booking(expected: Expected, entry: ExpectedEntry, live: Sequence[OrderItemRow]) -> Booking:
    """The entry as it was sent; what was left to Mews is taken as Mews has it."""
    codes = entry.codes
    if codes is None:
        codes = tuple(sorted({code for row in live for code, _ in row.taxes}))
    category = entry.category_id or next((row.category_id for row in live if row.category_id), "")
    net, gross = entry.net, entry.gross
    if net is None or gross is None:
        booked = [booked_in(row, expected.currency) for row in live]
        tax = sum((one[1] - one[0] for one in booked), ZERO)
        net, gross = (
            (entry.total - tax, entry.total) if expected.basis is Basis.GROSS else (entry.total, entry.total + tax)
        )
    return Booking(expected.consumption, expected.currency, tuple(sorted(codes)), category, net, gross)


def _mews_booking(row: OrderItemRow, currency: str, codes: tuple[str, ...] | None, category_id: str) -> Booking:
    seen = tuple(sorted({code for code, _ in row.taxes})) or tuple(sorted(codes or ()))
    net, gross = (row.net, row.gross) if row.currency == currency else (row.original_net, row.original_gross)
    return Booking(row.consumed, currency, seen, row.category_id or category_id, net, gross)
