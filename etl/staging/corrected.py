"""Corrections: which version of an order was met, and an order of the export replaced by its corrected one. Pure.

Rule: design section 7.1, "Corrections".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from etl.model.content import skip_fingerprint, version_of
from etl.model.export import plain, stored
from etl.model.identity import content_hash
from etl.model.order import Order, Replaced
from etl.model.problem import Problem, notice
from etl.reading.style import NumberStyle, Style
from etl.staging.fields import Column
from etl.staging.raw import AS_STORED

UNREAD = "unread:"
"""Leads the hash of an order that can't be read."""

_DECIMAL = re.compile(r"-?\d+[.,]\d+", re.ASCII)
_ASIDE = frozenset({"orderNumber", "status", "comment", "internalComment", "poNumber", "products.comment"})
_PEOPLE = frozenset({"invoiceAddress", "deliveryAddress", "address"})
_COUNTED_OF_PEOPLE = frozenset({"email", "country"})


@dataclass(frozen=True, slots=True)
class Cells:
    """One part of an order as it stood: columns and cells of its order level and of each line, and everything nested."""

    order_columns: Sequence[Column]
    order_rows: Sequence[Sequence[str]]
    line_columns: Sequence[Column]
    line_rows: Sequence[Sequence[str]]
    nested: object = None


def unread_version(parts: Iterable[Cells]) -> str:
    """The hash of an order that can't be read, over the cells that count.

    It does not change with row order, columns that do not count, or what attention.csv adds.
    """
    order: set[tuple[str, str]] = set()
    lines: list[list[tuple[str, str]]] = []
    nested = []
    for part in parts:
        for row in part.order_rows:
            order.update(_counted(part.order_columns, row))
        lines += [sorted(_counted(part.line_columns, row)) for row in part.line_rows]
        nested += [part.nested] if part.nested is not None else []
    # The rows of a flat file have nothing nested, in however many parts they stood.
    return UNREAD + content_hash([sorted(order), sorted(line for line in lines if line), nested or [None]])


def _counted(columns: Sequence[Column], row: Sequence[str]) -> Iterator[tuple[str, str]]:
    for column, cell in zip(columns, row, strict=False):
        text = (stored(cell) if column.kind in AS_STORED else plain(cell)).strip()
        if text and _counts(column.field):
            yield column.field, _number(text)
    # Cells beyond the header are a fault of the order, and part of what was met.
    for at, cell in enumerate(row[len(columns) :]):
        if cell.strip():
            yield f"+{at}", plain(cell).strip()


def _number(text: str) -> str:
    """A number as every format of the export writes it; other texts as they are."""
    return text.replace(",", ".").rstrip("0").rstrip(".") if _DECIMAL.fullmatch(text) else text


def _counts(field: str) -> bool:
    head, _, tail = field.partition(".")
    return field != "" and field not in _ASIDE and (head not in _PEOPLE or tail in _COUNTED_OF_PEOPLE)


def as_met(orders: Sequence[Order], unread: str, met: Mapping[str, Sequence[str]]) -> list[Order]:
    """The order and its nested returns with the versions that they were met as.

    `unread`: the hash of their cells. `met`: what attention.csv says, number to hashes; one that is no order's own
    makes it a correction.
    """
    found = []
    for order in orders:
        marked = order if order.is_readable else replace(order, unread=f"{unread}:{order.number}")
        own = version_of(marked)
        originals = tuple(Replaced(version) for version in met.get(order.number, ()) if version != own)
        found.append(replace(marked, replaces=originals) if originals else marked)
    if met and orders and orders[0].number not in met:
        others = ", ".join(met)
        text = f"These rows stood under the order number {others} when they were written into attention.csv."
        found[0] = _with(
            found[0], Problem("order.correction_unmatched", orders[0].number, orders[0].place, others, text)
        )
    return found


def corrected(originals: Sequence[Order], given: Sequence[Order]) -> list[Order]:
    """The order and its nested returns, those of a correction in the place of the export's.

    A return that the correction leaves out stays as the export has it; what the export does not have is blocked.
    """
    left = {order.number: order for order in originals}
    found = [_corrected(left.pop(order.number, None), order) for order in given]
    return [*found, *left.values()]


def _corrected(original: Order | None, order: Order) -> Order:
    if original is None:
        text = f"{order.place} corrects order {order.number}, which no export holds."
        return _with(order, Problem("order.correction_unmatched", order.number, order.place, order.number, text))
    own = version_of(order)
    first = Replaced(version_of(original), skip_fingerprint(original))
    before = [one for one in order.replaces if one.version != first.version]
    replaces = tuple(one for one in (first, *before) if one.version != own)
    text = f"The order was taken from {order.place} instead of {original.place}.{_figures(original, order)}"
    told = notice("order.corrected", text, order=order.number, place=order.place)
    return replace(_with(order, told), replaces=replaces)


def _figures(original: Order, order: Order) -> str:
    said = []
    if len(order.lines) != len(original.lines):
        said.append(f"{_count(len(order.lines))} where the export has {len(original.lines)}")
    mine, theirs = _total(order), _total(original)
    if mine is not None and theirs is not None and mine != theirs:
        said.append(f"a total of {mine} {order.currency} where the export has {theirs}".replace("  ", " "))
    return f" It has {', and '.join(said)}." if said else ""


def _count(lines: int) -> str:
    return f"{lines} line{'' if lines == 1 else 's'}"


def _total(order: Order) -> Decimal | None:
    if order.order_total is not None:
        return order.order_total
    return sum((line.total for line in order.lines), order.beside_goods) if order.is_readable else None


def _with(order: Order, problem: Problem) -> Order:
    return replace(order, problems=(*order.problems, problem))


def style_text(style: Style) -> str:
    """How the export writes numbers and dates, as attention.csv tells it."""
    day = {True: "day-first", False: "month-first", None: "-"}[style.day_first]
    return f"numbers:{style.numbers.name.lower()} dates:{day}"


def told_style(cells: Iterable[str]) -> Style | None:
    """What STYLE cells tell; None where they tell nothing or contradict each other."""
    found = {cell.strip() for cell in cells if cell.strip()}
    if len(found) != 1:
        return None
    words = dict(word.partition(":")[::2] for word in found.pop().split())
    names = {style.name.lower(): style for style in NumberStyle}
    days = {"day-first": True, "month-first": False, "-": None}
    if words.get("numbers") not in names or words.get("dates") not in days:
        return None
    return Style(names[words["numbers"]], days[words["dates"]])
