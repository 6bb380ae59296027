"""Cells to values: one parser for each kind of field, each with what it has to remark.

A clean cell is worked out once and then looked up; whatever there is to say comes as `RemarkedValue`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Generic, TypeVar

from etl.model.export import BROKEN, DATE, NUMBER, plain
from etl.model.order import LocalTime
from etl.reading.codes import parse_country, parse_currency
from etl.reading.dates import Dates
from etl.reading.kinds import Kind
from etl.reading.numbers import parse_amount, parse_either_sign, parse_percent, parse_qty, parse_switch
from etl.reading.options import DEFAULT, ReadOptions
from etl.reading.order_numbers import OrderNumbers
from etl.reading.remarks import Remark, RemarkedValue, bad, noted
from etl.reading.shown import Role, role_of, taken
from etl.reading.style import NumberStyle, Style
from etl.reading.texts import bare, is_nothing, parse_ean, parse_email, parse_id, parse_key, parse_sku, parse_text

T = TypeVar("T")

ORDER_STATUSES = (
    "Pending", "Confirmed", "Processing", "Completed", "Archived", "Cancelled", "Incomplete", "Failed",
)  # fmt: skip
_STATUS_NUMBERS = ("Incomplete", "Pending", "Confirmed", "Processing", "Completed", "Archived", "Cancelled")
PAYMENT_STATUSES = {"0": "pending", "1": "success", "2": "failed"}
_MEMO = 30_000
"""Cells that are remembered of each kind, some 200 bytes each: what goes by order soon has more than any memory."""
_FORMATTED = (NUMBER, DATE, BROKEN)


class Reader(dict[str, T], Generic[T]):
    """Cell -> value; a cell met for the first time is parsed. Raises RemarkedValue on lookup, each time anew."""

    def __init__(self, parse: Callable[[str], T]) -> None:
        super().__init__()
        self._parse = parse
        self.role: Role | None = None
        """What the field takes of a workbook's cell whose format shows something else than it holds."""

    def __missing__(self, cell: str) -> T:
        value = self._read(cell)
        if len(self) > _MEMO:
            self.clear()
        self[cell] = value
        return value

    def _read(self, cell: str) -> T:
        if self.role is None or cell[:1] not in _FORMATTED or not cell:
            return self._parse(cell)
        given, remarks = taken(cell, self.role)
        try:
            value = self._parse(given)
        except RemarkedValue as odd:
            raise RemarkedValue(odd.value, [*remarks, *odd.remarks], odd.symbol) from odd
        if remarks:
            raise RemarkedValue(value, remarks)
        return value


class Readers:
    """The parsers for one file, in its style and as `options` say."""

    def __init__(self, style: Style, options: ReadOptions = DEFAULT) -> None:
        dates = Dates(style.day_first, options)
        self.empty_words = options.empty_words
        self.amount: Reader[Decimal | None] = self._reader(lambda cell: parse_amount(cell, style.numbers))
        self.voucher: Reader[Decimal | None] = self._reader(lambda cell: parse_either_sign(cell, style.numbers))
        self.percent: Reader[Decimal | None] = self._reader(lambda cell: parse_percent(cell, style.numbers))
        self.qty: Reader[int | None] = self._reader(lambda cell: parse_qty(cell, style.numbers))
        self.switch: Reader[bool] = self._reader(lambda cell: parse_switch(cell, style.numbers))
        self.date: Reader[LocalTime | None] = self._reader(dates.read)
        self.text: Reader[str] = self._reader(parse_text)
        self.bool: Reader[bool] = self._reader(parse_bool)
        self.bundle: Reader[str] = self._reader(parse_bundle)
        # Words for nothing are never an empty key: two orders without one would be taken for each other.
        self.key: Reader[str] = Reader(parse_key)
        self.sku: Reader[str] = Reader(parse_sku)
        self.ean: Reader[str] = Reader(parse_ean)
        self.id: Reader[str] = Reader(parse_id)
        self.by_kind: dict[Kind, Reader[Any]] = {
            Kind.AMOUNT: self.amount,
            Kind.VOUCHER: self.voucher,
            Kind.PERCENT: self.percent,
            Kind.QTY: self.qty,
            Kind.SWITCH: self.switch,
            Kind.DATE: self.date,
            Kind.TEXT: self.text,
            Kind.KEY: self.key,
            Kind.SKU: self.sku,
            Kind.EAN: self.ean,
            Kind.ID: self.id,
            Kind.BOOL: self.bool,
            Kind.BUNDLE: self.bundle,
            Kind.ORDER_NUMBER: Reader(lambda cell: OrderNumbers(options.order_number).read(cell) or ""),
            Kind.COUNTRY: self._reader(parse_country),
            Kind.CURRENCY: self._reader(parse_currency),
            Kind.STATUS: self._reader(parse_status),
            Kind.STATUS_NUMBER: self._reader(parse_status_number),
            Kind.STORE: self._reader(parse_store),
            Kind.ORIGIN: self._reader(lambda cell: parse_listed(cell, ("return", "order", "plugin"), "an origin type")),
            Kind.EMAIL: self._reader(parse_email),
            Kind.PAYMENT_STATUS: self._reader(parse_payment_status),
        }
        for kind, reader in self.by_kind.items():
            reader.role = None if kind is Kind.ORDER_NUMBER else role_of(kind)

    def _reader(self, parse: Callable[[str], T]) -> Reader[T]:
        """A reader to which the words of `source.empty_words` are empty cells."""
        empty = self.empty_words
        if not empty:
            return Reader(parse)
        return Reader(lambda cell: parse("" if plain(cell).strip() in empty else cell))


def number_remark(cell: str) -> Remark | None:
    """What was taken from an order number's cell beyond blanks, zeros and its prefix."""
    seen = plain(cell).strip()
    clean = bare(seen.removeprefix("'"))
    if clean == seen:
        return None
    return noted("text.cleaned", f"{seen[:80]!r} was read as {clean!r}.")


_NO = frozenset(
    ("0", "0.0", "false", "no", "falsch", "nein", "faux", "non", "falso", "onwaar", "nee", "falskt", "falsk", "nej")
)
_YES = frozenset(("1", "1.0", "true", "yes", "wahr", "ja", "vrai", "oui", "verdadero", "vero", "waar", "sant", "sand"))
"""What spreadsheet programs and shops of the known languages write."""


def parse_bool(cell: str) -> bool:
    """Yes or no as 1/0, true/false, yes/no; empty is no."""
    text = plain(cell).strip().casefold()
    if not text or text in _NO:
        return False
    if text in _YES:
        return True
    raise bad(f"{plain(cell)!r} is neither yes nor no.", "Write 1 or 0.")


def parse_bundle(cell: str) -> str:
    """The id of the bundle that a line is part of, "" for none (0, false or empty); 1 and true only say that it is."""
    text = plain(cell).strip()
    if cell[:1] == BROKEN:
        raise bad(f"{text[:80]!r} is no bundle.")
    text = text.removesuffix(".0")
    return {"0": "", "false": "", "no": "", "true": "1", "yes": "1"}.get(text.lower(), text)


def parse_listed(cell: str, listed: tuple[str, ...], what: str) -> str:
    """One of a closed list, or empty."""
    text = plain(cell).strip()
    if not text or text in listed:
        return text
    raise bad(f"{text[:80]!r} is not {what}.", f"Use one of: {', '.join(listed)}.")


STORE_TYPES = {"b2c": "b2c", "retail": "b2c", "direct_to_consumer": "b2c", "b2b": "b2b", "wholesale": "b2b"}
"""Store types in any case, and Centra's own words for them, in samples and in GraphQL."""


def parse_store(cell: str) -> str:
    """b2c or b2b, or empty."""
    text = plain(cell).strip()
    if not text or text in ("b2c", "b2b"):
        return text
    if found := STORE_TYPES.get(text.casefold()):
        return found
    raise bad(f"{text[:80]!r} is no store type.", "Write b2c or b2b, or say in values.csv what it means (storeType).")


def parse_status(cell: str) -> str:
    """A status of Centra's, in capitals as the Integration API writes it, too; or empty."""
    text = plain(cell).strip()
    if not text or text in ORDER_STATUSES:
        return text
    if text.isupper() and text.capitalize() in ORDER_STATUSES:
        return text.capitalize()
    close = [] if is_nothing(text) else difflib.get_close_matches(text[:40].capitalize(), ORDER_STATUSES, 1, 0.8)
    near = f"Did you mean {close[0]}?" if close else f"Use one of: {', '.join(ORDER_STATUSES)}."
    hint = f"{near} Or say in values.csv what it means (status)."
    raise bad(f"{text[:80]!r} is no status of Centra's.", hint, "status.unknown")


def parse_status_number(cell: str) -> str:
    """The status behind get-orders' number 0 to 6."""
    text = plain(cell).strip().removesuffix(".0")
    if text.isascii() and text.isdigit():
        if int(text[:4]) < len(_STATUS_NUMBERS) and len(text) == 1:
            return _STATUS_NUMBERS[int(text)]
        raise bad(f"{text[:80]!r} is no orderStatus of Centra's.", "Use a number from 0 to 6.", "status.unknown")
    return parse_status(cell)


def parse_payment_status(cell: str) -> str:
    """pending, success or failed; empty where the cell is."""
    text = plain(cell).strip().lower().removesuffix(".0")
    if not text or text in PAYMENT_STATUSES.values():
        return text
    if text in PAYMENT_STATUSES:
        return PAYMENT_STATUSES[text]
    raise bad(f"{plain(cell)!r} is no payment status.", "Use 0 (pending), 1 (success) or 2 (failed).")


MEANINGS: dict[str, Callable[[str], Any]] = {
    "payment.auth.status": parse_payment_status,
    "payment.capture.status": parse_payment_status,
    "status": parse_status,
    "storeType": parse_store,
    "currency": parse_currency,
    "country": parse_country,
    "type": lambda cell: parse_listed(cell, ("return", "order", "plugin"), "an origin type"),
    **dict.fromkeys(("internalOrder", "hold", "waitingForPayment", "suspect", "isBundle"), parse_bool),
    "vatPercent": lambda cell: parse_percent(cell, NumberStyle.POINT),
}
"""Field, or the last part of its name -> what a word of values.csv may mean there; any text where none is named."""
