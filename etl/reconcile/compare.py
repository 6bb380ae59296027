"""One order of the ledger against what Mews returns of it. Pure.

Entries and items meet by ExternalIdentifier; where Mews returns none, by unit amount. A closed bill, a category
that Mews chose itself and what Mews does not tell are no differences.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from etl.evidence.values import Difference, Expected, ExpectedEntry, ExpectedPayment, What
from etl.model.plan import Basis
from etl.model.rows import OrderItemRow, PaymentRow
from etl.reconcile.values import Booking, Klass, OrderFinding

ZERO = Decimal(0)
CREDIT_PART = "gift"
"""Parts that are credits (gift cards, store credit); the others are captures."""


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
    found = _Findings()
    if not rows and expected.entries:
        found.differences.append(Difference(What.ORDER, _order_words(expected), "not in Mews"))
        found.ledger = [_ledger_booking(expected, entry, ()) for entry in expected.entries]
        _compare_payments(expected, payments or {}, found)
        return _finding(Klass.MISSING, expected, payments or {}, found)
    for entries, items in _pairs(expected, rows, found):
        _compare_group(expected, entries, items, found)
    _compare_whole(expected, [row for row in rows if not row.is_canceled], found)
    _compare_payments(expected, payments or {}, found)
    return _finding(Klass.DIFFERENT if found.differences else Klass.MATCHED, expected, payments or {}, found)


def bookings(rows: Iterable[OrderItemRow]) -> tuple[Booking, ...]:
    """What stands in Mews of items that no entry explains."""
    return tuple(_mews_booking(row, row.currency, None, "") for row in rows if not row.is_canceled)


# Pairing


_Pairs = list[tuple[Sequence[ExpectedEntry], Sequence[OrderItemRow]]]


def _pairs(expected: Expected, rows: Sequence[OrderItemRow], found: _Findings) -> _Pairs:
    """Entries and the items that are theirs. Effects: tells what has no partner."""
    if any(row.external_identifier for row in rows):
        return _by_identifier(expected, rows, found)
    return _by_unit(expected, rows, found)


def _by_identifier(expected: Expected, rows: Sequence[OrderItemRow], found: _Findings) -> _Pairs:
    groups: dict[str, list[OrderItemRow]] = defaultdict(list)
    for row in rows:
        groups[row.external_identifier].append(row)
    pairs: _Pairs = []
    lonely: list[ExpectedEntry] = []
    for entry in expected.entries:
        items = groups.pop(entry.identifier, None) if entry.identifier else None
        if items is None:
            lonely.append(entry)
        else:
            pairs.append(([entry], items))
    rest = [row for items in groups.values() for row in items]
    for entry in lonely:
        twin = next((row for row in rest if _looks_like(expected, entry, row)), None)
        if twin is None:
            _miss(expected, entry, found)
            continue
        rest.remove(twin)
        found.differences.append(
            Difference(
                What.IDENTIFIER, entry.identifier, _told(twin.external_identifier or "(none)", [twin]), twin.name
            )
        )
        pairs.append(([entry], [twin]))
    _extra(rest, found)
    return pairs


def _by_unit(expected: Expected, rows: Sequence[OrderItemRow], found: _Findings) -> _Pairs:
    entries: dict[Decimal, list[ExpectedEntry]] = defaultdict(list)
    items: dict[Decimal, list[OrderItemRow]] = defaultdict(list)
    for entry in expected.entries:
        entries[_unit(entry.total, entry.count)].append(entry)
    for row in rows:
        items[_unit(_first_booked(row, expected.basis), row.count)].append(row)
    pairs: _Pairs = []
    for unit, sent in entries.items():
        theirs = items.pop(unit, None)
        if theirs is None:
            for entry in sent:
                _miss(expected, entry, found)
        else:
            pairs.append((sent, theirs))
    _extra([row for theirs in items.values() for row in theirs], found)
    return pairs


def _unit(total: Decimal, count: int | None) -> Decimal:
    return (total / count if count else total).normalize() + ZERO


def _looks_like(expected: Expected, entry: ExpectedEntry, row: OrderItemRow) -> bool:
    same_count = entry.count is None or row.count == entry.count
    return row.currency == expected.currency and same_count and _first_booked(row, expected.basis) == entry.total


def _first_booked(row: OrderItemRow, basis: Basis) -> Decimal:
    return row.first_booked[basis is Basis.GROSS]


def _miss(expected: Expected, entry: ExpectedEntry, found: _Findings) -> None:
    words = f"{_count_words(entry)}{_money(entry.total)} {expected.currency}"
    found.differences.append(Difference(What.MISSING_ITEM, words, "not in Mews", entry.identifier or entry.name))
    found.ledger.append(_ledger_booking(expected, entry, ()))


def _extra(rows: Iterable[OrderItemRow], found: _Findings) -> None:
    for row in rows:
        item = row.external_identifier or row.name or row.id
        words = _told(f"{row.type or 'item'} {_money(row.gross)} {row.currency} with tax", [row])
        if row.is_canceled:
            found.notices.append(Difference(What.EXTRA_ITEM, "nothing", f"{words}; it stands for nothing", item))
            continue
        found.differences.append(Difference(What.EXTRA_ITEM, "nothing", words, item))
        found.mews.append(_mews_booking(row, row.currency, None, ""))


# One entry, or the entries of one unit amount


def _compare_group(
    expected: Expected, entries: Sequence[ExpectedEntry], rows: Sequence[OrderItemRow], found: _Findings
) -> None:
    item = entries[0].identifier or entries[0].name
    live = [row for row in rows if not row.is_canceled]
    gone = [row for row in rows if row.is_canceled]
    found.ledger += [_ledger_booking(expected, entry, live) for entry in entries]
    paired = entries[0] if len(entries) == 1 else None
    currency = _currency(expected, live)
    found.mews += [
        _mews_booking(row, currency, paired.codes if paired else None, paired.category_id if paired else "")
        for row in live
    ]
    if gone:
        _tell_cancelled(expected, entries, live, gone, item, found)
        if not live:
            return
    if currency != expected.currency:
        words = _told(currency, live)
        found.differences.append(Difference(What.CURRENCY, expected.currency, words, item))
        return
    _compare_amounts(expected, entries, live, item, found)
    _compare_codes(entries, live, item, found)
    _compare_category(entries, live, item, found)


def _tell_cancelled(
    expected: Expected,
    entries: Sequence[ExpectedEntry],
    live: Sequence[OrderItemRow],
    gone: Sequence[OrderItemRow],
    item: str,
    found: _Findings,
) -> None:
    total = sum((entry.total for entry in entries), ZERO)
    when = max((row.canceled for row in gone if row.canceled), default=None)
    words = "cancelled in Mews" + (f" on {_moment(when)}" if when else "")
    one = Difference(What.CANCELLED, f"{_money(total)} {expected.currency}", words, item)
    rebooked = (
        bool(live) and sum((_booked(row, expected)[expected.basis is Basis.GROSS] for row in live), ZERO) == total
    )
    (found.notices if rebooked else found.differences).append(one)


def _compare_amounts(
    expected: Expected,
    entries: Sequence[ExpectedEntry],
    live: Sequence[OrderItemRow],
    item: str,
    found: _Findings,
) -> None:
    counts = [entry.count for entry in entries]
    known = [count for count in counts if count is not None]
    seen_count = sum(row.count for row in live)
    if len(known) == len(counts) and sum(known) != seen_count:
        found.differences.append(Difference(What.COUNT, str(sum(known)), _told(str(seen_count), live), item))
    booked = [_booked(row, expected) for row in live]
    net, gross = sum((one[0] for one in booked), ZERO), sum((one[1] for one in booked), ZERO)
    total = sum((entry.total for entry in entries), ZERO)
    seen = gross if expected.basis is Basis.GROSS else net
    if seen != total:
        words = _told(f"{_money(seen)} {expected.currency}", live)
        found.differences.append(Difference(What.AMOUNT, f"{_money(total)} {expected.currency}", words, item))
        return
    predicted = [entry for entry in entries if entry.net is not None and entry.gross is not None]
    if len(predicted) < len(entries):
        return
    tax = sum(((entry.gross or ZERO) - (entry.net or ZERO) for entry in entries), ZERO)
    if gross - net == tax:
        return
    near = abs(gross - net - tax) <= sum((_digit(entry) for entry in entries), ZERO)
    words = f"{_money(gross - net)} {expected.currency}"
    one = Difference(
        What.ROUNDING if near else What.TAX,
        f"{_money(tax)} {expected.currency}",
        words if near else _told(words, live),
        item,
    )
    (found.notices if near else found.differences).append(one)


def _digit(entry: ExpectedEntry) -> Decimal:
    """One unit of the last digit of an entry's tax: Mews may round elsewhere (design section 7.6)."""
    exponents = [amount.as_tuple().exponent for amount in (entry.net, entry.gross) if amount is not None]
    return Decimal(1).scaleb(min(one for one in exponents if isinstance(one, int)))


def _compare_codes(entries: Sequence[ExpectedEntry], live: Sequence[OrderItemRow], item: str, found: _Findings) -> None:
    seen = {code for row in live for code, _ in row.taxes}
    # Items without any tax value say nothing of their codes.
    if not seen or any(entry.codes is None for entry in entries):
        return
    wanted = {code for entry in entries for code in entry.codes or ()}
    if seen != wanted:
        found.differences.append(Difference(What.TAX, _codes(wanted), _told(_codes(seen), live), item))


def _compare_category(
    entries: Sequence[ExpectedEntry], live: Sequence[OrderItemRow], item: str, found: _Findings
) -> None:
    wanted = {entry.category_id.lower() for entry in entries}
    seen = {row.category_id.lower() for row in live if row.category_id}
    if "" not in wanted and seen - wanted:
        words = _told(" ".join(sorted(seen)), live)
        found.differences.append(Difference(What.CATEGORY, " ".join(sorted(wanted)), words, item))


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
                Difference(What.ACCOUNT, expected.account_id, _told(account, rows), _items(rows, live))
            )
    if expected.consumption is not None:
        for moment, rows in dates.items():
            words = _told(_moment(moment), rows)
            found.differences.append(Difference(What.DATE, _moment(expected.consumption), words, _items(rows, live)))


def _items(rows: Sequence[OrderItemRow], live: Sequence[OrderItemRow]) -> str:
    """What a difference concerns: "" for the whole order."""
    return "" if len(rows) == len(live) else ", ".join(row.external_identifier or row.name for row in rows)


def _same_second(one: datetime, other: datetime | None) -> bool:
    return other is not None and one.replace(microsecond=0) == other.replace(microsecond=0)


# Payments


def _compare_payments(expected: Expected, payments: Mapping[str, PaymentRow], found: _Findings) -> None:
    for payment in expected.payments:
        row = payments.get(payment.id)
        sent = _payment_words(payment)
        if row is None:
            found.differences.append(Difference(What.PAYMENT, sent, "not in Mews", payment.identifier))
        elif row.is_canceled:
            words = f"cancelled in Mews, {row.state or row.accounting_state}"
            found.differences.append(Difference(What.PAYMENT, sent, words, payment.identifier))
        else:
            found.differences += _payment_differences(expected, payment, row)


def _payment_differences(expected: Expected, payment: ExpectedPayment, row: PaymentRow) -> list[Difference]:
    seen = row.gross if expected.basis is Basis.GROSS else row.net
    differences = []
    # Mews shows what was received as negative; other servers do not.
    amounts_differ = payment.amount is not None and abs(seen) != abs(payment.amount)
    if row.currency != payment.currency or amounts_differ:
        words = f"{_money(seen)} {row.currency}"
        differences.append(Difference(What.PAYMENT, _payment_words(payment), words, payment.identifier))
    if row.external_identifier and row.external_identifier != payment.identifier:
        differences.append(Difference(What.IDENTIFIER, payment.identifier, row.external_identifier, payment.identifier))
    if row.external_type and payment.type and row.external_type != payment.type:
        differences.append(Difference(What.PAYMENT, payment.type, row.external_type, payment.identifier))
    if row.account_id and payment.account_id and row.account_id.lower() != payment.account_id.lower():
        differences.append(Difference(What.ACCOUNT, payment.account_id, row.account_id, payment.identifier))
    return differences


def _paid(expected: Expected, payments: Mapping[str, PaymentRow], *, is_credit: bool) -> Decimal:
    """What Mews holds of the credits, or of the captures, of an order."""
    total = ZERO
    for payment in expected.payments:
        row = payments.get(payment.id)
        if payment.part.startswith(CREDIT_PART) is is_credit and row is not None and not row.is_canceled:
            seen = row.gross if expected.basis is Basis.GROSS else row.net
            total += abs(seen) if payment.amount is None else abs(seen).copy_sign(payment.amount)
    return total


# Both sides


def _finding(klass: Klass, expected: Expected, payments: Mapping[str, PaymentRow], found: _Findings) -> OrderFinding:
    return OrderFinding(
        klass,
        tuple(found.differences),
        tuple(found.notices),
        tuple(found.ledger),
        tuple(found.mews),
        _paid(expected, payments, is_credit=True),
        _paid(expected, payments, is_credit=False),
    )


def _ledger_booking(expected: Expected, entry: ExpectedEntry, live: Sequence[OrderItemRow]) -> Booking:
    """The entry as it was sent; what was left to Mews is taken as Mews has it."""
    codes = entry.codes
    if codes is None:
        codes = tuple(sorted({code for row in live for code, _ in row.taxes}))
    category = entry.category_id or next((row.category_id for row in live if row.category_id), "")
    net, gross = entry.net, entry.gross
    if net is None or gross is None:
        booked = [_booked(row, expected) for row in live]
        tax = sum((one[1] - one[0] for one in booked), ZERO)
        net, gross = (
            (entry.total - tax, entry.total) if expected.basis is Basis.GROSS else (entry.total, entry.total + tax)
        )
    return Booking(expected.consumption, expected.currency, tuple(sorted(codes)), category, net, gross)


def _mews_booking(row: OrderItemRow, currency: str, codes: tuple[str, ...] | None, category_id: str) -> Booking:
    seen = tuple(sorted({code for code, _ in row.taxes})) or tuple(sorted(codes or ()))
    net, gross = (row.net, row.gross) if row.currency == currency else (row.original_net, row.original_gross)
    return Booking(row.consumed, currency, seen, row.category_id or category_id, net, gross)


def _currency(expected: Expected, live: Sequence[OrderItemRow]) -> str:
    """The order's currency where the items are, or were first, booked in it; else theirs."""
    others = {row.currency for row in live if expected.currency not in (row.currency, row.original_currency)}
    return min(others) if others else expected.currency


def _booked(row: OrderItemRow, expected: Expected) -> tuple[Decimal, Decimal]:
    """Net and gross in the order's currency: Mews may show an amount converted, and keeps the original."""
    if row.currency != expected.currency and row.original_currency == expected.currency:
        return row.original_net, row.original_gross
    return row.net, row.gross


# Words


def _told(words: str, rows: Sequence[OrderItemRow]) -> str:
    """`words`, and when somebody changed the items in Mews, if somebody did."""
    changed = max((row.updated for row in rows if row.updated > row.created), default=None)
    return words if changed is None else f"{words} (changed in Mews on {_moment(changed)})"


def _order_words(expected: Expected) -> str:
    total = sum((entry.total for entry in expected.entries), ZERO)
    return f"{len(expected.entries)} items, {_money(total)} {expected.currency}"


def _payment_words(payment: ExpectedPayment) -> str:
    return f"{payment.type or 'payment'} {'' if payment.amount is None else _money(payment.amount)} {payment.currency}"


def _count_words(entry: ExpectedEntry) -> str:
    return f"{entry.count} pieces, " if entry.count is not None else ""


def _codes(codes: set[str]) -> str:
    return " ".join(sorted(codes)) or "exempt"


def _money(amount: Decimal) -> str:
    return f"{amount:f}" if amount else f"{abs(amount):f}"


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
