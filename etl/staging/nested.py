"""What get-orders nests in an order beyond its lines: discounts, the tax breakdown, and returns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from etl.model.export import BROKEN, plain
from etl.model.order import Line, LocalTime, Order, TaxBreakdownRow, Voucher
from etl.model.place import Place
from etl.model.problem import Problem
from etl.reading.numbers import symbol_fits
from etl.reading.parse import Reader, Readers
from etl.reading.remarks import Odd
from etl.staging.draft import Draft
from etl.staging.objects import elements

_PRICE_OFF = ("priceOffAsANumber", "priceOffAsNumber", "priceOff")


@dataclass(slots=True)
class _Scope:
    """Reads the values of one nested object, with remarks under a number and a place."""

    draft: Draft
    readers: Readers
    place: Place
    path: str
    record: dict[str, Any]

    def read(self, name: str, reader: Reader[Any]) -> Any:
        """The value of a key, or None where there is none or it can't be read (which is told)."""
        cell = self.cell(name)
        if not cell:
            return None
        place = self.place.at(f"{self.path}.{name}")
        try:
            return reader[cell]
        except Odd as odd:
            for remark in odd.remarks:
                self.draft.add(remark, place, plain(cell))
            currency = self.draft.values.get("currency")
            if odd.symbol and currency and not odd.is_error and not symbol_fits(odd.symbol, currency):
                self.fault(name, f"{plain(cell)!r} is not in the order's currency {currency}.")
            return None if odd.is_error else odd.value

    def cell(self, name: str) -> str:
        """The cell of a key."""
        value = self.record.get(name)
        if isinstance(value, str):
            return value
        return f"{BROKEN}{str(value)[:80]}" if value else ""

    def text(self, name: str) -> str:
        """The trimmed text of a key."""
        return str(self.read(name, self.readers.text) or "").strip()

    def amount(self, name: str) -> Decimal | None:
        """The amount of a key."""
        value = self.read(name, self.readers.amount)
        return None if value is None else Decimal(value)

    def fault(self, name: str, message: str, code: str = "value.invalid") -> None:
        """Notes a fault of a key."""
        self.draft.fault(code, message, self.place.at(f"{self.path}.{name}"), plain(self.cell(name)))


def read_nested(draft: Draft, nested: dict[str, Any], readers: Readers, place: Place) -> None:
    """Adds vouchers, tax breakdown and returns to the draft. Rule: the get-orders table of the contract."""
    discounts = nested.get("discounts")
    if isinstance(discounts, dict):
        draft.vouchers = tuple(
            voucher
            for part in ("vouchers", "automaticDiscounts")
            for record in elements(discounts.get(part))
            if (voucher := _voucher(_scope(draft, readers, place, f"discounts.{part}", record)))
        )
    draft.tax_breakdown = tuple(
        row
        for record in elements(nested.get("taxBreakdown"))
        if (row := _tax_row(_scope(draft, readers, place, "taxBreakdown", record)))
    )
    for record in elements(nested.get("returns")):
        child = _return(draft, readers, place, record)
        if child is not None:
            _add_return(draft, child)


def _scope(draft: Draft, readers: Readers, place: Place, path: str, record: Any) -> _Scope:
    if isinstance(record, dict):
        return _Scope(draft, readers, place, path, record)
    draft.fault("value.invalid", f"{plain(str(record))[:80]!r} is no object of {path}.", place.at(path))
    return _Scope(draft, readers, place, path, {})


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
    credit = bool(scope.read("isCredit", scope.readers.bool))
    return Voucher(scope.text("voucher"), abs(value), scope.text("name"), credit)


def _tax_row(scope: _Scope) -> TaxBreakdownRow | None:
    percent = scope.read("taxPercent", scope.readers.percent)
    value = scope.amount("value")
    if percent is None or value is None:
        return None
    return TaxBreakdownRow(percent, value, scope.text("description"))


def _return(draft: Draft, readers: Readers, place: Place, record: Any) -> Order | None:
    """A nested return as an order: quantities negative, what is paid back negative, the cost kept positive."""
    own = Draft(draft.number, place.at("returns"))
    own.values = draft.values
    scope = _scope(own, readers, place, "returns", record)
    identifier = scope.read("returnId", readers.id)
    if not identifier:
        draft.problems.extend(own.problems)
        draft.fault("value.missing", "A return of the order has no readable returnId.", place.at("returns.returnId"))
        return None
    number = f"{draft.number}-R{str(identifier).lstrip('0') or '0'}"
    own.number = number
    own.problems = [replace(problem, order=number) for problem in own.problems]
    completed = scope.read("completed", readers.bool)
    date: LocalTime | None = scope.read("date", readers.date)
    voucher = scope.amount("voucherValue") or Decimal(0)
    # The part of a voucher that comes back is of the kind that was given, where the order had one.
    given = draft.vouchers[0] if voucher and len(draft.vouchers) == 1 else None
    shipping = scope.amount("shippingCost") or Decimal(0)
    cost = scope.amount("returnCost") or Decimal(0)
    lines = [
        line
        for product in elements(scope.record.get("products"))
        if (line := _return_line(draft, _scope(own, readers, place, "returns.products", product)))
    ]
    return Order(
        number=number,
        place=place.at("returns"),
        order_date=date,
        lines=tuple(lines),
        shipping=-shipping if shipping else Decimal(0),
        return_cost=cost,
        voucher_value=-abs(voucher) if voucher else Decimal(0),
        voucher_code=given.code if given else "",
        vouchers=(replace(given, value=-abs(voucher)),) if given else (),
        is_return=True,
        is_complete=bool(completed),
        origin_type="return",
        origin_id=draft.number,
        parent=draft.number,
        problems=tuple(own.problems),
        rows=0,
    )


def _return_line(draft: Draft, scope: _Scope) -> Line | None:
    if not scope.record:
        return None
    identifier = scope.text("orderLineId")
    original = next((line for line in draft.lines if identifier and line.line_id == identifier), None)
    quantity = scope.read("quantity", scope.readers.qty)
    price = scope.amount("price")
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
    return replace(original, qty=-abs(int(quantity)), unit_price=price, place=scope.place, comment="")


def _add_return(draft: Draft, child: Order) -> None:
    """Adds a return once; a second one of its number must say the same."""
    at = next((index for index, known in enumerate(draft.returns) if known.number == child.number), None)
    if at is None:
        draft.returns.append(child)
    elif not same_return(draft.returns[at], child):
        problem = Problem(
            "order.overlap",
            child.number,
            child.place,
            "",
            f"The order holds two different returns with the number {child.number}.",
        )
        draft.returns[at] = replace(draft.returns[at], problems=(*draft.returns[at].problems, problem))


def same_return(first: Order, second: Order) -> bool:
    """Whether two copies of a return say the same."""
    return _bare(first) == _bare(second)


def _bare(order: Order) -> Order:
    lines = tuple(replace(line, place=Place()) for line in order.lines)
    return replace(order, lines=lines, place=Place(), problems=(), texts={})
