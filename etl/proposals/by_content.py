"""Fields that cells tell without a telling header: currencies, countries, goods and their keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from etl.model.export import plain
from etl.proposals.countries import country_names, plain_name
from etl.proposals.names import fields_named
from etl.proposals.sheet import Sheet
from etl.reading.codes import countries, currencies

COMPACT = "YYYYMMDD"
"""How dates are written that only look like numbers, as `source.date_format` takes it."""
_COMPACT_DATE = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")


def words_in(sheet: Sheet, header: str) -> set[str]:
    """The different texts of a column."""
    return {plain(cell).strip() for cell in sheet.cells(header) if cell.strip()}


def _is_unnamed(sheet: Sheet, header: str) -> bool:
    return not fields_named(header) and sheet.profiles[header].filled * 2 >= len(sheet.groups)


def _looks_like_currencies(sheet: Sheet, header: str) -> bool:
    return _is_unnamed(sheet, header) and all(word in currencies() for word in words_in(sheet, header))


def _looks_like_countries(sheet: Sheet, header: str) -> bool:
    words = {word for word in words_in(sheet, header) if word not in countries()}
    return _is_unnamed(sheet, header) and all(plain_name(word) in country_names() for word in words)


def _looks_like_goods(sheet: Sheet, header: str) -> bool:
    one = sheet.profiles[header]
    return (
        _is_unnamed(sheet, header) and not sheet.is_of_order(header) and one.spaced * 2 > one.filled > one.numbers * 2
    )


def _looks_like_keys(sheet: Sheet, header: str) -> bool:
    """Keys of goods: lines have them, without blanks, and the same ones come again."""
    one = sheet.profiles[header]
    is_text = not one.spaced and one.numbers < one.filled and not one.dates
    return _is_unnamed(sheet, header) and not sheet.is_of_order(header) and is_text and one.distinct < one.filled


BY_CONTENT: dict[str, Callable[[Sheet, str], bool]] = {
    "orderDate": _is_unnamed,
    "currency": _looks_like_currencies,
    "address.country": _looks_like_countries,
    "invoiceAddress.email": _is_unnamed,
    "products.itemText.product": _looks_like_goods,
    "products.sku": _looks_like_keys,
}
"""Fields that cells tell without a header, where one column alone looks so; its kind is asked by `_may_be`."""


def compact_dates(sheet: Sheet, taken: Mapping[str, str]) -> str:
    """The column named as the order's date whose cells are dates without marks, 20101201; "" for none."""
    for header in sheet.profiles:
        words = words_in(sheet, header) if header not in taken and "orderDate" in fields_named(header) else set()
        if words and all(_COMPACT_DATE.fullmatch(word) for word in words) and sheet.is_of_order(header):
            return header
    return ""
