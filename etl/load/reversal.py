"""What reverses an order or a payment: names, marks and payloads of undo entries. Pure.

Rule: design section 5. An undo entry is an order or payment of its own, under `centra:{store}:{n}:undo:{line}`; its
Notes name the OrderId or payment that it reverses, so that the copies of an order can be told apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from etl.evidence.marks import identity_of
from etl.evidence.scan import OrderKey
from etl.ledger.records import Attempt, Part, PartKind
from etl.model.bill import bill_number
from etl.model.identity import Identity, parse_identifier, split_number
from etl.model.payload import entries_of
from etl.model.plan import Basis
from etl.model.rows import PAYMENT, OrderItemRow, PaymentRow
from etl.model.states import IN_MEWS, State

OPPOSITE = "order"
"""The undo part that is one `orders/add` of the opposite amounts."""

CANCEL = "cancel"
"""Undo parts that are one `orderItems/cancel` each: `cancel1`, `cancel2`, ..."""

ZERO = Decimal(0)

_NO_REBATES = 'the opposite is a rebate: set target.rebates = "allow" in migration.toml if Mews takes it'

_REVERSES = re.compile(r"(?:OrderId|payment) (?P<target>[^\s:]+)")


class CantReverseError(Exception):
    """Why an order stays as it is, as a sentence."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides whether an opposite can be posted.

    `window_start`: the earliest consumption that Mews takes now. `flat_codes`: tax codes that are an amount a piece;
    Mews would charge them on the reversal too.
    """

    basis: Basis
    may_rebate: bool
    window_start: datetime
    flat_codes: frozenset[str] = field(default_factory=frozenset)


# Names in the ledger


def undo_part(what: str, copy: int = 1) -> str:
    """The ledger's name of an undo part: `undo:order`, `undo:gift1`, `undo:cancel1`; `undo2:..` for a second copy."""
    return f"undo{copy if copy > 1 else ''}:{what}"


def copy_of(parts: Iterable[Part], target: str, payment: str = "") -> int:
    """Which copy of the order (or of one payment) a target is in the names of undo parts: a known one, or the next."""
    used: set[int] = set()
    for part in parts:
        prefix, _, what = part.part.partition(":")
        if what != payment if payment else travels_as(part) is not PartKind.ORDER:
            continue
        copy = int(prefix.removeprefix("undo") or 1)
        if part.target == target:
            return copy
        used.add(copy)
    return max(used, default=0) + 1


def what_of(part: Part) -> str:
    """`order`, `gift1`, `cancel1` of an undo part."""
    return part.part.partition(":")[2]


def undo_parts(parts: Iterable[Part], generation: int, what: str) -> list[Part]:
    """The undo parts of a generation that reverse the order (or one payment), of whichever copy."""
    return [part for part in parts if (part.kind, part.generation, what_of(part)) == (PartKind.UNDO, generation, what)]


def reversed_copies(parts: Iterable[Part], generation: int) -> set[str]:
    """OrderIds that this ledger balanced by their opposite."""
    return {part.target for part in undo_parts(parts, generation, OPPOSITE) if part.state is State.POSTED}


def is_cancel(part: Part) -> bool:
    """Whether an undo part is a cancellation: looking at the items tells what became of it."""
    return part.kind is PartKind.UNDO and what_of(part).startswith(CANCEL)


def cancelled_ids(attempts: Iterable[Attempt], parts: Iterable[Part]) -> set[str]:
    """The items that the newest attempts of these cancellations named."""
    wanted = {(part.part, part.seq) for part in parts}
    return {
        item_id
        for attempt in attempts
        if (attempt.part, attempt.seq) in wanted
        for item_id in attempt.payload.get("OrderItemIds", ())
    }


def is_carried_out(part: Part, attempts: Iterable[Attempt], rows: Iterable[OrderItemRow]) -> bool:
    """Whether a cancellation in doubt needs no more doubt: of what it named, Mews shows all as cancelled.

    `attempts` of its order; `rows`: the items of its target.
    """
    sent = cancelled_ids(attempts, [part])
    named = [row for row in rows if row.id in sent]
    return is_cancel(part) and bool(named) and all(row.is_canceled for row in named)


def is_being_reversed(parts: Iterable[Part], generation: int) -> bool:
    """Whether something of what an order posted is reversed, or may be, though the order is not undone.

    `parts`: of the order. What was refused, or proved absent, reverses nothing; nor does what reverses another copy.
    """
    mine = [part for part in parts if part.generation == generation]
    standing = {part.mews_id for part in mine if part.kind is not PartKind.UNDO}
    begun = (*IN_MEWS, State.UNKNOWN, State.IN_FLIGHT)
    return any(part.kind is PartKind.UNDO and part.state in begun and part.target in standing for part in mine)


def travels_as(part: Part) -> PartKind:
    """Whether a part would be found among the order items or among the payments."""
    if part.kind is not PartKind.UNDO:
        return part.kind
    return PartKind.ORDER if is_cancel(part) or what_of(part) == OPPOSITE else PartKind.PAYMENT


def parent_of(number: str) -> str:
    """The order that a nested return belongs to; "" for any other order."""
    order, identifier = split_number(number)
    return order if identifier else ""


# What stands in Mews


def target_of(notes: str) -> str:
    """The OrderId or payment that undo notes name; "" where they do not come back."""
    found = _REVERSES.search(notes)
    return found["target"] if found else ""


def sight_undos(page: Iterable[OrderItemRow], store: str) -> dict[OrderKey, dict[str, list[OrderItemRow]]]:
    """The undo orders of this store on one page. Shape: rows by OrderId, by number and generation."""
    found: dict[OrderKey, dict[str, list[OrderItemRow]]] = {}
    for row in page:
        identity = identity_of(row)
        if identity is not None and identity.is_undo and identity.store == store:
            orders = found.setdefault((identity.number, identity.generation), {})
            orders.setdefault(row.order_id, []).append(row)
    return found


def live(rows: Iterable[OrderItemRow]) -> list[OrderItemRow]:
    """The items that were not cancelled, those with money first."""
    standing = [row for row in rows if not row.is_canceled]
    return sorted(standing, key=lambda row: (not has_money(row), row.external_identifier, row.id))


def has_money(row: OrderItemRow) -> bool:
    """Whether an item charges or credits anything."""
    return bool(row.gross or row.net)


def is_gone(rows: Sequence[OrderItemRow]) -> bool:
    """Whether an order was cancelled: nothing with money is left of it. Zero-valued items may stay."""
    left = live(rows)
    return len(left) < len(rows) and not any(has_money(row) for row in left)


def closed(rows: Iterable[OrderItemRow]) -> list[OrderItemRow]:
    """Items on a closed bill: nobody may change them any more."""
    return [row for row in rows if not row.is_canceled and (row.closed is not None or row.state == "Closed")]


# Payloads


def opposite_order(
    rows: Sequence[OrderItemRow], original: Mapping[str, Any], identity: Identity, order_id: str, rules: Rules
) -> dict[str, Any]:
    """The `orders/add` that balances what is left of an order. `original`: the payload that posted it, or nothing.

    Positive counts, opposite unit amounts, same codes, account and consumption. Raises CantReverseError.
    """
    left = live(rows)
    if not left:
        raise CantReverseError("nothing of it is left in Mews")
    account = _only({row.account_id for row in left}, "its items stand on several accounts: reverse it in Mews by hand")
    currency = _only({row.currency for row in left}, "its items are in several currencies: reverse it in Mews by hand")
    consumed = _only(
        {row.consumed for row in left}, "its items were consumed at several times: reverse it in Mews by hand"
    )
    if consumed is None or consumed < rules.window_start:
        raise CantReverseError(
            "its consumption is outside the editable window by now, so Mews takes no opposite at the same time"
        )
    entries = [_opposite(row, original, identity, currency, rules) for row in left]
    if not rules.may_rebate and any(map(_is_negative, entries)):
        raise CantReverseError(_NO_REBATES)
    payload: dict[str, Any] = {
        "ServiceId": left[0].service_id,
        "AccountId": account,
        "ConsumptionUtc": _text(consumed),
        "Notes": _notes(identity, order_id),
        "Options": {"DisableItemGrouping": True},
    }
    products = [entry for entry in entries if "ProductId" in entry]
    items = [entry for entry in entries if "Name" in entry]
    if products:
        payload["ProductOrders"] = products
    if items:
        payload["Items"] = items
    for name in ("EnterpriseId", "BusinessSegmentId", "LinkedReservationId"):
        if original.get(name):
            payload[name] = original[name]
    if original.get("BillId") and {row.bill_id for row in left} == {original["BillId"]}:
        payload["BillId"] = original["BillId"]
    return payload


def opposite_bill(
    rows: Sequence[OrderItemRow], original: Mapping[str, Any], identity: Identity, order_id: str, rules: Rules
) -> dict[str, Any]:
    """The bill that balances another: its own number with `:undo`, its own times, every item opposite.

    `original`: the bill as it was sent, or nothing. Raises CantReverseError: it is reversed whole or not at all.
    """
    if not rows:
        raise CantReverseError("nothing of it is left in Mews")
    closed_at = str(original.get("ClosedUtc") or _text(min(row.consumed for row in rows if row.consumed is not None)))
    items = [
        {
            "Type": row.type,
            **_opposite(row, original, identity, row.currency, rules),
            "ConsumedUtc": closed_at if row.consumed is None else _text(row.consumed),
        }
        for row in sorted(rows, key=lambda row: (row.external_identifier, row.id))
    ]
    bill: dict[str, Any] = {
        "OutletId": rows[0].service_id,
        "Number": bill_number(identity),
        "ClosedUtc": closed_at,
        "Notes": _notes(identity, order_id),
        "Items": items,
    }
    if original.get("AccountId"):
        bill["AccountId"] = original["AccountId"]
    if not rules.may_rebate and is_rebate(bill):
        raise CantReverseError(_NO_REBATES)
    return bill


def is_rebate(bill: Mapping[str, Any]) -> bool:
    """Whether Mews takes a bill only where the property permits rebates; payments need no permission."""
    return any(_is_negative(item) for item in bill["Items"] if item["Type"] != PAYMENT)


def opposite_payment(
    row: PaymentRow, original: Mapping[str, Any], identity: Identity, part: str, basis: Basis
) -> dict[str, Any]:
    """The `payments/addExternal` that balances a payment. `original`: the payload that posted it, or nothing."""
    seen = row.gross if basis is Basis.GROSS else row.net
    # Mews shows what was received as negative; what was sent is positive.
    amount = -Decimal(str(original["Amount"][_value(basis)])) if original else -abs(seen)
    if original and abs(amount) != abs(seen):
        raise CantReverseError(
            f"payment {part} is {abs(seen)} {row.currency} in Mews, not {abs(amount)} as it was sent"
        )
    payload: dict[str, Any] = {
        "AccountId": row.account_id,
        "Amount": {"Currency": row.currency, _value(basis): amount},
        "Type": str(original.get("Type") or row.external_type),
        "ExternalIdentifier": identity.line(part),
        # Our notes end with the name of the part.
        "Notes": f"{identity.marker} Reverses payment {row.id} {part}",
    }
    for name in ("EnterpriseId", "AccountingCategoryId"):
        if original.get(name):
            payload[name] = original[name]
    return payload


def _is_negative(entry: Mapping[str, Any]) -> bool:
    amount = entry["UnitAmount"]
    return bool(amount.get("GrossValue", amount.get("NetValue", ZERO)) < 0)


def _notes(identity: Identity, order_id: str) -> str:
    """What `target_of` reads again."""
    return f"{identity.marker} Reverses Centra order {identity.number}, OrderId {order_id}"


def _opposite(
    row: OrderItemRow, original: Mapping[str, Any], identity: Identity, currency: str, rules: Rules
) -> dict[str, Any]:
    gross = rules.basis is Basis.GROSS
    unit, total = (row.unit_gross, row.gross) if gross else (row.unit_net, row.net)
    count = row.count
    if count < 1 or unit * count != total:
        # Changed by the hotel's staff: what stands there now is what has to go.
        count, unit = 1, total
    codes = _codes(row, original)
    flat = sorted(rules.flat_codes.intersection(codes))
    if flat:
        # Whatever the price, zero included: the opposite has a positive count, and the tax goes by the count.
        raise CantReverseError(
            f"it carries {', '.join(flat)}, a tax that is an amount a piece, which Mews would charge a second time "
            "on the reversal: reverse it in Mews by hand"
        )
    parsed = parse_identifier(row.external_identifier)
    amount = {"Currency": currency, "TaxCodes": codes, _value(rules.basis): -unit + ZERO}
    identifier = identity.line(parsed[1] if parsed else "x1")
    if row.product_id:
        return {"ProductId": row.product_id, "Count": count, "UnitAmount": amount, "ExternalIdentifier": identifier}
    item = {
        "Name": row.name or "Reversal",
        "UnitCount": count,
        "UnitAmount": amount,
        "ExternalIdentifier": identifier,
    }
    if row.category_id:
        item["AccountingCategoryId"] = row.category_id
    return item


def _codes(row: OrderItemRow, original: Mapping[str, Any]) -> list[str]:
    """As Mews shows them; where it shows none, as they were sent: a rate of 0 leaves no trace."""
    seen = [code for code, _ in row.taxes]
    if seen:
        return seen
    for entry, _ in entries_of(original):
        if row.external_identifier and entry.get("ExternalIdentifier") == row.external_identifier:
            return list(entry["UnitAmount"]["TaxCodes"])
    return []


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _value(basis: Basis) -> str:
    return "GrossValue" if basis is Basis.GROSS else "NetValue"


def _only(values: set[Any], otherwise: str) -> Any:
    if len(values) != 1:
        raise CantReverseError(otherwise)
    return values.pop()
