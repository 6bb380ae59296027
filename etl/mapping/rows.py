"""Rows of the tables to values: one function a table. What is wrong with a row goes to the faults.

Checks over several rows of taxes.csv are in `etl.mapping.check`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Protocol, TypeVar

from etl.mapping import cells
from etl.mapping.cells import CellError, DateStyle
from etl.mapping.fields import FIELDS
from etl.mapping.lookup import ANY_COUNTRY
from etl.mapping.table import Row, Table
from etl.model.codes import CODES
from etl.model.faults import Fault, did_you_mean, nearest
from etl.model.mapping import (
    ACCOUNT_KEYS,
    CATEGORY_KEYS,
    EXTERNAL_PAYMENT_TYPES,
    NOT_MIGRATED,
    PRODUCT_KEYS,
    STORE_TYPES,
    VOUCHER_POLICIES,
    ColumnRule,
    ControlRow,
    Sure,
    ValueRule,
    Waiver,
)
from etl.model.place import Place
from etl.model.rules import (
    AccountRule,
    BillRule,
    CategoryRule,
    PaymentRule,
    ProductRule,
    RateKind,
    ReservationRule,
    SegmentRule,
    TaxRule,
    VoucherPolicy,
    VoucherRule,
)
from etl.reading.kinds import NESTED_FIELDS
from etl.reading.names import GET_ORDERS
from etl.reading.options import NUMBER_FIELD
from etl.reading.parse import MEANINGS
from etl.reading.remarks import RemarkedValue
from etl.reading.style import NumberStyle
from etl.reading.texts import is_scientific, without_traces

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
K = TypeVar("K", bound=Hashable)
_GUID_OF_CATEGORY = partial(cells.guid, what="AccountingCategoryId")


@dataclass(slots=True)
class Reading:
    """Faults and notices met so far, and the cell parsing that feeds them.

    `order_numbers`: how the shop writes order numbers (`source.order_number`).
    """

    order_numbers: str = NUMBER_FIELD
    faults: list[Fault] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def fault(self, row: Row, column: str, message: str) -> None:
        """Keeps one fault of a cell."""
        self.faults.append(Fault(row.place.at(column), message))

    def parse(self, row: Row, column: str, parser: Callable[[str], T]) -> T | None:
        """The cell's value; None where it is empty, or bad, which becomes a fault."""
        text = row.cells[column]
        if not text:
            return None
        try:
            return parser(text)
        except CellError as bad:
            self.fault(row, column, str(bad))
            return None

    def order_number(self, value: str) -> str:
        """An order number of the shop's."""
        return cells.order_number(value, self.order_numbers)

    def key(self, row: Row, column: str, parser: Callable[[str], T], hint: str = "") -> T | None:
        """As `parse`, where an empty cell is a fault as well."""
        if not row.cells[column]:
            self.fault(row, column, f"The cell is empty.{hint or ' Fill it in, or remove the row.'}")
        return self.parse(row, column, parser)

    def once(self, place: Place, seen: dict[K, tuple[T, Place]], key: K, value: T, name: str) -> None:
        """Keeps the first row of a key: an equal second one is a notice, another answer a fault."""
        first = seen.setdefault(key, (value, place))
        if first[1] is place:
            return
        if first[0] == value:
            self.notices.append(f"{place}: {name} stands in row {first[1].row} already, with the same answer.")
        else:
            self.faults.append(
                Fault(place, f"{name} stands in row {first[1].row} already, with another answer. Keep one of the two.")
            )


def _text(value: str) -> str:
    return value


def read_taxes(table: Table, reading: Reading) -> tuple[TaxRule, ...]:
    """The rows of taxes.csv in file order; those with a fault are left out."""
    dates = _dates(table, "valid_from", "valid_before")
    return tuple(rule for row in table.rows if (rule := _tax_rule(row, dates, reading)))


def _tax_rule(row: Row, dates: DateStyle, reading: Reading) -> TaxRule | None:
    before = len(reading.faults)
    country = reading.key(row, "country", _country_or_any, " Write a country code, or * for any.")
    rate = reading.key(row, "vat_percent", _rate, " Write a number, * for any rate, or shipping.")
    start, end = (reading.parse(row, column, dates.parse) for column in ("valid_from", "valid_before"))
    if start and end and start >= end:
        reading.fault(row, "valid_before", f"{end} is not after valid_from {start}, so the row never holds.")
    store_type = reading.parse(row, "store_type", partial(cells.choice, allowed=STORE_TYPES))
    if rate and rate[0] is RateKind.SHIPPING and row.cells["sku"]:
        reading.fault(row, "sku", "A shipping row is for orders without goods, so it can't name a SKU. Empty the cell.")
    codes = reading.parse(row, "tax_codes", _tax_codes)
    accepts = reading.parse(row, "accept_rate_difference", partial(cells.choice, allowed=("yes",)))
    if len(reading.faults) > before or country is None or rate is None:
        return None
    kind, percent = rate
    if percent is not None and 0 < percent < 1:
        reading.notices.append(
            f"{row.place.at('vat_percent')}: {percent} is less than one percent; 20 % is written 20, not 0.2."
        )
    return TaxRule(
        country, kind, percent, start, end, store_type or "", row.cells["sku"], codes, accepts == "yes", row.place
    )


def _country_or_any(value: str) -> str:
    return value if value == ANY_COUNTRY else cells.country(value)


def _rate(value: str) -> tuple[RateKind, Decimal | None]:
    if value in ("*", "shipping"):
        return RateKind(value), None
    return RateKind.PERCENT, cells.percent(value)


def _tax_codes(value: str) -> tuple[str, ...]:
    codes = tuple(value.split())
    if codes == ("exempt",):
        return ()
    if "exempt" in codes:
        raise CellError(f"{value!r} names codes and exempt. Write one or the other.")
    if any(code.casefold() == "exempt" for code in codes):
        raise CellError(f"{value!r} is no tax code. Did you mean exempt?")
    if len(set(codes)) < len(codes):
        raise CellError(f"{value!r} names a code twice.")
    if any(mark in value for mark in ",;"):
        raise CellError(f"{value!r} is no list of tax codes: put a blank between two codes.")
    return codes


class _Keyed(Protocol[T_co]):
    """Makes the rule of a row with key_type, key and one target."""

    def __call__(self, key_type: str, key: str, target: str | None, place: Place, /) -> T_co:
        """The rule."""
        ...


def read_targets(
    table: Table, reading: Reading, target: str, what: str, kinds: tuple[str, ...], rule: _Keyed[T]
) -> dict[tuple[str, str], T]:
    """A table of key_type, key and one target column, which names `what`, by (key_type, key)."""
    seen: dict[tuple[str, str], tuple[str | None, Place]] = {}
    for row in table.rows:
        before = len(reading.faults)
        kind = reading.key(row, "key_type", partial(cells.choice, allowed=kinds))
        key = reading.key(row, "key", _text)
        value = reading.parse(row, target, partial(cells.guid_or_eid, what=what))
        if kind is not None and key is not None and len(reading.faults) == before:
            key = _product_key(row, kind, key, reading)
            reading.once(row.place, seen, (kind, key), value, f"{kind} {key}")
    return {key: rule(*key, value, place) for key, (value, place) in seen.items()}


def read_products(table: Table, reading: Reading) -> dict[tuple[str, str], ProductRule]:
    """products.csv."""
    return read_targets(table, reading, "product", "product", PRODUCT_KEYS, ProductRule)


def read_accounts(table: Table, reading: Reading) -> dict[tuple[str, str], AccountRule]:
    """accounts.csv."""
    return read_targets(table, reading, "account", "account", ACCOUNT_KEYS, AccountRule)


def _product_key(row: Row, kind: str, key: str, reading: Reading) -> str:
    """A key cleaned in the same way as the export's own, so that both still meet."""
    if kind not in ("sku", "ean", "id", "customerId", "accountId", "buyerId"):
        return key
    if kind == "ean" and is_scientific(key):
        reading.fault(
            row, "key", f"{key!r} was shortened by a spreadsheet. Format the cell as text and type the EAN again."
        )
    clean = without_traces(key)
    if clean != key:
        reading.notices.append(f"{row.place.at('key')}: {key!r} was read as {clean!r}.")
    return clean


def read_categories(table: Table, reading: Reading) -> tuple[CategoryRule, ...]:
    """categories.csv, without repeated rows."""
    seen: dict[tuple[str, str], tuple[str | None, Place]] = {}
    for row in table.rows:
        kind = reading.key(row, "key_type", partial(cells.choice, allowed=CATEGORY_KEYS))
        key = reading.key(row, "key", _text)
        value = reading.parse(row, "accounting_category", _GUID_OF_CATEGORY)
        if kind is not None and key is not None:
            reading.once(row.place, seen, (kind, key), value, f"{kind} {key}")
    return tuple(CategoryRule(kind, key, value, place) for (kind, key), (value, place) in seen.items())


def read_vouchers(table: Table, reading: Reading) -> tuple[VoucherRule, ...]:
    """vouchers.csv, without repeated rows."""
    seen: dict[str, tuple[tuple[VoucherPolicy | None, str], Place]] = {}
    policies = {policy: policy for policy in VOUCHER_POLICIES}
    for row in table.rows:
        code = reading.key(row, "code", _text, " Write a code, or * for any.")
        name = reading.parse(row, "policy", partial(cells.choice, allowed=VOUCHER_POLICIES))
        category = reading.parse(row, "accounting_category", _GUID_OF_CATEGORY)
        if code is not None:
            policy = None if name is None else next(known for known in policies.values() if known == name)
            reading.once(row.place, seen, code, (policy, category or ""), f"The code {code}")
    return tuple(VoucherRule(code, *answer, place) for code, (answer, place) in seen.items())


def read_payments(table: Table, reading: Reading) -> tuple[PaymentRule, ...]:
    """payments.csv, without repeated rows."""
    seen: dict[str, tuple[tuple[str | None, str], Place]] = {}
    for row in table.rows:
        method = reading.key(row, "method", _text)
        kind = reading.parse(row, "type", partial(cells.choice, allowed=EXTERNAL_PAYMENT_TYPES))
        category = reading.parse(row, "accounting_category", _GUID_OF_CATEGORY)
        if method is not None:
            reading.once(row.place, seen, method, (kind, category or ""), f"The method {method}")
    return tuple(PaymentRule(method, *answer, place) for method, (answer, place) in seen.items())


class _Paired(Protocol[T_co]):
    """Makes the rule of a row with one key and one target."""

    def __call__(self, key: str, target: str | None, place: Place, /) -> T_co:
        """The rule."""
        ...


def read_pairs(
    table: Table,
    reading: Reading,
    columns: tuple[str, str],
    what: str,
    key_parser: Callable[[str], str],
    rule: _Paired[T],
) -> dict[str, T]:
    """A table of one key and one target column, which holds an id of `what`."""
    seen: dict[str, tuple[str | None, Place]] = {}
    for row in table.rows:
        before = len(reading.faults)
        key = reading.key(row, columns[0], key_parser)
        value = reading.parse(row, columns[1], partial(cells.guid, what=what))
        if key is not None and len(reading.faults) == before:
            reading.once(row.place, seen, key, value, key)
    return {key: rule(key, value, place) for key, (value, place) in seen.items()}


def read_segments(table: Table, reading: Reading) -> dict[str, SegmentRule]:
    """segments.csv."""
    return read_pairs(table, reading, ("market", "business_segment"), "BusinessSegmentId", _text, SegmentRule)


def read_bills(table: Table, reading: Reading) -> dict[str, BillRule]:
    """bills.csv."""
    return read_pairs(table, reading, ("order_number", "bill"), "BillId", reading.order_number, BillRule)


def read_reservations(table: Table, reading: Reading) -> dict[str, ReservationRule]:
    """reservations.csv."""
    columns = ("order_number", "reservation")
    return read_pairs(table, reading, columns, "ReservationId", reading.order_number, ReservationRule)


def read_columns(table: Table, reading: Reading) -> tuple[ColumnRule, ...]:
    """columns.csv, without repeated rows and those that are not decided yet."""
    seen: dict[str, tuple[tuple[str, Sure], Place]] = {}
    for row in table.rows:
        before = len(reading.faults)
        header = reading.key(row, "header", _text)
        name, sure = reading.parse(row, "field", _field) or "", _sure(row, reading)
        if header is not None and len(reading.faults) == before:
            reading.once(row.place, seen, header, (name, sure), header)
    _tell_open(table, "field", reading)
    return tuple(ColumnRule(header, *answer, place) for header, (answer, place) in seen.items() if answer[0])


def read_values(table: Table, reading: Reading) -> tuple[ValueRule, ...]:
    """values.csv, without repeated rows and those that are not decided yet."""
    seen: dict[tuple[str, str], tuple[tuple[str, Sure], Place]] = {}
    for row in table.rows:
        before = len(reading.faults)
        name = reading.key(row, "field", _value_field)
        means = reading.parse(row, "means", partial(_meaning, name or "")) or ""
        value, sure = row.cells["value"], _sure(row, reading)
        if name is not None and len(reading.faults) == before:
            reading.once(row.place, seen, (name, value), (means, sure), f"{name} {value or '(empty)'}")
    _tell_open(table, "means", reading)
    return tuple(ValueRule(*key, *answer, place) for key, (answer, place) in seen.items() if answer[0])


def _tell_open(table: Table, column: str, reading: Reading) -> None:
    """An empty answer is a question that `init` could not settle: it decides nothing, and is not passed over."""
    rows = [str(row.place.row) for row in table.rows if not row.cells[column]]
    if rows:
        shown = f"row{'s' * (len(rows) > 1)} {', '.join(rows[:10])}{' ..' if len(rows) > 10 else ''}"
        verb = "decide" if len(rows) > 1 else "decides"
        reading.notices.append(f"{table.rows[0].place.table}: {column} is empty in {shown}, which {verb} nothing yet.")


def _sure(row: Row, reading: Reading) -> Sure:
    return Sure(reading.parse(row, "sure", partial(cells.choice, allowed=tuple(Sure))) or Sure.YES)


def _field(value: str) -> str:
    if value in FIELDS or value in NESTED_FIELDS or value == NOT_MIGRATED:
        return value
    if value in GET_ORDERS:
        return GET_ORDERS[value]
    known = (*FIELDS, *GET_ORDERS, *NESTED_FIELDS)
    hint = did_you_mean(value, known) or did_you_mean(f"products.{value}", FIELDS)
    raise CellError(f"{value!r} is no field.{hint or ' Write - for a column that is not migrated.'}")


def _value_field(value: str) -> str:
    name = GET_ORDERS.get(value, value)
    if name in FIELDS and name != "orderNumber":
        return name
    raise CellError(f"{value!r} is no field whose words can be translated.{did_you_mean(value, FIELDS)}")


def _meaning(name: str, value: str) -> str:
    """What a word of the field may mean: the same values that the export itself may carry."""
    parser = MEANINGS.get(name) or MEANINGS.get(name.rpartition(".")[2])
    if parser is None:
        return value
    try:
        parser(value)
    except RemarkedValue as odd:
        remark = odd.remarks[0]
        raise CellError(f"{remark.message}{' ' * bool(remark.hint)}{remark.hint}") from None
    return value


def read_controls(table: Table, reading: Reading) -> tuple[ControlRow, ...]:
    """controls.csv, without repeated rows."""
    numbers = cells.number_style(
        (row.cells[column] for row in table.rows for column in ("total", "tax")),
        counts=(row.cells["orders"] for row in table.rows),
    )
    seen: dict[tuple[str, str], tuple[ControlRow, Place]] = {}
    for row in table.rows:
        before = len(reading.faults)
        month = reading.key(row, "month", cells.month)
        currency = reading.key(row, "currency", cells.currency)
        orders = reading.parse(row, "orders", partial(_count, style=numbers))
        total, tax = (reading.parse(row, column, partial(cells.amount, style=numbers)) for column in ("total", "tax"))
        if len(reading.faults) > before or month is None or currency is None:
            continue
        answer = ControlRow(month, currency, orders, total, tax)
        reading.once(row.place, seen, (month, currency), answer, f"{month} {currency}")
    return tuple(replace(answer, place=place) for answer, place in seen.values())


def _count(value: str, style: NumberStyle) -> int:
    number = cells.amount(value, style)
    if number != number.to_integral_value() or number < 0:
        raise CellError(f"{value!r} is no count of orders.")
    return int(number)


def read_waivers(table: Table, reading: Reading) -> tuple[Waiver, ...]:
    """waivers.csv, without repeated rows."""
    dates = _dates(table, "date")
    seen: dict[tuple[str, str], tuple[Waiver, Place]] = {}
    for row in table.rows:
        before = len(reading.faults)
        number = reading.key(row, "order_number", reading.order_number)
        code = reading.key(row, "problem_code", _waivable)
        reason, by = (reading.key(row, column, _text) for column in ("reason", "by"))
        day = reading.key(row, "date", dates.parse)
        if len(reading.faults) == before and number and code and reason and by and day:
            waiver = Waiver(number, code, reason, by, day.isoformat())
            reading.once(row.place, seen, (number, code), waiver, f"{code} of order {number}")
    return tuple(replace(waiver, place=place) for waiver, place in seen.values())


def _waivable(value: str) -> str:
    waivable = [code.code for code in CODES.values() if code.can_waive or code.can_accept]
    if value in waivable:
        return value
    if value in CODES:
        raise CellError(f"{value} ({CODES[value].title}) can't be waived. {CODES[value].hint}")
    near = nearest(value, waivable) or nearest(value, CODES)
    raise CellError(f"{value!r} is no problem code.{f' Did you mean {near}?' if near else ''}")


def _dates(table: Table, *columns: str) -> DateStyle:
    return cells.date_style(_column(table, *columns))


def _column(table: Table, *names: str) -> Iterator[str]:
    return (row.cells[name] for row in table.rows for name in names)
