"""An order under construction: the values of its columns, its lines, and everything there is to say about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import time
from decimal import Decimal
from typing import Any

from etl.model.order import Line, LocalTime, Order, Payment, TaxBreakdownRow, TaxMode, Voucher
from etl.model.place import Place
from etl.model.problem import Problem, Severity
from etl.reading.remarks import Remark
from etl.staging.fields import Column


@dataclass(slots=True)
class Source:
    """Where a value of the order came from."""

    row: int
    column: Column


@dataclass(slots=True)
class Draft:
    """One copy of an order, from one file or one JSON object.

    `values` holds the parsed order-level fields that are not empty, `sources` where each was found,
    `texts` their canonical text. `returns` are the parsed returns nested in the order.
    """

    number: str
    place: Place
    values: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    vouchers: tuple[Voucher, ...] = ()
    tax_breakdown: tuple[TaxBreakdownRow, ...] = ()
    returns: list[Order] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    payments: tuple[Payment, ...] = ()
    rows: int = 0
    is_orphan: bool = False
    """Whether only returns of the order are in the batch."""
    told: set[tuple[str, str]] = field(default_factory=set)
    symbols: list[tuple[str, Place, str]] = field(default_factory=list)
    currencies: list[tuple[Place, str]] = field(default_factory=list)
    """What amounts say of their currency beside their value: where, and the cell."""
    stated: list[tuple[int, str]] = field(default_factory=list)
    """(which of `lines`, what the file says that it comes to)."""
    further: list[tuple[int, str, str, str]] = field(default_factory=list)
    """Rows that hold more lines than one: (row, column, what it shows, what is wrong)."""
    proved: dict[str, Decimal] = field(default_factory=dict)
    """Rates of shipping and fee that the order's taxes prove, by the field that would have told them."""

    def add(self, remark: Remark, place: Place, value: str = "") -> None:
        """Notes a remark about a cell; a notice only once for each column."""
        if remark.severity is Severity.NOTICE:
            key = (remark.code, place.column)
            if key in self.told:
                return
            self.told.add(key)
        self.problems.append(
            Problem(remark.code, self.number, place, value[:300], remark.message, remark.hint, remark.severity)
        )

    def fault(self, code: str, message: str, place: Place, value: str = "", hint: str = "") -> None:
        """Notes a fault that blocks the order."""
        self.problems.append(Problem(code, self.number, place, value[:300], message, hint))

    def tell(self, code: str, message: str, place: Place, value: str = "") -> None:
        """Notes something that blocks nothing."""
        self.problems.append(Problem(code, self.number, place, value[:300], message, "", Severity.NOTICE))

    @property
    def voucher_value(self) -> Decimal:
        """What the vouchers take off in all; positive reduces the order."""
        given = self.values.get("voucherValue")
        if given is not None:
            return Decimal(given)
        return sum((voucher.value for voucher in self.vouchers), Decimal(0))

    def foots(self, lines: list[Line], precision: int) -> bool:
        """Whether these lines, with shipping, fees and voucher, add up to orderTotal, as it is or with tax on top.

        Of a bundle and its contents either may be charged.
        """
        total = self.values.get("orderTotal")
        if total is None:
            return False
        beside = sum((self.values.get(name) or Decimal(0) for name in ("shippingValue", "handlingCost")), Decimal(0))
        beside -= self.voucher_value
        cent = Decimal(1).scaleb(-precision)
        return any(
            abs(_total(charged) + beside - total) <= cent / 2
            or abs(_taxed(charged, beside) - total) <= cent * (len(charged) + 1) / 2
            for charged in _charged(lines)
        )

    def finish(self) -> list[Order]:
        """The order and its nested returns."""
        order = _order(self)
        if self.is_orphan:
            return [_as_orphan(child) for child in self.returns]
        return [order, *(_as_child(order, child) for child in _not_beyond(order, self.returns))]


def _not_beyond(order: Order, returns: Sequence[Order]) -> Iterator[Order]:
    """The returns; one that takes back more of a line than was sold, with the returns before it, blocks."""
    left: Counter[str] = Counter()
    for line in order.lines:
        left[line.line_id] += line.qty
    for child in returns:
        for line in child.lines if child.is_complete else ():
            had = left[line.line_id]
            left[line.line_id] += line.qty
            if line.line_id and left[line.line_id] < 0:
                text = (
                    f"The return takes back {-line.qty} of line {line.line_id}, "
                    f"of which {had} were sold and not returned before."
                )
                place = line.place.at("returns.products.quantity")
                fault = Problem("value.invalid", child.number, place, str(-line.qty), text)
                child = replace(child, problems=(*child.problems, fault))  # noqa: PLW2901
        yield child


def _charged(lines: list[Line]) -> Iterator[list[Line]]:
    yield lines
    if any(line.is_bundle or line.bundle for line in lines):
        yield [line for line in lines if not line.bundle]
        yield [line for line in lines if not line.is_bundle]


def _total(lines: list[Line]) -> Decimal:
    return sum((line.total for line in lines), Decimal(0))


def _taxed(lines: list[Line], beside: Decimal) -> Decimal:
    """With tax on top, what stands beside the goods shared over them."""
    goods = _total(lines)
    tax = sum((line.total * (line.vat_percent or 0) / 100 for line in lines), Decimal(0))
    return (goods + tax) * (1 + beside / goods) if goods else beside


_FLAGS = ("hold", "waitingForPayment", "suspect")


def _order(draft: Draft) -> Order:
    get = draft.values.get
    codes = [voucher.code for voucher in draft.vouchers if voucher.code]
    first, last = names_of(draft.values)
    return Order(
        number=draft.number,
        place=draft.place,
        order_date=get("orderDate"),
        delivery_date=get("deliveryDate"),
        status=get("status") or "",
        flags=tuple(flag for flag in _FLAGS if get(flag)),
        internal=bool(get("internalOrder")),
        store_type=get("storeType") or "",
        currency=get("currency") or "",
        market=get("market") or "",
        email=get("invoiceAddress.email") or get("address.email") or "",
        customer_id=get("customerId") or "",
        account_id=get("accountId") or "",
        buyer_id=get("buyerId") or "",
        first_name=first,
        last_name=last,
        phone=phone_of(draft.values),
        invoice_country=get("invoiceAddress.country") or get("address.country") or "",
        delivery_country=get("deliveryAddress.country") or get("address.country") or "",
        lines=tuple(draft.lines),
        shipping=get("shippingValue") or Decimal(0),
        handling=get("handlingCost") or Decimal(0),
        voucher_code=get("voucherCode") or min(codes, default=""),
        voucher_value=draft.voucher_value,
        vouchers=draft.vouchers,
        order_total=get("orderTotal"),
        tax_total=get("taxTotal"),
        shipping_percent=get("shippingVatPercent", draft.proved.get("shippingVatPercent")),
        handling_percent=get("handlingVatPercent", draft.proved.get("handlingVatPercent")),
        tax_mode=_tax_mode(draft),
        tax_breakdown=draft.tax_breakdown,
        is_return=get("createdFromOrigin.type") == "return",
        origin_type=get("createdFromOrigin.type") or "",
        origin_id=get("createdFromOrigin.id") or "",
        payments=draft.payments or _payments(draft),
        texts=draft.texts,
        problems=tuple(draft.problems),
        rows=draft.rows,
    )


ADDRESSES = ("invoiceAddress", "address", "deliveryAddress")
"""Whose fields tell who a person is, in this order."""
PERSON = ("firstName", "lastName", "name", "tele", "cell")
"""The fields of an address that do."""


def names_of(values: Mapping[str, Any]) -> tuple[str, str]:
    """First and last name of the person of an order, by the values of its fields."""
    first, last = _first(values, "firstName"), _first(values, "lastName")
    if first or last:
        return first.strip(), last.strip()
    head, _, tail = _first(values, "name").strip().rpartition(" ")
    return head.strip(), tail


def phone_of(values: Mapping[str, Any]) -> str:
    """Their telephone."""
    return _first(values, "tele", "cell")


def _first(values: Mapping[str, Any], *names: str) -> str:
    paths = (f"{side}.{name}" for name in names for side in ADDRESSES)
    return next((str(values[path]) for path in paths if values.get(path)), "")


def _tax_mode(draft: Draft) -> TaxMode | None:
    if draft.values.get("taxDeducted"):
        return TaxMode.DEDUCTED
    return TaxMode.ADDED if draft.values.get("taxAdded") else None


def _payments(draft: Draft) -> tuple[Payment, ...]:
    get = draft.values.get
    payments = []
    for kind in ("auth", "capture"):
        status, amount, transaction = (get(f"payment.{kind}.{name}") for name in ("status", "amount", "transaction"))
        if status or amount is not None or transaction:
            method = get(f"payment.{kind}.method") or get("payment.method") or get("payment.type") or ""
            payments.append(Payment(method, status or "", amount, transaction or "", kind))
    if not payments and (get("payment.reference") or get("payment.type") or get("payment.plugin")):
        method = get("payment.method") or get("payment.type") or get("payment.plugin") or ""
        payments.append(Payment(method, transaction=get("payment.reference") or "", kind="reference"))
    return tuple(payments)


def _as_child(order: Order, child: Order) -> Order:
    """A nested return with what it takes over from its order."""
    faults: tuple[Problem, ...] = ()
    if not order.is_readable:
        faults = (
            Problem(
                "return.parent",
                child.number,
                child.place,
                order.number,
                f"The order {order.number}, which this return belongs to, can't be read.",
            ),
        )
    return replace(
        child,
        status=order.status,
        flags=order.flags,
        internal=order.internal,
        store_type=order.store_type,
        currency=order.currency or child.currency,
        market=order.market,
        email=order.email,
        customer_id=order.customer_id,
        account_id=order.account_id,
        buyer_id=order.buyer_id,
        first_name=order.first_name,
        last_name=order.last_name,
        phone=order.phone,
        invoice_country=order.invoice_country,
        delivery_country=order.delivery_country,
        tax_mode=order.tax_mode,
        texts=_child_texts(order, child),
        problems=(*child.problems, *faults),
    )


def _as_orphan(child: Order) -> Order:
    """A return whose order is not in the batch: what it says itself, blocked."""
    problem = Problem(
        "return.parent",
        child.number,
        child.place.at("orderId"),
        child.parent,
        f"The order {child.parent}, which this return belongs to, is in none of the files.",
        "Name the file that holds the order beside this one.",
    )
    return replace(child, problems=(*child.problems, problem))


_OWN_TO_ORDER = ("orderTotal", "handlingCost", "voucherCode", "deliveryDate", "cancelDate", "taxTotal")


def _child_texts(order: Order, child: Order) -> dict[str, str]:
    """The order's texts, with what is different for the return."""
    texts = {name: text for name, text in order.texts.items() if name not in _OWN_TO_ORDER}
    own = {
        "orderNumber": child.number,
        "orderDate": canonical_text(child.order_date) if child.order_date else "",
        "shippingValue": canonical_text(child.shipping),
        "voucherValue": canonical_text(child.voucher_value),
        **({"handlingCost": canonical_text(child.handling)} if child.handling else {}),
        "createdFromOrigin.type": child.origin_type,
        "createdFromOrigin.id": child.origin_id,
    }
    return texts | own


def same_value(first: Any, second: Any) -> bool:
    """Whether two parsed values of a field say the same."""
    if isinstance(first, str) and isinstance(second, str):
        return first.strip() == second.strip()
    if isinstance(first, LocalTime) and isinstance(second, LocalTime):
        return first.wall == second.wall
    return bool(first == second)


def canonical_text(value: Any) -> str:
    """The text of a parsed value, the same whatever the export's style."""
    match value:
        case str():
            return value
        case bool():
            return "1" if value else "0"
        case Decimal():
            exponent = value.normalize().as_tuple().exponent
            return f"{value:.{max(2, -exponent if isinstance(exponent, int) else 0)}f}"
        case LocalTime():
            # Workbooks do not tell a date from its midnight, so no format does.
            return str(value) if value.wall.time() != time.min else value.wall.date().isoformat()
        case _:
            return str(value)
