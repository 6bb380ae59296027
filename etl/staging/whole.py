"""An order goes whole or not at all: what was not read or placed of it blocks it, unless its total proves it no part.

Rule: design section 3, "The accounting starts at the byte".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from etl.model.order import Line
from etl.model.place import Place
from etl.staging.draft import Draft
from etl.staging.objects import Flat
from etl.staging.overlap import precision_of

DECLARE = (
    "Name what it holds in columns.csv (such as line_items.sku, products.sku), "
    "or write the name with the field - if it is not to be migrated."
)


def check_unread(draft: Draft, flat: Flat, place: Place) -> None:
    """Blocks an order of which a list of objects or a nested amount was not read.

    Where orderTotal is given and foots exactly without them, they are proved to be no part of it, and are told.
    """
    if not flat.unread:
        return
    is_proved = bool(draft.lines) and draft.foots(draft.lines, precision_of(draft.values.get("currency") or ""))
    for unread in flat.unread[:5]:
        at = place.at(unread.path)
        if is_proved:
            draft.tell("column.unread", f"The order holds {unread}, which was not read; orderTotal foots without.", at)
        else:
            draft.fault("order.incomplete", f"The order holds {unread}, which was not read.", at, hint=DECLARE)


def check_beside(draft: Draft, place: Place) -> None:
    """Blocks an order below which stands a row without number that repeats the order's other cells.

    Where orderTotal is given and foots, the row is proved to be another order's.
    """
    if draft.foots(draft.lines, precision_of(draft.values.get("currency") or "")):
        return
    why = (
        "the order does not foot without it" if "orderTotal" in draft.sources else "no orderTotal proves that it is not"
    )
    draft.fault(
        "order.incomplete",
        f"Row {place.row}, below the order, has no order number and repeats the order's other cells: "
        f"it may be a line of the order; {why}.",
        place,
        hint="Write the order number into the row.",
    )


def check_repeated(draft: Draft) -> None:
    """Blocks an order that holds one line of the source twice, as joins with payments or vouchers make it.

    Equal lines are all kept, but an equal line id says that it is one. Where orderTotal is given, the total decides.
    """
    if "orderTotal" in draft.sources:
        return
    met: dict[str, Line] = {}
    for line in draft.lines:
        first = met.setdefault(line.line_id, line) if line.line_id else line
        if first is not line and first == replace(line, place=first.place):
            draft.fault(
                "order.overlap",
                f"Rows {first.place.row} and {line.place.row} hold the same line, {line.line_id}; "
                "no orderTotal proves that it was sold twice.",
                line.place,
                line.line_id,
                "Remove the copy of the line.",
            )
            return


def join_below(draft: Draft, apart: Draft, rows: Sequence[int], *, are_lines: bool) -> None:
    """Rows without order number directly below the order, read as lines in `apart`: its lines, or a reason to block.

    They are its lines where the order foots with them and not without; without a total only where `are_lines`
    (`source.continuation_rows`) says so.
    """
    precision = precision_of(draft.values.get("currency") or "")
    both, total = [*draft.lines, *apart.lines], draft.values.get("orderTotal")
    shown = f"row{'s' * (len(rows) > 1)} {', '.join(map(str, rows[:10]))}{' ..' if len(rows) > 10 else ''}"
    has_total = total is not None or "orderTotal" in draft.sources
    is_proved = draft.foots(both, precision) and not draft.foots(draft.lines, precision)
    is_read = not any(problem.is_error for problem in apart.problems)
    place = replace(draft.place, row=rows[0])
    if is_read and (is_proved if has_total else are_lines):
        why = f"the order foots with them to {total}" if has_total else "source.continuation_rows says so"
        draft.lines.extend(apart.lines)
        draft.problems.extend(apart.problems)
        draft.tell("row.continued", f"The order goes on in {shown}, which have no order number: {why}.", place)
        return
    amount = sum((line.total for line in apart.lines), Decimal(0))
    why = "the order does not foot with them and not without" if has_total else "no orderTotal proves whose they are"
    draft.problems.extend(problem for problem in apart.problems if problem.is_error)
    draft.fault(
        "order.incomplete",
        f"Below the order stands {shown} without an order number, lines of {amount:f} in all; {why}.",
        place,
        hint="Write the order number into the rows"
        + (
            "."
            if has_total
            else ", or set source.continuation_rows = true if such rows always belong to the order above."
        ),
    )


def check_stated(draft: Draft, line: Line, stated: Decimal, shown: str, column: str) -> None:
    """Compares what the export says that a line comes to with price times quantity, with and without its tax.

    Where orderTotal is given, it decides, and the difference is told; without it nothing says which of the two is meant.
    """
    rate = 1 + (line.vat_percent or Decimal(0)) / 100
    prices = [line.unit_price, *([line.original_price] if line.original_price is not None else [])]
    meant = [price * line.qty * by for price in prices for by in (Decimal(1), rate, 1 / rate if rate else Decimal(1))]
    cent = Decimal(1).scaleb(-precision_of(draft.values.get("currency") or ""))
    if any(abs(abs(stated) - abs(total)) <= cent * max(1, abs(line.qty)) for total in meant):
        return
    text = f"{column} says that the line comes to {shown}; {line.qty} x {line.unit_price} is {line.total:f}."
    place = line.place.at(column)
    if "orderTotal" in draft.sources:
        draft.tell("line.total_differs", text, place, shown)
    else:
        hint = "Correct price, quantity or the line's total in the export, or give orderTotal."
        draft.fault("order.conflict", text, place, shown, hint)
