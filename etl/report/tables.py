"""orders.csv and problems.csv: the exact record, one row at a time.

Plain UTF-8 without byte order mark: scripts take a mark as part of the first header, and who works in
Excel has report.xlsx. Amounts are texts with a point, at the currency's precision.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import IO, NamedTuple

from etl.model.codes import CODES
from etl.model.money import digits_of, units_text
from etl.model.problem import Problem
from etl.model.status import OrderStatus, ReportState
from etl.report.cells import CsvRows, amount_text, are_simple, safe_cell

ORDER_COLUMNS = (
    "order",
    "state",
    "problem",
    "currency",
    "source_total",
    "planned_total",
    "difference",
    "account_id",
    "mews_order_id",
    "message",
    "basis",
    "planned_currency",
    "planned_basis",
    "rounding",
    "month",
    "consumption_utc",
    "clamped",
    "lines",
    "tax_codes",
    "balance",
    "notices",
    "unproved",
)
PROBLEM_COLUMNS = (
    "severity",
    "code",
    "order",
    "file",
    "row",
    "column",
    "value",
    "hint",
    "message",
    "sheet",
)


READY = ReportState.READY.value


def blocking_codes(order: OrderStatus) -> str:
    """The codes that hold the order back, each once; those of an order that needs attention without any error too."""
    if not order.problems:
        return ""
    codes = {problem.code for problem in order.problems if problem.is_error}
    if not codes and order.state.needs_attention:
        codes = {problem.code for problem in order.problems}
    return " ".join(sorted(codes))


def message_of(order: OrderStatus) -> str:
    """What happened to the order: Mews's or the plan's word, else the first error's."""
    return order.message or next((problem.message for problem in order.problems if problem.is_error), "")


def hint_of(problem: Problem) -> str:
    """What to do about the problem."""
    known = CODES.get(problem.code)
    return problem.hint or (known.hint if known else "")


class OrderRow(NamedTuple):
    """An order as texts, in the order of ORDER_COLUMNS; not yet safe for a spreadsheet."""

    order: str
    state: str
    problem: str
    currency: str
    source_total: str
    planned_total: str
    difference: str
    account_id: str
    mews_order_id: str
    message: str
    basis: str
    planned_currency: str
    planned_basis: str
    rounding: str
    month: str
    consumption: str
    clamped: str
    lines: str
    tax_codes: str
    balance: str
    notices: str
    unproved: str


class PlainOrder(NamedTuple):
    """A ready order that Mews books as the source has it, of which nothing is to be said.

    `units`: its total in 10**-precision, `basis` whether with tax. `total`, `lines`, `consumption` (without a zone), `tax_codes`, `unproved` and
    `balance`: texts as in an `OrderRow`.
    """

    number: str
    currency: str
    precision: int
    units: int
    total: str
    account_id: str
    month: str
    consumption: str
    lines: str
    tax_codes: str
    unproved: str
    balance: str
    basis: str


def plain_row(order: PlainOrder) -> OrderRow:
    """The order as texts."""
    number, currency, precision, _, total, account, month, consumption, lines, codes, unproved, balance, basis = order
    zero = units_text(0, precision)
    return OrderRow(
        number,
        READY,
        "",
        currency,
        total,
        total,
        zero,
        account,
        "",
        "",
        basis,
        currency,
        basis,
        zero,
        month,
        f"{consumption}Z",
        "",
        lines,
        codes,
        balance,
        "",
        unproved,
    )


def order_row(order: OrderStatus, precisions: Mapping[str, int]) -> OrderRow:
    """The order as texts."""
    now = digits_of(order.currency, precisions)
    held = digits_of(order.planned_currency or order.currency, precisions)
    consumption = order.consumption
    return OrderRow(
        order.number,
        order.state.value,
        blocking_codes(order),
        order.currency,
        amount_text(order.source_total, now),
        amount_text(order.planned_total, held),
        amount_text(order.difference, now),
        order.account_id,
        order.mews_order_id,
        message_of(order),
        order.basis.value,
        order.planned_currency,
        order.planned_basis.value,
        amount_text(order.rounding, now),
        order.month,
        f"{consumption.isoformat()[:19]}Z" if consumption else "",
        "yes" if order.is_clamped else "",
        str(order.line_count),
        "; ".join([" ".join(one.codes) or "exempt" for one in order.taxes]),
        amount_text(order.balance, held),
        " ".join(sorted({one.code for one in order.problems if not one.is_error})) if order.problems else "",
        " ".join(order.unproved),
    )


class OrderTable:
    """Rows of orders.csv."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._rows = CsvRows(stream)
        self._rows.write(ORDER_COLUMNS)
        self._simple: set[str] = set()

    def add_plain(self, orders: Sequence[PlainOrder]) -> None:
        """Writes orders of which nothing is to be said."""
        if are_simple([order.number for order in orders]) and self._are_simple(orders):
            self._stream.write("".join(map(_simple_line, orders)))
        else:
            self._rows.write_all([_safe(plain_row(order)) for order in orders])

    def _are_simple(self, orders: Sequence[PlainOrder]) -> bool:
        """Whether the texts that come again are such as stand between commas as they are."""
        new = {text for order in orders for text in _texts_again(order)} - self._simple
        if not all(map(_SIMPLE.fullmatch, new)):
            return False
        if len(self._simple) + len(new) > _KEPT:
            self._simple.clear()
        self._simple |= new
        return True

    def add(self, row: OrderRow) -> None:
        """Writes one order; texts of the export are made safe."""
        self._rows.write(_safe(row))


def _simple_line(order: PlainOrder) -> str:
    """The line of `plain_row`, all of whose cells are simple."""
    number, currency, precision, _, total, account, month, consumption, lines, codes, unproved, balance, basis = order
    zero = units_text(0, precision)
    return (
        f"{number},{READY},,{currency},{total},{total},{zero},{account},,,{basis},{currency},{basis},{zero},{month},"
        f"{consumption}Z,,{lines},{codes},{balance},,{unproved}\n"
    )


_KEPT = 10_000
_SIMPLE = re.compile('(?:[0-9A-Za-z][^,"\r\n]*)?')
"""Neither CSV nor a spreadsheet sees more than a text in it."""
_texts_again = attrgetter("currency", "account_id", "tax_codes", "unproved")
_FREE = tuple(
    ORDER_COLUMNS.index(name)
    for name in ("order", "currency", "account_id", "mews_order_id", "message", "planned_currency", "tax_codes")
)
"""Columns whose texts come from outside."""
_free = itemgetter(*_FREE)


def _safe(row: OrderRow) -> Sequence[str]:
    """The cells as no spreadsheet runs them; most are harmless as they are."""
    if "".join([cell[:1] for cell in _free(row)]).isalnum():
        return row
    cells = list(row)
    for at in _FREE:
        cells[at] = safe_cell(cells[at])
    return cells


class ProblemTable:
    """Rows of problems.csv."""

    def __init__(self, stream: IO[str]) -> None:
        self._rows = CsvRows(stream)
        self._rows.write(PROBLEM_COLUMNS)

    def add(self, problem: Problem) -> None:
        """Writes one problem or notice."""
        self._rows.write([safe_cell(cell) for cell in problem_cells(problem)])


def problem_cells(problem: Problem) -> tuple[str, ...]:
    """The problem as texts, in the order of PROBLEM_COLUMNS."""
    place = problem.place
    return (
        problem.severity.value,
        problem.code,
        problem.order,
        place.file,
        "" if place.row is None else str(place.row),
        place.column,
        problem.value,
        hint_of(problem),
        problem.message,
        place.sheet,
    )
