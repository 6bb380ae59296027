"""What an order object nests beyond its lines: discounts, the tax breakdown, payments, and returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from etl.model.export import plain
from etl.model.identity import return_number
from etl.model.order import Line, LocalTime, Order, Payment, TaxBreakdownRow, Voucher
from etl.model.place import Place
from etl.model.problem import Problem, notice
from etl.reading.kinds import Kind
from etl.reading.numbers import symbol_fits
from etl.reading.parse import Reader, Readers
from etl.reading.remarks import RemarkedValue
from etl.staging.draft import Draft
from etl.staging.objects import UNREAD
from etl.staging.parts import ObjectKind

_PRICE_OFF = ("priceOffAsANumber", "priceOffAsNumber", "priceOff")
Headers = Mapping[tuple[ObjectKind, str], str]
"""(ObjectKind, key) -> the file's own name of it."""


@dataclass(slots=True)
class _Scope:
    """Reads the values of one nested record, with remarks under a number and a place."""

    draft: Draft
    readers: Readers
    place: Place
    part: ObjectKind
    headers: Headers
    record: dict[str, Any]

    def read(self, name: str, reader: Reader[Any]) -> Any:
        """The value of a key, or None where there is none or it can't be read (which is told)."""
        cell = self.cell(name)
        if not cell:
            return None
        try:
            return reader[cell]
        except RemarkedValue as odd:
            for remark in odd.remarks:
                self.draft.add(remark, self.at(name), plain(cell))
            currency = self.draft.values.get("currency")
            if odd.symbol and currency and not odd.is_error and not symbol_fits(odd.symbol, currency):
                self.fault(name, f"{plain(cell)!r} is not in the order's currency {currency}.")
            return None if odd.is_error else odd.value

    def cell(self, name: str) -> str:
        """The cell of a key."""
        return str(self.record.get(name, ""))

    def at(self, name: str) -> Place:
        """Where a key stands, in the file's own name of it."""
        own = f"{_NAMES[self.part]}.{name}"
        return self.place.at(self.headers.get((self.part, name), own), own)

    def text(self, name: str) -> str:
        """The trimmed text of a key."""
        return str(self.read(name, self.readers.text) or "").strip()

    def amount(self, name: str) -> Decimal | None:
        """The amount of a key."""
        value = self.read(name, self.readers.amount)
        return None if value is None else Decimal(value)

    def fault(self, name: str, message: str, code: str = "value.invalid") -> None:
        """Notes a fault of a key."""
        self.draft.fault(code, message, self.at(name), plain(self.cell(name)))


_NAMES = {
    ObjectKind.VOUCHER: "discounts",
    ObjectKind.TAX: "taxBreakdown",
    ObjectKind.PAYMENT: "paymentHistory",
    ObjectKind.RETURN: "returns",
    ObjectKind.RETURN_LINE: "returns.products",
}
"""What a part is called where the file does not name a key of it."""


@dataclass(frozen=True, slots=True)
class NestedReader:
    """Reads the nested records of one file."""

    readers: Readers
    headers: Headers

    def read(self, draft: Draft, nested: Mapping[ObjectKind, list[dict[str, Any]]], place: Place) -> None:
        """Adds vouchers, tax breakdown, payments and returns to the draft. Rule: the tables of the contract."""
        draft.vouchers = tuple(
            voucher
            for record in nested.get(ObjectKind.VOUCHER, ())
            if (voucher := _voucher(self._scope(draft, place, ObjectKind.VOUCHER, record)))
        )
        draft.tax_breakdown = tuple(
            row
            for record in nested.get(ObjectKind.TAX, ())
            if (row := _tax_row(self._scope(draft, place, ObjectKind.TAX, record)))
        )
        draft.payments = tuple(
            payment
            for record in nested.get(ObjectKind.PAYMENT, ())
            if (payment := _payment(self._scope(draft, place, ObjectKind.PAYMENT, record)))
        )
        for record in nested.get(ObjectKind.RETURN, ()):
            self.add_return(draft, place.at("returns"), record)

    def add_return(self, draft: Draft, place: Place, record: dict[str, Any]) -> None:
        """Adds a return of the draft's order; one met again must say the same."""
        child = self._return(draft, place, record)
        if child is not None:
            _add_return(draft, child)

    def _scope(self, draft: Draft, place: Place, part: ObjectKind, record: dict[str, Any]) -> _Scope:
        return _Scope(draft, self.readers, place, part, self.headers, record)

    def _return(self, draft: Draft, place: Place, record: dict[str, Any]) -> Order | None:
        """A return as an order: quantities negative, what is paid back negative, the cost kept positive."""
        own = Draft(draft.number, place)
        own.values = draft.values
        scope = self._scope(own, place, ObjectKind.RETURN, record)
        identifier = scope.read("returnId", self.readers.id)
        if not identifier:
            draft.problems.extend(own.problems)
            draft.fault("value.missing", "A return of the order has no readable returnId.", scope.at("returnId"))
            return None
        number = return_number(draft.number, str(identifier).lstrip("0") or "0")
        own.number = number
        own.problems = [replace(problem, order=number) for problem in own.problems]
        for unread in record.get(UNREAD, ()):
            own.fault("order.incomplete", f"The return holds {unread}, which was not read.", place.at(unread.path))
        currency = _check_currency(scope, draft)
        voucher = scope.amount("voucherValue") or Decimal(0)
        # The part of a voucher that comes back is of the kind that was given, where the order had one.
        given = draft.vouchers[0] if voucher and len(draft.vouchers) == 1 else None
        lines = [self._return_line(draft, own, place, product) for product in record.get("products", ())]
        return Order(
            number=number,
            place=place,
            order_date=_date(scope),
            currency=currency,
            lines=tuple(line for line in lines if line),
            shipping=_given_back(scope, "shippingCost"),
            handling=_given_back(scope, "handlingCost"),
            return_cost=scope.amount("returnCost") or Decimal(0),
            voucher_value=-abs(voucher) if voucher else Decimal(0),
            voucher_code=given.code if given else "",
            vouchers=(replace(given, value=-abs(voucher)),) if given else (),
            is_return=True,
            is_complete=_is_complete(scope),
            origin_type="return",
            origin_id=draft.number,
            parent=draft.number,
            problems=tuple(own.problems),
            rows=0,
        )

    def _return_line(self, draft: Draft, own: Draft, place: Place, record: dict[str, Any]) -> Line | None:
        scope = self._scope(own, place, ObjectKind.RETURN_LINE, record)
        for unread in record.get(UNREAD, ()):
            own.fault("order.incomplete", f"The return holds {unread}, which was not read.", place.at(unread.path))
        identifier = scope.text("orderLineId")
        original = next((line for line in draft.lines if identifier and line.line_id == identifier), None)
        quantity = scope.read("quantity", scope.readers.qty)
        price = scope.amount("price")
        _check_currency(scope, draft)
        if original is None and draft.is_orphan:
            original = _unknown_line(scope, identifier)
        if original is None:
            scope.fault(
                "orderLineId", f"The return names line {identifier!r}, which the order {draft.number} does not have."
            )
            return None
        if quantity is None:
            if not scope.cell("quantity"):
                scope.fault("quantity", "The returned line has no quantity.", "value.missing")
            return None
        if price is None:
            if scope.cell("price"):
                return None
            price = original.unit_price
        if quantity < 0:
            text = f"The return says a quantity of {quantity}; {-quantity} are taken back."
            own.tell("quantity.negative", text, scope.at("quantity"), plain(scope.cell("quantity")))
        return replace(original, qty=-abs(int(quantity)), unit_price=price, place=scope.place, comment="")


def _voucher(scope: _Scope) -> Voucher | None:
    if not scope.record:
        return None
    name = next((key for key in _PRICE_OFF if scope.cell(key).strip()), "")
    if not name:
        scope.fault(_PRICE_OFF[0], "The discount says no amount.", "value.missing")
        return None
    value = scope.amount(name)
    if value is None:
        return None
    kind = scope.text("type").casefold()
    credit = bool(scope.read("isCredit", scope.readers.bool)) or "credit" in kind or "gift" in kind
    return Voucher(scope.text("voucher"), abs(value), scope.text("name"), credit)


def _tax_row(scope: _Scope) -> TaxBreakdownRow | None:
    percent = scope.read("taxPercent", scope.readers.percent)
    value = scope.amount("value")
    if percent is None or value is None:
        return None
    return TaxBreakdownRow(percent, value, scope.text("description"))


_PAYMENT_WORDS = {"success": "success", "succeeded": "success", "captured": "success", "authorized": "success",
                  "pending": "pending", "failed": "failed", "rejected": "failed", "cancelled": "failed"}  # fmt: skip


_TAKEN = {"capture": 1, "capture_gift_card": 1, "refund": -1, "refund_gift_card": -1}
"""Types of entries that are money -> its sign. What is asked for, waits or failed has entries of its own beside them."""


def _payment(scope: _Scope) -> Payment | None:
    """An entry of the payment history; only captures and refunds count as paid, and only where their status says so."""
    if not scope.record:
        return None
    amount = scope.amount("value")
    word = scope.text("status").casefold()
    status = _PAYMENT_WORDS.get(word)
    if status is None and amount is not None:
        scope.fault("status", f"{word!r} is no payment status." if word else "The payment has no status.")
    kind = scope.text("entryType").casefold()
    sign = _TAKEN.get(kind, 0)
    if sign < 0 and amount is not None:
        amount = -abs(amount)
    entry = "capture" if sign else kind or "entry"
    method = scope.text("method") or str(scope.draft.values.get("payment.method") or "")
    return Payment(method, status or "", amount, scope.text("externalReference"), entry)


def _check_currency(scope: _Scope, draft: Draft) -> str:
    """The currency that a return, or an amount of it, names: it has to be the order's."""
    named = scope.read("currency", scope.readers.by_kind[Kind.CURRENCY])
    known = draft.values.get("currency")
    if named and known and named != known:
        scope.fault(
            "currency",
            f"The {scope.part.value}'s currency {named} is not the currency of its order, {known}.",
            "order.conflict",
        )
    return str(named or known or "")


def _date(scope: _Scope) -> LocalTime | None:
    name = "date" if scope.cell("date").strip() else "created"
    found: LocalTime | None = scope.read(name, scope.readers.date)
    return found


def _given_back(scope: _Scope, name: str) -> Decimal:
    amount = scope.amount(name) or Decimal(0)
    return -amount if amount else Decimal(0)


def _is_complete(scope: _Scope) -> bool:
    if scope.cell("completed"):
        return bool(scope.read("completed", scope.readers.bool))
    return scope.text("status").casefold() in {"completed", "complete"}


def _unknown_line(scope: _Scope, identifier: str) -> Line:
    """A returned line of an order that is not in the batch, as far as the return describes it."""
    sku = "".join(scope.text(name) for name in ("sku", "variantSku", "sizeSku"))
    return Line(
        0,
        Decimal(0),
        scope.read("taxPercent", scope.readers.percent),
        sku=sku,
        ean=scope.text("ean") or scope.text("upc"),
        product=scope.text("productName"),
        brand=scope.text("productBrand"),
        variant=scope.text("variantName"),
        size=scope.text("size"),
        line_id=identifier,
    )


def _add_return(draft: Draft, child: Order) -> None:
    """Adds a return once; a second one of its number must say the same."""
    at = next((index for index, known in enumerate(draft.returns) if known.number == child.number), None)
    if at is None:
        draft.returns.append(child)
        return
    known = draft.returns[at]
    if same_return(known, child):
        known = replace(known, problems=(*known.problems, *_told_overlap(known, child)))
    else:
        problem = Problem(
            "order.overlap",
            child.number,
            child.place,
            "",
            f"The return stands in {known.place} and {child.place} with different content.",
        )
        known = replace(known, problems=(*known.problems, problem))
    draft.returns[at] = known


def _told_overlap(known: Order, child: Order) -> tuple[Problem, ...]:
    if any(problem.code == "file.overlap" for problem in known.problems):
        return ()
    text = f"The return stands in {known.place} and {child.place}; it was taken once."
    return (notice("file.overlap", text, order=child.number, place=child.place),)


def same_return(first: Order, second: Order) -> bool:
    """Whether two copies of a return say the same."""
    return _bare(first) == _bare(second)


def _bare(order: Order) -> Order:
    lines = tuple(replace(line, place=Place()) for line in order.lines)
    return replace(order, lines=lines, place=Place(), problems=(), texts={})
