"""The plan: what would be sent for each order, or why not.

A planned order is the only thing that the load stage sees of an order; the payload it yields is sent
unchanged, so dry run and run can't differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from etl.model.identity import RECIPE_VERSION, Identity, canonical_json
from etl.model.order import Replaced
from etl.model.packed import Packed, values_of
from etl.model.place import Place
from etl.model.problem import Problem
from etl.model.quick import quick
from etl.model.route import Route


class Basis(StrEnum):
    """Tax basis of an amount: gross is with tax."""

    GROSS = "gross"
    NET = "net"


class Verdict(StrEnum):
    """What the transform says of an order."""

    READY = "ready"
    BLOCKED = "blocked"
    SKIPPED = "skipped"


class EntryKind(StrEnum):
    """ProductOrder, custom Item, or payment: an item of an outlet bill, of nothing that is sold (design section 9)."""

    PRODUCT = "product"
    ITEM = "item"
    PAYMENT = "payment"


CAPTURE = "pay"
"""How the names of payments begin that were captured."""
REFUNDS = ("none", "post")
"""What `payments.refunds` can say: whether captures below zero are posted."""
BALANCE = "bal"
"""How that of the rest of an outlet bill begins, which is assumed to be paid: nobody recorded it."""


def letters_of(line: str) -> str:
    """What a line is, by its name: `p` of `p3.1`, `pay` of `pay1`."""
    return line.partition(".")[0].rstrip("0123456789")


class RoundingCause(StrEnum):
    """Why source and plan differ (design section 2).

    `source`: orderTotal differs from the order's sum within `total_tolerance`; `waived`: beyond it, accepted by name in
    waivers.csv; `conversion`: into the enterprise's tax basis, entry by entry; `mews`: Mews rounds otherwise than assumed.
    """

    SOURCE = "source"
    WAIVED = "waived"
    CONVERSION = "conversion"
    MEWS = "mews"


@quick
@dataclass(frozen=True, slots=True)
class Booked(Packed):
    """What Mews books (or is predicted to book) for a whole entry. `taxes`: (code, amount) per code."""

    net: Decimal
    tax: Decimal
    gross: Decimal
    taxes: tuple[tuple[str, Decimal], ...] = ()


@quick
@dataclass(frozen=True, slots=True)
class Entry(Packed):
    """One ProductOrder or Item of `orders/add`, or one item of an outlet bill.

    `unit` is UnitAmount in the enterprise's basis (`basis`), in the order's currency; it is negative in
    rebates and returns, never `count`. `source_amount` is this entry's share of the source, in the
    source's basis; `rounding` is `source_amount` minus what is predicted in that basis. `category_id` of a product is
    the product's own, which Mews books to; it is not sent. A payment (`line` gift1, pay1, bal1) has a negative `unit` for
    money received, no codes, and itself as `source_amount`; the source's total holds no payments. `place` is the row of the export that the entry comes from,
    `rule` the row of the mapping that decided on its taxes: for people, in no plan id.
    """

    line: str
    kind: EntryKind
    name: str
    count: int
    unit: Decimal
    basis: Basis
    codes: tuple[str, ...]
    predicted: Booked
    source_amount: Decimal
    rounding: Decimal
    product_id: str = ""
    category_id: str = ""
    place: Place = field(default=Place(), compare=False)
    rule: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class PlannedPayment(Packed):
    """One `payments/addExternal`: a part of the order with an identifier and state of its own.

    `amount` is positive for a payment received; in the order's currency; sent in the enterprise's basis.
    """

    part: str
    type: str
    amount: Decimal
    category_id: str = ""


@quick
@dataclass(frozen=True, slots=True)
class PlannedOrder(Packed):
    """What would be sent for one order, or why not.

    `source_total`: orderTotal in the source's basis, else the order's sum; None where it can't be read.
    `planned_total`: what Mews will hold in the source's basis, items less credits; 0 unless ready.
    `rounding` = source_total - planned_total; `rounding_causes` says why, by `RoundingCause`, and adds up to it.
    `month`: YYYY-MM of the consumption on the enterprise's calendar. `fingerprint` hashes the content
    that must not change once posted; `skip_fingerprint` the facts that decide on skipping.
    `content` is what `fingerprint` hashes, `unread` a hash of what can't be read, `country` the tax country;
    `replaces` the originals of a corrected order.
    `consumption` is what Mews will see, `true_consumption` the unclamped moment.
    On the outlet `route`, `service_id` is the OutletId, `account_id` the bill's AccountId or "", every entry an item with
    a category, and payments are entries; `payments` is empty then, and so are links and `enterprise_id`. `captured`: what
    the captures of the export come to by each of `REFUNDS`, whatever pays the bill, empty where it tells of none;
    `captured_by`: by which of them captures pay the bill, "" where they don't.
    `unproved`: the kinds of the order, what only Mews can tell (`model/kinds.py`); they enter no plan id.
    """

    number: str
    verdict: Verdict
    currency: str = ""
    basis: Basis = Basis.GROSS
    source_total: Decimal | None = None
    planned_total: Decimal = Decimal(0)
    rounding: Decimal = Decimal(0)
    rounding_causes: tuple[tuple[RoundingCause, Decimal], ...] = ()
    problems: tuple[Problem, ...] = ()
    skip_reason: str = ""
    account_id: str = ""
    account_key: str = ""
    service_id: str = ""
    enterprise_id: str = ""
    consumption: datetime | None = None
    true_consumption: datetime | None = None
    is_clamped: bool = False
    month: str = ""
    notes: str = ""
    entries: tuple[Entry, ...] = ()
    payments: tuple[PlannedPayment, ...] = ()
    segment_id: str = ""
    bill_id: str = ""
    reservation_id: str = ""
    disable_item_grouping: bool = True
    parent: str = ""
    fingerprint: str = ""
    skip_fingerprint: str = ""
    line_count: int = 0
    unproved: tuple[str, ...] = ()
    create_customer: tuple[tuple[str, str], ...] = ()
    content: str = ""
    country: str = ""
    unread: str = ""
    replaces: tuple[Replaced, ...] = ()
    route: Route = Route.ORDERS
    captured: tuple[Decimal, ...] = ()
    captured_by: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        # Entries are most of a plan: flat and as text they are stored three times as fast as objects in objects,
        # and so are times with a zone; members of enumerations cost more than all texts together.
        values = list(values_of(PlannedOrder)(self))
        values[_ENTRIES] = [_flat(entry) for entry in self.entries]
        for at in _TIMES:
            values[at] = values[at] and values[at].isoformat()
        for at, _ in _WORDS:
            values[at] = values[at].value
        return _unpacked, (values,)

    @property
    def version(self) -> str:
        """The hash under which the order is known again, readable or not."""
        return self.fingerprint or self.unread

    @property
    def read_as(self) -> str:
        """What migration.toml adds to the content: tax basis, currency, tax country, true consumption (UTC).

        Of an outlet bill that captures pay also what was captured, and by which of `REFUNDS`: money received is content
        of the bill then. The amount is empty where the export tells of no capture, and 0 where it tells of none that counts.
        """
        when = "" if self.true_consumption is None else self.true_consumption.isoformat()
        said = f"{self.basis.value}|{self.currency}|{self.country}|{when}"
        if not self.captured_by:
            return said
        amount = self.captured[REFUNDS.index(self.captured_by)] if self.captured else ""
        return f"{said}|{amount}|{self.captured_by}"

    @property
    def is_charge_open(self) -> bool:
        """Whether it charges somebody whom Mews did not have when it was planned: the run finds or makes the customer."""
        return bool(self.create_customer) and not self.account_id

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the problems that block the order, sorted, each once."""
        return tuple(sorted({problem.code for problem in self.problems if problem.is_error}))

    @property
    def revenue(self) -> tuple[Entry, ...]:
        """The entries of what was sold: all but the payments of an outlet bill."""
        if self.route is Route.ORDERS:
            return self.entries
        return tuple([entry for entry in self.entries if entry.kind is not EntryKind.PAYMENT])

    @property
    def paid(self) -> tuple[tuple[str, str, Decimal], ...]:
        """(part, type or name, amount) of every payment; positive for money received."""
        if self.route is Route.ORDERS:
            return tuple((one.part, one.type, one.amount) for one in self.payments)
        return tuple((one.line, one.name, -one.unit) for one in self.entries if one.kind is EntryKind.PAYMENT)

    @property
    def gross_balance(self) -> Decimal:
        """What the order leaves open on its account, or the sum of its bill: predicted gross less payments."""
        return sum((entry.predicted.gross for entry in self.entries), Decimal(0)) - sum(
            (payment.amount for payment in self.payments), Decimal(0)
        )


_NAMES = [field.name for field in fields(PlannedOrder)]
_ENTRIES = _NAMES.index("entries")
_MEMBERS: dict[type[StrEnum], dict[str, Any]] = {
    kind: {one.value: one for one in kind} for kind in (EntryKind, Basis, Verdict, Route)
}
_WORDS = [
    (_NAMES.index(name), _MEMBERS[kind]) for name, kind in (("verdict", Verdict), ("basis", Basis), ("route", Route))
]
_TIMES = (_NAMES.index("consumption"), _NAMES.index("true_consumption"))


def _flat(entry: Entry) -> tuple[Any, ...]:
    booked = entry.predicted
    return (
        entry.line,
        entry.kind.value,
        entry.name,
        entry.count,
        str(entry.unit),
        entry.basis.value,
        entry.codes,
        str(booked.net),
        str(booked.tax),
        str(booked.gross),
        [(code, str(amount)) for code, amount in booked.taxes],
        str(entry.source_amount),
        str(entry.rounding),
        entry.product_id,
        entry.category_id,
        entry.place.file,
        entry.place.sheet,
        entry.place.row,
        entry.rule,
    )


def _entry(line: str, kind: str, name: str, count: int, unit: str, basis: str, codes: tuple[str, ...], net: str,
           tax: str, gross: str, taxes: list[tuple[str, str]], source: str, rounding: str, product_id: str,
           category_id: str, file: str, sheet: str, row: int | None, rule: str) -> Entry:  # fmt: skip
    booked = Booked(
        Decimal(net), Decimal(tax), Decimal(gross), tuple([(code, Decimal(amount)) for code, amount in taxes])
    )
    amounts = (Decimal(source), Decimal(rounding))
    place = Place(file, sheet, row)
    what, taxed = _MEMBERS[EntryKind][kind], _MEMBERS[Basis][basis]
    return Entry(
        line, what, name, count, Decimal(unit), taxed, codes, booked, *amounts, product_id, category_id, place, rule
    )


def _unpacked(values: list[Any]) -> PlannedOrder:
    values[_ENTRIES] = tuple([_entry(*entry) for entry in values[_ENTRIES]])
    for at in _TIMES:
        values[at] = values[at] and datetime.fromisoformat(values[at])
    for at, members in _WORDS:
        values[at] = members[values[at]]
    return PlannedOrder(*values)


def order_payload(order: PlannedOrder, identity: Identity) -> dict[str, Any]:
    """The body of `orders/add` without tokens; amounts as Decimal (JSON numbers when dumped).

    Rule: Mews `orders/add`. ConsumptionUtc is always there (Mews would book it now).
    """
    products: list[dict[str, Any]] = []
    items: list[dict[str, Any]] = []
    stem = identity.stem
    for entry in order.entries:
        identifier = f"{stem}:{entry.line}"
        amount = {
            "Currency": order.currency,
            "TaxCodes": list(entry.codes),
            "GrossValue" if entry.basis is Basis.GROSS else "NetValue": entry.unit,
        }
        if entry.kind is EntryKind.PRODUCT:
            products.append(
                {
                    "ProductId": entry.product_id,
                    "Count": entry.count,
                    "UnitAmount": amount,
                    "ExternalIdentifier": identifier,
                }
            )
        else:
            item = {
                "Name": entry.name,
                "UnitCount": entry.count,
                "UnitAmount": amount,
                "ExternalIdentifier": identifier,
            }
            if entry.category_id:
                item["AccountingCategoryId"] = entry.category_id
            items.append(item)
    if order.consumption is None:
        raise ValueError(f"order {order.number} has no consumption")
    payload: dict[str, Any] = {
        "ServiceId": order.service_id,
        "AccountId": order.account_id,
        "ConsumptionUtc": order.consumption.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Notes": f"{identity.marker} {order.notes}".rstrip(),
        "Options": {"DisableItemGrouping": order.disable_item_grouping},
    }
    if products:
        payload["ProductOrders"] = products
    if items:
        payload["Items"] = items
    if order.enterprise_id:
        payload["EnterpriseId"] = order.enterprise_id
    if order.segment_id:
        payload["BusinessSegmentId"] = order.segment_id
    if order.bill_id:
        payload["BillId"] = order.bill_id
    if order.reservation_id:
        payload["LinkedReservationId"] = order.reservation_id
    return payload


def payment_payload(order: PlannedOrder, payment: PlannedPayment, identity: Identity, basis: Basis) -> dict[str, Any]:
    """The body of `payments/addExternal` without tokens; `basis` is the enterprise's."""
    payload: dict[str, Any] = {
        "AccountId": order.account_id,
        "Amount": {
            "Currency": order.currency,
            "GrossValue" if basis is Basis.GROSS else "NetValue": payment.amount,
        },
        "Type": payment.type,
        "ExternalIdentifier": identity.line(payment.part),
        "Notes": f"{identity.marker} {payment.part}",
    }
    if payment.category_id:
        payload["AccountingCategoryId"] = payment.category_id
    if order.bill_id:
        payload["BillId"] = order.bill_id
    if order.enterprise_id:
        payload["EnterpriseId"] = order.enterprise_id
    return payload


def plan_line(order: PlannedOrder, store: str) -> bytes:
    """The order's part of the plan id: what would be sent, or why not.

    A clamped time enters as the word clamped; nothing of files, clock, ledger or [mews] enters.
    """
    content: list[Any] = [RECIPE_VERSION, order.number, order.verdict.value]
    if order.verdict is Verdict.READY and order.route is Route.OUTLET:
        content += [
            order.route.value,
            Identity(store, order.number).marker,
            order.service_id,
            "" if order.create_customer else order.account_id,
            order.create_customer,
            str(order.consumption),
            order.notes,
            order.currency,
            [_entry_content(entry) for entry in order.entries],
        ]
    elif order.verdict is Verdict.READY:
        # The payload's content in a fixed order, without its names: this is done once for every order of a history.
        content += [
            Identity(store, order.number).marker,
            order.service_id,
            order.enterprise_id,
            # A customer by e-mail enters as that, so that having been made meanwhile is no other plan.
            "" if order.create_customer else order.account_id,
            order.create_customer,
            "clamped" if order.is_clamped else str(order.consumption),
            order.notes,
            order.disable_item_grouping,
            order.currency,
            order.segment_id,
            order.bill_id,
            order.reservation_id,
            [_entry_content(entry) for entry in order.entries],
            [(payment.part, payment.type, payment.amount, payment.category_id) for payment in order.payments],
        ]
    else:
        return held_line(order.number, order.verdict, order.codes, order.skip_reason)
    return canonical_json(content) + b"\n"


def held_line(number: str, verdict: Verdict, codes: Sequence[str], skip_reason: str) -> bytes:
    """As `plan_line`, of an order that is not sent."""
    return canonical_json([RECIPE_VERSION, number, verdict.value, codes, skip_reason]) + b"\n"


def _entry_content(entry: Entry) -> tuple[object, ...]:
    # Amounts have the currency's decimals already, so their text is canonical.
    what = (entry.product_id,) if entry.kind is EntryKind.PRODUCT else (entry.name, entry.category_id)
    return (entry.line, entry.kind, entry.count, str(entry.unit), entry.basis, entry.codes, what)


def plan_id(lines: Iterable[bytes]) -> str:
    """`sha256:` and the hash over the plan lines of all orders by number."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line)
    return "sha256:" + digest.hexdigest()
