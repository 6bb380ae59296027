"""Whether what Mews returns of an order is what was sent: currency, counts, amounts, tax codes. Pure.

Run, first order, recover, settle, reconcile and canary all ask `match`, so one sighting has one judgement (design
sections 2, 7.2 and 7.6). Items count as they were first booked: what staff cancelled since was there all the same. It
is told as CANCELLED, which is a difference for who asks what stands, and none for who asks what arrived.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from etl.evidence.by_unit import completed
from etl.evidence.values import NOT_IN_MEWS, Difference, Expected, ExpectedEntry, ExpectedPayment, What
from etl.model.plan import Basis
from etl.model.rows import PAYMENT, REVENUE, OrderItemRow, PaymentRow

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Pair:
    """Entries and the items that are theirs: one entry by its identifier, or all of one unit amount.

    `live`: the items that stand; `gone`: those that were cancelled.
    """

    entries: tuple[ExpectedEntry, ...]
    live: tuple[OrderItemRow, ...]
    gone: tuple[OrderItemRow, ...] = ()

    @property
    def item(self) -> str:
        """What a difference of it concerns."""
        return self.entries[0].identifier or self.entries[0].name


@dataclass(frozen=True, slots=True)
class Match:
    """Result of one comparison. `notices` are told and are no differences.

    `missing`: entries without any item; `extra`: standing items that no entry explains.
    """

    differences: tuple[Difference, ...] = ()
    notices: tuple[Difference, ...] = ()
    pairs: tuple[Pair, ...] = ()
    missing: tuple[ExpectedEntry, ...] = ()
    extra: tuple[OrderItemRow, ...] = ()

    @property
    def not_as_sent(self) -> tuple[Difference, ...]:
        """In what the items are not what was sent, whatever was cancelled of them since."""
        return tuple(one for one in self.differences if one.what is not What.CANCELLED)

    @property
    def is_as_sent(self) -> bool:
        """Whether Mews booked what was sent."""
        return not self.not_as_sent

    @property
    def is_money_as_sent(self) -> bool:
        """Whether counts, amounts and currency are those that were sent, whatever the tax codes are."""
        return all(one.what is What.TAX for one in self.not_as_sent)

    @property
    def roundings(self) -> tuple[Difference, ...]:
        """What differs by the last digit of a tax only: Mews may round elsewhere (design section 7.6)."""
        return tuple(one for one in self.notices if one.what is What.ROUNDING)


@dataclass(slots=True)
class _Found:
    """What was met so far."""

    differences: list[Difference] = field(default_factory=list)
    notices: list[Difference] = field(default_factory=list)
    missing: list[ExpectedEntry] = field(default_factory=list)
    extra: list[OrderItemRow] = field(default_factory=list)


def match(expected: Expected, rows: Sequence[OrderItemRow]) -> Match:
    """The items of one OrderId, cancelled ones included, against what was sent.

    Entries and items meet by ExternalIdentifier; where Mews returns none, by unit amount. An order without any item
    differs as a whole (`What.ORDER`).
    """
    if not rows and expected.entries:
        nothing = Difference(What.ORDER, _order_words(expected), NOT_IN_MEWS)
        return Match((nothing,), missing=expected.entries)
    predicted = {
        entry.identifier: (entry.net, entry.gross)
        for entry in expected.entries
        if entry.net is not None and entry.gross is not None
    }
    rows = completed(rows, predicted, expected.basis)
    found = _Found()
    pairs = _pairs(expected, rows, found)
    for pair in pairs:
        _compare_pair(expected, pair, found)
    return Match(tuple(found.differences), tuple(found.notices), tuple(pairs), tuple(found.missing), tuple(found.extra))


def match_payment(expected: ExpectedPayment, row: PaymentRow, basis: Basis) -> tuple[Difference, ...]:
    """In what a payment of Mews is not the one that was sent: amount, currency, type, identifier.

    Mews shows what was received as negative; other servers do not.
    """
    seen = row.gross if basis is Basis.GROSS else row.net
    differences = []
    amounts_differ = expected.amount is not None and abs(seen) != abs(expected.amount)
    if row.currency != expected.currency or amounts_differ:
        words = f"{money_words(seen)} {row.currency}"
        differences.append(Difference(What.PAYMENT, payment_words(expected), words, expected.identifier))
    if row.external_identifier and row.external_identifier != expected.identifier:
        differences.append(
            Difference(What.IDENTIFIER, expected.identifier, row.external_identifier, expected.identifier)
        )
    if row.external_type and expected.type and row.external_type != expected.type:
        differences.append(Difference(What.PAYMENT, expected.type, row.external_type, expected.identifier))
    return tuple(differences)


def booked_in(row: OrderItemRow, currency: str) -> tuple[Decimal, Decimal]:
    """Net and gross as first booked, in `currency` where Mews shows an amount converted and keeps the original."""
    if row.currency != currency and row.original_currency == currency:
        return row.original_net, row.original_gross
    return row.first_booked


def currency_of(expected: Expected, rows: Iterable[OrderItemRow]) -> str:
    """The order's currency where the items are, or were first, booked in it; else theirs."""
    others = {row.currency for row in rows if expected.currency not in (row.currency, row.original_currency)}
    return min(others) if others else expected.currency


# Which items are whose


def _pairs(expected: Expected, rows: Sequence[OrderItemRow], found: _Found) -> list[Pair]:
    """Entries and the items that are theirs. Effects: tells what has no partner."""
    if any(row.external_identifier for row in rows):
        return _by_identifier(expected, rows, found)
    return _by_unit(expected, rows, found)


def _by_identifier(expected: Expected, rows: Sequence[OrderItemRow], found: _Found) -> list[Pair]:
    groups: dict[str, list[OrderItemRow]] = defaultdict(list)
    for row in rows:
        groups[row.external_identifier].append(row)
    pairs: list[Pair] = []
    lonely: list[ExpectedEntry] = []
    for entry in expected.entries:
        items = groups.pop(entry.identifier, None) if entry.identifier else None
        if items is None:
            lonely.append(entry)
        else:
            pairs.append(_pair([entry], items))
    rest = [row for items in groups.values() for row in items]
    for entry in lonely:
        twin = next((row for row in rest if _looks_like(expected, entry, row)), None)
        if twin is None:
            _miss(expected, entry, found)
            continue
        rest.remove(twin)
        words = with_last_change(twin.external_identifier or "(none)", [twin])
        found.differences.append(Difference(What.IDENTIFIER, entry.identifier, words, twin.name))
        pairs.append(_pair([entry], [twin]))
    _tell_extra(rest, found)
    return pairs


def _by_unit(expected: Expected, rows: Sequence[OrderItemRow], found: _Found) -> list[Pair]:
    entries: dict[Decimal, list[ExpectedEntry]] = defaultdict(list)
    items: dict[Decimal, list[OrderItemRow]] = defaultdict(list)
    for entry in expected.entries:
        entries[_unit(entry.total, entry.count)].append(entry)
    for row in rows:
        items[_unit(_in_basis(row, expected), row.count)].append(row)
    pairs: list[Pair] = []
    for unit, sent in entries.items():
        theirs = items.pop(unit, None)
        if theirs is None:
            for entry in sent:
                _miss(expected, entry, found)
        else:
            pairs.append(_pair(sent, theirs))
    _tell_extra([row for theirs in items.values() for row in theirs], found)
    return pairs


def _pair(entries: Sequence[ExpectedEntry], rows: Sequence[OrderItemRow]) -> Pair:
    live = tuple(row for row in rows if not row.is_canceled)
    return Pair(tuple(entries), live, tuple(row for row in rows if row.is_canceled))


def _unit(total: Decimal, count: int | None) -> Decimal:
    return (total / count if count else total).normalize() + ZERO


def _looks_like(expected: Expected, entry: ExpectedEntry, row: OrderItemRow) -> bool:
    same_count = entry.count is None or row.count == entry.count
    same_currency = expected.currency in (row.currency, row.original_currency)
    return same_currency and same_count and _in_basis(row, expected) == entry.total


def _miss(expected: Expected, entry: ExpectedEntry, found: _Found) -> None:
    count = f"{entry.count} pieces, " if entry.count is not None else ""
    words = f"{count}{money_words(entry.total)} {expected.currency}"
    found.differences.append(Difference(What.MISSING_ITEM, words, NOT_IN_MEWS, entry.identifier or entry.name))
    found.missing.append(entry)


def _tell_extra(rows: Iterable[OrderItemRow], found: _Found) -> None:
    for row in rows:
        item = row.external_identifier or row.name or row.id
        words = with_last_change(f"{row.type or 'item'} {money_words(row.gross)} {row.currency} with tax", [row])
        if row.is_canceled:
            found.notices.append(Difference(What.EXTRA_ITEM, "nothing", f"{words}; it stands for nothing", item))
            continue
        found.differences.append(Difference(What.EXTRA_ITEM, "nothing", words, item))
        found.extra.append(row)


# One pair


def _compare_pair(expected: Expected, pair: Pair, found: _Found) -> None:
    rows = _as_booked(expected, pair)
    if pair.gone:
        _tell_cancelled(expected, pair, found)
        if not rows:
            return
    currency = currency_of(expected, rows)
    if currency != expected.currency:
        found.differences.append(
            Difference(What.CURRENCY, expected.currency, with_last_change(currency, rows), pair.item)
        )
        return
    booked = [booked_in(row, expected.currency) for row in rows]
    net, gross = sum((one[0] for one in booked), ZERO), sum((one[1] for one in booked), ZERO)
    _compare_count(pair, rows, found)
    _compare_type(pair, rows, found)
    is_predicted = _compare_amounts(expected, pair, rows, (net, gross), found)
    _compare_codes(pair, rows, found, is_predicted=is_predicted)


def _as_booked(expected: Expected, pair: Pair) -> Sequence[OrderItemRow]:
    """The items that say what was booked for the entries.

    What stands, where it adds up alone: then the cancelled ones were booked anew. All of them, where they add up only
    together. Of cancelled items that show no money any more nothing can be said.
    """
    if not pair.gone or (pair.live and _adds_up(expected, pair, pair.live)):
        return pair.live
    rows = (*pair.live, *pair.gone)
    if pair.live:
        return rows if _adds_up(expected, pair, rows) else pair.live
    return rows if any(any(row.first_booked) for row in rows) else ()


def _adds_up(expected: Expected, pair: Pair, rows: Iterable[OrderItemRow]) -> bool:
    return sum((_in_basis(row, expected) for row in rows), ZERO) == _total(pair)


def _tell_cancelled(expected: Expected, pair: Pair, found: _Found) -> None:
    when = max((row.canceled for row in pair.gone if row.canceled), default=None)
    words = "cancelled in Mews" + (f" on {moment_words(when)}" if when else "")
    if pair.live:
        left = sum((_in_basis(row, expected) for row in pair.live), ZERO)
        words += f"; {money_words(left)} {currency_of(expected, pair.live)} of it stands"
    one = Difference(What.CANCELLED, f"{money_words(_total(pair))} {expected.currency}", words, pair.item)
    is_booked_anew = bool(pair.live) and _adds_up(expected, pair, pair.live)
    (found.notices if is_booked_anew else found.differences).append(one)


def _compare_count(pair: Pair, rows: Sequence[OrderItemRow], found: _Found) -> None:
    counts = [entry.count for entry in pair.entries if entry.count is not None]
    seen = sum(row.count for row in rows)
    if len(counts) == len(pair.entries) and sum(counts) != seen:
        found.differences.append(Difference(What.COUNT, str(sum(counts)), with_last_change(str(seen), rows), pair.item))


def _compare_type(pair: Pair, rows: Sequence[OrderItemRow], found: _Found) -> None:
    """On a bill, what was sold is revenue and what was paid a payment: whatever else it is, it is reported elsewhere."""
    seen = {row.type for row in rows if row.is_by_unit}
    sent = {PAYMENT if entry.is_payment else REVENUE for entry in pair.entries}
    if seen - sent:
        words = with_last_change(" ".join(sorted(seen)), rows)
        found.differences.append(Difference(What.TYPE, " ".join(sorted(sent)), words, pair.item))


def _compare_amounts(
    expected: Expected,
    pair: Pair,
    rows: Sequence[OrderItemRow],
    booked: tuple[Decimal, Decimal],
    found: _Found,
) -> bool:
    """What was sent, net or gross by the enterprise's pricing, is booked as it is; the tax as it was predicted.

    Shape: whether a tax was predicted, and is booked so.
    """
    net, gross = booked
    total, seen = _total(pair), gross if expected.basis is Basis.GROSS else net
    if seen != total:
        words = with_last_change(f"{money_words(seen)} {expected.currency}", rows)
        found.differences.append(Difference(What.AMOUNT, f"{money_words(total)} {expected.currency}", words, pair.item))
        return False
    if any(entry.net is None or entry.gross is None for entry in pair.entries):
        return False
    tax = sum(((entry.gross or ZERO) - (entry.net or ZERO) for entry in pair.entries), ZERO)
    if gross - net == tax:
        return True
    near = abs(gross - net - tax) <= sum((_digit(entry) for entry in pair.entries), ZERO)
    words = f"{money_words(gross - net)} {expected.currency}"
    one = Difference(
        What.ROUNDING if near else What.TAX,
        f"{money_words(tax)} {expected.currency}",
        words if near else with_last_change(words, rows),
        pair.item,
    )
    (found.notices if near else found.differences).append(one)
    return False


def _digit(entry: ExpectedEntry) -> Decimal:
    """One unit of the last digit of an entry's tax: Mews may round elsewhere (design section 7.6)."""
    exponents = [amount.as_tuple().exponent for amount in (entry.net, entry.gross) if amount is not None]
    return Decimal(1).scaleb(min(one for one in exponents if isinstance(one, int)))


def _compare_codes(pair: Pair, rows: Sequence[OrderItemRow], found: _Found, *, is_predicted: bool) -> None:
    """Codes that Mews shows and nobody sent; and those sent that it leaves out, unless the tax is right without.

    Items without any tax value say nothing of their codes, and a rate of 0 may leave no trace beside others.
    """
    seen = {code for row in rows for code, _ in row.taxes}
    if not seen or any(entry.codes is None for entry in pair.entries):
        return
    sent = {code for entry in pair.entries for code in entry.codes or ()}
    if seen - sent or (sent - seen and not is_predicted):
        found.differences.append(Difference(What.TAX, _codes(sent), with_last_change(_codes(seen), rows), pair.item))


def _total(pair: Pair) -> Decimal:
    return sum((entry.total for entry in pair.entries), ZERO)


def _in_basis(row: OrderItemRow, expected: Expected) -> Decimal:
    return booked_in(row, expected.currency)[expected.basis is Basis.GROSS]


# Words


def with_last_change(words: str, rows: Iterable[OrderItemRow]) -> str:
    """`words`, and when somebody changed the items in Mews, if somebody did."""
    changed = max((row.updated for row in rows if row.updated > row.created), default=None)
    return words if changed is None else f"{words} (changed in Mews on {moment_words(changed)})"


def _order_words(expected: Expected) -> str:
    total = sum((entry.total for entry in expected.entries), ZERO)
    return f"{len(expected.entries)} items, {money_words(total)} {expected.currency}"


def payment_words(payment: ExpectedPayment) -> str:
    """A payment as it was sent."""
    amount = "" if payment.amount is None else money_words(payment.amount)
    return f"{payment.type or 'payment'} {amount} {payment.currency}"


def _codes(codes: Iterable[str]) -> str:
    return " ".join(sorted(codes)) or "exempt"


def money_words(amount: Decimal) -> str:
    """An amount, never -0."""
    return f"{amount:f}" if amount else f"{abs(amount):f}"


def moment_words(moment: datetime) -> str:
    """A time of Mews."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
