"""Notes of orders by the cells that their template names; each combination of these is asked of the rules once. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from etl.columns.cells import ABSENT, clean
from etl.columns.decided import as_json, fields_of
from etl.model.order import Order
from etl.reading.parse import Reader
from etl.staging.lines import text_reader
from etl.staging.plain import PlainTable
from etl.transform.context import Context
from etl.transform.notes import filled, texts_of

NUMBER = "\0"
"""Stands for the number of an order."""
_COUNTRIES = frozenset(("invoiceAddress.country", "deliveryAddress.country"))
_NOTHING = Decimal(0)
_KEPT = 20_000
"""Combinations that are remembered: where a template names a date or a total, every order has its own."""
T = TypeVar("T")
Notes = Sequence[str]
"""Pieces as they stand in a plan line; between two of them stands the number of the order."""


class NotesOf:
    """The notes of the orders of one file. `ats`: where the cells stand that they are made of."""

    def __init__(self, ctx: Context, table: PlainTable) -> None:
        self._template = ctx.mapping.settings.target.notes
        named = {*fields_of(self._template)} - {"orderNumber"}
        if named & _COUNTRIES:
            named.add("address.country")
        self._cells: list[tuple[int, str, Reader[Any], Reader[str]]] = []
        for at, column in enumerate(table.order):
            if column.field in named:
                reader = table.readers.by_kind[column.kind]
                self._cells.append((at, column.field, reader, Reader(text_reader(reader))))
        self.ats = [at for at, *_ in self._cells]
        self._known: dict[tuple[str, ...], Notes | None] = {}

    def of(self, cells: Sequence[str], currency: str, precision: int) -> Notes | None:
        """Those of an order with these order-level cells; None where there is something to say of them."""
        key = (currency, *[cells[at] for at in self.ats])
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = self._made(key[1:], currency, precision)
        return self._known[key]

    def _made(self, cells: Sequence[str], currency: str, precision: int) -> Notes | None:
        values: dict[str, Any] = {}
        texts = {"orderNumber": NUMBER}
        for cell, (_, field, reader, shown) in zip(cells, self._cells, strict=True):
            value = clean(reader, cell) if cell else ""
            if value is ABSENT:
                return None
            text = shown[cell] if cell else ""
            if value.__class__ is str:
                value, text = value.strip(), text.strip()
            if value is not None and value != "":
                values[field] = value
                if text:
                    texts[field] = text
        notes = filled(self._template, texts_of(_order(values, texts), currency, precision))
        return [as_json(piece)[1:-1] for piece in notes.split(NUMBER)]


def _order(values: dict[str, Any], texts: dict[str, str]) -> Order:
    """An order that has these values, as `staging.draft` gives it; no more of it than notes are made of."""
    get = values.get
    anywhere = get("address.country") or ""
    return Order(
        NUMBER,
        order_date=get("orderDate"),
        delivery_date=get("deliveryDate"),
        invoice_country=get("invoiceAddress.country") or anywhere,
        delivery_country=get("deliveryAddress.country") or anywhere,
        shipping=get("shippingValue") or _NOTHING,
        voucher_value=get("voucherValue") or _NOTHING,
        order_total=get("orderTotal"),
        texts=texts,
    )


def between(parts: Sequence[str], number: T) -> Iterator[str | T]:
    """As `join`."""
    yield parts[0]
    for part in parts[1:]:
        yield number
        yield part
