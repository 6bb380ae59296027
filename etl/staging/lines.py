"""The cells of a product line to the line, or to a problem for whatever of it can't be read.

The quick way reads a line whose cells hold nothing to remark on; what is left is read cell by cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from operator import itemgetter
from typing import Any, NamedTuple

from etl.model.export import plain
from etl.model.order import Line
from etl.model.place import Place
from etl.reading.options import ReadOptions
from etl.reading.parse import Reader, Readers
from etl.reading.remarks import RemarkedValue
from etl.staging.draft import Draft, canonical_text
from etl.staging.fields import Layout
from etl.staging.spots import Spots
from etl.staging.vocabulary import Vocabulary

LINE_FIELDS = (
    "products.qty",
    "products.unitPrice",
    "products.vatPercent",
    "products.originalPrice",
    "products.sku",
    "products.ean",
    "products.id",
    "products.item",
    "products.itemText.brand",
    "products.itemText.product",
    "products.itemText.variant",
    "products.itemText.size",
    "products.itemText.sku",
    "products.comment",
    "products.lineId",
    "products.isBundle",
    "products.isPartOfBundle",
    "products.variantSku",
    "products.sizeSku",
)
_FOUR, _HALF_A_CENT = Decimal("0.0001"), Decimal("0.005")
_EMPTY = ("",)
_WORDS_KEPT = 20_000


def price_less(price: Decimal, qty: int, discount: Decimal) -> Decimal | None:
    """The unit price of a line after a discount on the whole of it, at four decimals; its sign does not matter.

    None where that price times the quantity would be half a cent off, or the discount is more than the line.
    """
    if not discount or not qty:
        return price if not discount else None
    exact = price * abs(qty) - abs(discount)
    unit = (exact / abs(qty)).quantize(_FOUR, ROUND_HALF_UP)
    return unit if exact >= 0 and abs(unit * abs(qty) - exact) < _HALF_A_CENT else None


class Words(NamedTuple):
    """The texts of a line, read. `is_whole`: it has a key, and nothing of it stands in further columns."""

    key_and_names: tuple[str, str, str, str, str, str, str, str, str, str]
    line_id: str
    is_bundle: bool
    is_whole: bool


class Lines:
    """Reads the lines of one file, in its layout and style."""

    def __init__(self, layout: Layout, readers: Readers, spots: Spots, options: ReadOptions) -> None:
        self._layout = layout
        self._readers = readers
        self._spots = spots
        self._place = spots.place
        self._width = len(layout.line)
        self._known: dict[tuple[str, ...], Words] = {}
        self.columns = {column.field: column for column in reversed(layout.line)}
        slots = {column.field: index + 1 for index, column in reversed(list(enumerate(layout.line)))}
        self.cells_of = itemgetter(*(slots.get(name, 0) for name in LINE_FIELDS))
        self._line_words = [
            (at, words) for at, name in enumerate(LINE_FIELDS) if (words := options.values.get(name)) is not None
        ]
        self._tax_at = slots.get("products.taxTotal"), slots.get("products.taxable")
        self._tells_tax = any(self._tax_at)
        self._discount_at = slots.get("products.lineDiscount", 0)
        self._twins = [
            (slots[column.field], index + 1)
            for index, column in enumerate(layout.line)
            if slots[column.field] != index + 1
        ]

    def read(self, draft: Draft, row: int, cells: tuple[str, ...]) -> Line | None:
        """The line in that row; None where there is none, or where it has no quantity or price (the draft is told)."""
        if len(cells) < self._width:
            cells += _EMPTY * (self._width - len(cells))
        cells = _EMPTY + cells
        if self._twins:
            cells = self._first_of_twins(cells)
        line = self._read(draft, row, cells)
        if line is not None and self._discount_at and cells[self._discount_at].strip():
            line = self._less_discount(draft, row, line, cells[self._discount_at])
        return line if line is None or not self._tells_tax else self._with_tax(draft, row, line, cells)

    def _less_discount(self, draft: Draft, row: int, line: Line, cell: str) -> Line:
        """The line at the price that was paid, where a shop tells the price before a discount, and the discount of the line.

        Other shops write a discount with either sign, as they do those of orders; orderTotal is the control.
        """
        column = self._layout.line[self._discount_at - 1]
        try:
            discount = self._readers.amount[cell]
        except RemarkedValue as odd:
            self._spots.remarked(draft, odd, row, column, cell)
            return line
        price = price_less(line.unit_price, line.qty, discount or Decimal(0))
        if price is None:
            text = f"{line.qty} x {line.unit_price} less {plain(cell)} is no unit price of four decimals."
            hint = "Give the price after the discount in the export, or correct the discount."
            draft.fault("price.decimals", text, line.place.at(column.header), plain(cell), hint)
            return line
        return replace(line, unit_price=price)

    def _with_tax(self, draft: Draft, row: int, line: Line, cells: tuple[str, ...]) -> Line:
        """The line with what a shop tells of its tax instead of a rate."""
        readers: tuple[Reader[Any], ...] = (self._readers.amount, self._readers.bool)
        found: list[Any] = []
        for at, reader in zip(self._tax_at, readers, strict=True):
            cell = cells[at] if at else ""
            try:
                found.append(reader[cell] if cell.strip() else None)
            except RemarkedValue as odd:
                found.append(self._spots.remarked(draft, odd, row, self._layout.line[(at or 1) - 1], cell))
        return replace(line, tax_total=found[0], is_taxable=found[1])

    def _read(self, draft: Draft, row: int, cells: tuple[str, ...]) -> Line | None:
        found = self.cells_of(cells)
        if not any(found):
            return None
        if self._line_words:
            found = _in_centras_words(found, self._line_words)
        read = self._readers
        qty, price, vat, original, *_ = found
        words = found[4:]
        try:
            known = self._known.get(words) or self.words_of(words)
            line = Line(
                read.qty[qty],  # type: ignore[arg-type]
                read.amount[price],  # type: ignore[arg-type]
                read.percent[vat],
                *known.key_and_names,
                read.amount[original],
                known.line_id,
                known.is_bundle,
                "",
                Place(self._place.file, self._place.sheet, row),
            )
        except RemarkedValue:
            return self._read_singly(draft, row, found)
        if line.qty is None or line.unit_price is None or not known.is_whole:
            return self._complete(draft, row, line, found)
        return line

    def words_of(self, words: tuple[str, ...]) -> Words:
        """What a line says besides its numbers; remembered, since a history sells the same few thousand articles."""
        read = self._readers
        text = read.text
        (sku, ean, id_, item, brand, product, variant, size, text_sku, comment,
         line_id, is_bundle, is_part, variant_sku, size_sku) = words  # fmt: skip
        keys = (read.sku[sku], read.ean[ean], read.key[id_], read.key[item])
        names = (text[brand], text[product], text[variant], text[size], read.sku[text_sku], text[comment])
        is_whole = any((*keys, names[4])) and not (variant_sku or size_sku or read.bundle[is_part])
        if len(self._known) >= _WORDS_KEPT:
            self._known.clear()
        known = Words((*keys, *names), text[line_id].strip(), bool(read.bool[is_bundle]), is_whole)
        self._known[words] = known
        return known

    def _first_of_twins(self, cells: tuple[str, ...]) -> tuple[str, ...]:
        merged = list(cells)
        for first, second in self._twins:
            if not merged[first].strip():
                merged[first] = merged[second]
        return tuple(merged)

    def _read_singly(self, draft: Draft, row: int, found: tuple[str, ...]) -> Line | None:
        """The line read cell by cell, with a remark for each cell that has one."""
        values: dict[str, Any] = {}
        before = len(draft.problems)
        is_bad = False
        for name, cell in zip(LINE_FIELDS, found, strict=True):
            column = self.columns.get(name)
            if column is None:
                continue
            try:
                values[name] = self._readers.by_kind[column.kind][cell]
            except RemarkedValue as odd:
                values[name] = self._spots.remarked(draft, odd, row, column, cell)
                is_bad = is_bad or odd.is_error
        get = values.get
        if is_bad:
            # Blocked anyway; what else is missing is told in the same breath.
            self._tell_missing(draft, row, found)
            if get("products.qty") is None or get("products.unitPrice") is None:
                return None
        if not any(cell.strip() for cell in found):
            del draft.problems[before:]
            return None
        line = Line(
            qty=get("products.qty"),  # type: ignore[arg-type]
            unit_price=get("products.unitPrice"),  # type: ignore[arg-type]
            vat_percent=get("products.vatPercent"),
            sku=get("products.sku") or "",
            ean=get("products.ean") or "",
            id=(get("products.id") or "").strip(),
            item=(get("products.item") or "").strip(),
            brand=get("products.itemText.brand") or "",
            product=get("products.itemText.product") or "",
            variant=get("products.itemText.variant") or "",
            size=get("products.itemText.size") or "",
            text_sku=get("products.itemText.sku") or "",
            comment=get("products.comment") or "",
            original_price=get("products.originalPrice"),
            line_id=(get("products.lineId") or "").strip(),
            is_bundle=bool(get("products.isBundle")),
            place=replace(self._place, row=row),
        )
        return line if is_bad else self._complete(draft, row, line, found)

    def _complete(self, draft: Draft, row: int, line: Line, found: tuple[str, ...]) -> Line | None:
        """The line with what stands in several columns, or a fault for what it lacks."""
        if not any(cell.strip() for cell in found):
            return None
        cells = dict(zip(LINE_FIELDS, found, strict=True))
        parts = [
            value_or_none(self._readers.sku, cells[name]) or "" for name in ("products.variantSku", "products.sizeSku")
        ]
        if any(parts):
            line = replace(line, sku=line.sku + "".join(parts))
        if bundle := value_or_none(self._readers.bundle, cells["products.isPartOfBundle"]):
            line = replace(line, bundle=bundle)  # whose it is shows the whole order, never the row before
        if line.qty is None or line.unit_price is None or not line.key:
            self._tell_missing(draft, row, found)
            if line.qty is None or line.unit_price is None:
                return None
        return line

    def _tell_missing(self, draft: Draft, row: int, found: tuple[str, ...]) -> None:
        cells = {name: cell.strip() for name, cell in zip(LINE_FIELDS, found, strict=True)}
        for name in ("products.qty", "products.unitPrice"):
            if not cells[name]:
                draft.fault(
                    "value.missing", f"The product line has no {name.partition('.')[2]}.", self._spots.at(row, name)
                )
        keys = ("products.sku", "products.ean", "products.id", "products.item", "products.itemText.sku",
                "products.variantSku", "products.sizeSku")  # fmt: skip
        # Lines of other shops may have a name only: gift wrapping, a tip, what was made to order.
        is_named = (
            bool(cells["products.itemText.product"]) and "products.itemText.product" in self._layout.renamed.values()
        )
        is_required = self._layout.vocabulary is Vocabulary.CREATE_ORDER and not is_named
        if is_required and not any(cells[name] for name in keys):
            draft.fault(
                "value.missing",
                "The product line has no key.",
                self._spots.at(row, "products.sku"),
                hint="Fill in one of products.sku, products.ean, products.id and products.item.",
            )


def translated(cell: str, words: Mapping[str, str]) -> str:
    """The cell, in Centra's words where values.csv has the whole of it."""
    return words.get(plain(cell).strip(), cell)


def _in_centras_words(cells: tuple[str, ...], words: list[tuple[int, Mapping[str, str]]]) -> tuple[str, ...]:
    changed = list(cells)
    for at, known in words:
        changed[at] = translated(changed[at], known)
    return tuple(changed)


def value_or_none(reader: Reader[Any], cell: str) -> Any:
    """What the cell says; None where that can't be read."""
    try:
        return reader[cell]
    except RemarkedValue as odd:
        return None if odd.is_error else odd.value


def text_reader(reader: Reader[Any]) -> Any:
    """Reads a cell as the one text that all ways to write its value have in common."""

    def text(cell: str) -> str:
        value = reader[cell]
        return "" if value is None else canonical_text(value)

    return text
