"""Whether what Mews returns is what an attempt sent. Pure.

Money decides: count and unit amount in the enterprise's basis and currency, by ExternalIdentifier, or, where Mews
returns none, over all items together. A cancelled item counts with its original amount.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from etl.evidence.by_unit import completed, of_single_units
from etl.load.records import Attempt
from etl.model.observed import Observed, SentEntry
from etl.model.plan import Basis
from etl.model.rows import OrderItemRow, PaymentRow

CLOCK_SLACK = timedelta(minutes=1)
"""Mews's times are whole seconds, and its clock is known to us through an answer only."""

_NOTHING = (Decimal(0), Decimal(0))

ItemKey = tuple[str, Decimal, str]
"""Identifier ("" where it is not compared), unit amount, currency."""


@dataclass(frozen=True, slots=True)
class BookedItem:
    """One item as Mews first booked it. `unit`: in the enterprise's basis; `codes`: those that carry a tax."""

    identifier: str
    count: int
    unit: Decimal
    currency: str
    codes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one comparison; `differences` are sentences with both sides, of money and of tax codes.

    `money`: those of counts, amounts and currency alone.
    """

    differences: tuple[str, ...] = ()
    last_digit: tuple[str, ...] = ()
    money: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs that matters."""
        return not self.differences


def match(payload: Mapping[str, Any], basis: Basis, booked: Sequence[BookedItem]) -> Finding:
    """The items of one order in Mews against the payload that was sent: currency, counts, amounts, tax codes.

    Whoever asks whether something in Mews is what was sent asks here, `recover` as well as `run`.
    """
    by_identifier = any(item.identifier for item in booked)
    sent, sent_codes = _sent_items(payload, basis, by_identifier)
    seen: Counter[ItemKey] = Counter()
    seen_codes: dict[str, set[str]] = {}
    for item in booked:
        identifier = item.identifier if by_identifier else ""
        seen[_key(identifier, item.unit, item.currency)] += item.count
        seen_codes.setdefault(identifier, set()).update(item.codes)
    money = [f"sent {_words(key, sent[key])}, not in Mews" for key in sent if key not in seen]
    money += [
        f"sent {_words(key, sent[key])}, Mews has {seen[key]} of it"
        for key in sent
        if key in seen and seen[key] != sent[key]
    ]
    money += [f"Mews has {_words(key, seen[key])}, not sent" for key in seen if key not in sent]
    codes = [
        f"{identifier or 'the order'}: sent with {_listed(sent_codes[identifier])}, Mews has {_listed(seen_codes[identifier])}"
        for identifier in sent_codes
        # A rate of 0 leaves no trace: a code that is not shown may be there all the same.
        if seen_codes.get(identifier, set()) - sent_codes[identifier]
    ]
    return Finding((*money, *codes), money=tuple(money))


def compare_items(payload: Mapping[str, Any], basis: Basis, rows: Sequence[OrderItemRow]) -> Finding:
    """`match` of the rows of one order."""
    return match(payload, basis, [booked_item(row, basis) for row in rows])


def booked_item(row: OrderItemRow, basis: Basis) -> BookedItem:
    """An item of Mews as first booked: a cancellation may leave zeros in the current amounts."""
    is_gross = basis is Basis.GROSS
    unit = unit_of(
        row.count,
        row.unit_gross if is_gross else row.unit_net,
        row.first_booked[1 if is_gross else 0],
        is_canceled=row.is_canceled,
    )
    return BookedItem(
        row.external_identifier, row.count, unit, row.currency, frozenset(code for code, amount in row.taxes if amount)
    )


def unit_of(count: int, unit: Decimal, total: Decimal, *, is_canceled: bool) -> Decimal:
    """The unit amount as first booked; `total` is that of all pieces then."""
    return total / count if is_canceled and count and unit * count != total else unit


def compare_payment(payload: Mapping[str, Any], basis: Basis, row: PaymentRow) -> Finding:
    """A payment in Mews against the payload that was sent; Mews may show what was received as negative."""
    amount = payload["Amount"]
    sent = Decimal(str(amount["GrossValue" if basis is Basis.GROSS else "NetValue"]))
    seen = row.gross if basis is Basis.GROSS else row.net
    if row.currency != amount["Currency"]:
        return Finding((f"sent {sent} {amount['Currency']}, Mews has {seen} {row.currency}",))
    if abs(seen) != abs(sent):
        return Finding((f"sent {sent} {row.currency}, Mews has {seen}",))
    return Finding()


def compare_predicted(attempt: Attempt, rows: Sequence[OrderItemRow]) -> Finding:
    """Net and gross of each entry as booked against the prediction that was frozen with the attempt.

    One unit of the last digit of an entry's tax is shown in `last_digit` only: Mews may round elsewhere. What was
    sent, gross or net by the enterprise's pricing, is not rounded and has to be booked as it is. Where Mews returns no identifiers, the order's sums are compared, a digit for each entry.
    """
    if not attempt.predicted:
        return Finding()
    predicted = {f"{attempt.identifier}:{line}": (net, gross) for line, net, _, gross in attempt.predicted}
    booked: dict[str, tuple[Decimal, Decimal]] = {}
    for row in completed(rows, predicted, attempt.basis):
        old, new = booked.get(row.external_identifier, (Decimal(0), Decimal(0))), row.first_booked
        booked[row.external_identifier] = (old[0] + new[0], old[1] + new[1])
    entries = 1
    if not any(booked):
        entries, predicted, booked = len(predicted), {"": _sums(predicted)}, {"": _sums(booked)}
    differences: list[str] = []
    last_digit: list[str] = []
    for identifier, expected in predicted.items():
        seen = booked.get(identifier, (Decimal(0), Decimal(0)))
        if seen == expected:
            continue
        text = f"{identifier or 'the order'}: predicted net {expected[0]}, gross {expected[1]}; "
        text += f"Mews booked net {seen[0]}, gross {seen[1]}"
        digit = Decimal(1).scaleb(min(_exponent(amount) for amount in expected)) * entries
        sent = 1 if attempt.basis is Basis.GROSS else 0
        near = seen[sent] == expected[sent] and abs(seen[1 - sent] - expected[1 - sent]) <= digit
        (last_digit if near else differences).append(text)
    return Finding(tuple(differences), tuple(last_digit))


def observed_amounts(attempt: Attempt, rows: Sequence[OrderItemRow]) -> tuple[Observed, ...]:
    """What Mews booked for each entry of an attempt; for all of them together where no identifiers come back."""
    value = "GrossValue" if attempt.basis is Basis.GROSS else "NetValue"
    has_identifiers = any(row.external_identifier for row in rows)
    # Where Mews tells one unit alone, several say nothing of how a whole is rounded.
    is_by_unit = any(row.is_by_unit for row in rows)
    rows = of_single_units(rows)
    sent: dict[tuple[str, str], list[SentEntry]] = {}
    for group, count in (("ProductOrders", "Count"), ("Items", "UnitCount")):
        for entry in attempt.payload.get(group, ()):
            if is_by_unit and entry[count] != 1:
                continue
            unit = entry["UnitAmount"]
            key = (entry["ExternalIdentifier"] if has_identifiers else "", unit["Currency"])
            one = SentEntry(entry[count], Decimal(str(unit[value])), tuple(unit["TaxCodes"]))
            sent.setdefault(key, []).append(one)
    booked: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
    for row in rows:
        key = (row.external_identifier if has_identifiers else "", row.currency)
        (net, gross), more = booked.get(key, _NOTHING), row.first_booked
        booked[key] = (net + more[0], gross + more[1])
    return tuple(Observed(tuple(entries), key[1], *booked.get(key, _NOTHING)) for key, entries in sent.items())


def may_be(attempt: Attempt, rows: Sequence[OrderItemRow]) -> bool:
    """Whether unmarked items could be this attempt's: account, service, consumption, counts and amounts."""
    return (
        all(
            row.account_id == attempt.account_id
            and row.number in ("", attempt.payload.get("Number"))
            and row.service_id == attempt.service_id
            and _same_second(row, attempt)
            for row in rows
        )
        # Whoever looks like it holds it for a person, whatever its tax codes became: absence must not be proved of it.
        and not compare_items(attempt.payload, attempt.basis, rows).money
    )


def may_be_payment(attempt: Attempt, row: PaymentRow) -> bool:
    """Whether an unmarked payment could be this attempt's: account, type, amount, created since it was sent."""
    return (
        row.account_id == attempt.account_id
        and row.external_type in ("", attempt.payload.get("Type", ""))
        and row.created >= attempt.sent_at.replace(microsecond=0) - CLOCK_SLACK
        and compare_payment(attempt.payload, attempt.basis, row).is_equal
    )


def _same_second(row: OrderItemRow, attempt: Attempt) -> bool:
    if row.consumed is None or attempt.consumption is None:
        return False
    return row.consumed.replace(microsecond=0) == attempt.consumption.replace(microsecond=0)


def _sent_items(
    payload: Mapping[str, Any], basis: Basis, by_identifier: bool
) -> tuple[Counter[ItemKey], dict[str, set[str]]]:
    """Counts and tax codes as sent, by identifier where that is compared."""
    sent: Counter[ItemKey] = Counter()
    codes: dict[str, set[str]] = {}
    entries = [(entry, entry["Count"]) for entry in payload.get("ProductOrders", ())]
    entries += [(entry, entry["UnitCount"]) for entry in payload.get("Items", ())]
    for entry, count in entries:
        amount = entry["UnitAmount"]
        unit = Decimal(str(amount["GrossValue" if basis is Basis.GROSS else "NetValue"]))
        identifier = entry.get("ExternalIdentifier", "") if by_identifier else ""
        sent[_key(identifier, unit, amount["Currency"])] += count
        codes.setdefault(identifier, set()).update(amount["TaxCodes"])
    return sent, codes


def _listed(codes: set[str]) -> str:
    return " ".join(sorted(codes)) or "no tax code"


def _key(identifier: str, unit: Decimal, currency: str) -> ItemKey:
    return identifier, unit.normalize() + Decimal(0), currency


def _sums(amounts: Mapping[str, tuple[Decimal, Decimal]]) -> tuple[Decimal, Decimal]:
    return sum((net for net, _ in amounts.values()), Decimal(0)), sum(
        (gross for _, gross in amounts.values()), Decimal(0)
    )


def _exponent(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _words(key: ItemKey, count: int) -> str:
    identifier, unit, currency = key
    name = f"{identifier}: " if identifier else ""
    return f"{name}{count} x {unit:f} {currency}"
