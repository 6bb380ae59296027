"""An order that stands in several files or JSON objects: equal parts once, different ones only if the whole foots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from etl.model.order import Line
from etl.model.place import Place
from etl.model.problem import Problem
from etl.staging.draft import Draft, same_value
from etl.staging.nested import same_return

_PRECISION = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Decimals of the currencies that do not have two."""


_APART = (
    "The order's lines stand apart from its total: check in columns.csv which columns are price, quantity, rate, shipping "
    "and voucher, or correct the amounts in the export."
)


def precision_of(currency: str) -> int:
    """Count of decimals of a currency (ISO 4217)."""
    return _PRECISION.get(currency, 2)


def join(drafts: Sequence[Draft]) -> Draft:
    """One draft of an order from its copies.

    Rule: design section 3. Equal copies count once, with a notice. Copies that differ are joined where
    their lines together (equal ones once, else all of them) foot to orderTotal; otherwise order.overlap.
    """
    whole = drafts[0]
    keys = [Counter(map(_key, draft.lines)) for draft in drafts]
    are_equal = all(counter == keys[0] for counter in keys[1:])
    are_equal = _join_values(whole, drafts[1:]) and are_equal
    are_equal = _join_nested(whole, drafts[1:]) and are_equal
    places = "; ".join(str(draft.place) for draft in drafts[:5])
    _take_problems(whole, drafts[1:])
    whole.rows = sum(draft.rows for draft in drafts)
    if are_equal:
        _take_line_ids(whole, drafts[1:])
        whole.tell("file.overlap", f"The order stands in {len(drafts)} places: {places}.", drafts[1].place)
        return whole
    lines = _joined_lines(whole, drafts)
    has_conflict = any(problem.code == "order.conflict" for problem in whole.problems)
    if lines is None or has_conflict:
        having = [draft for draft in drafts if draft.lines]
        if len(having) == 1:
            # Order and lines stand apart: the lines are no copy of others, and are told as what they are.
            whole.lines = having[0].lines
        total = whole.values.get("orderTotal")
        sums_up = "" if total is None else f" {total:f}"
        whole.fault(
            "order.overlap",
            f"The order stands in {len(drafts)} places that differ and do not add up to orderTotal{sums_up}: {places}.",
            drafts[1].place,
            hint=_APART if len(having) == 1 and not has_conflict else "",
        )
    else:
        whole.lines = lines
        whole.tell("file.overlap", f"The order was joined from {len(drafts)} places: {places}.", drafts[1].place)
    return whole


def _key(line: Line) -> Line:
    """What a line says of money and goods: not every export tells line ids, original prices and comments."""
    return replace(line, place=Place(), line_id="", original_price=None, comment="")


def _take_line_ids(whole: Draft, others: Sequence[Draft]) -> None:
    """Lines of equal copies take over the ids by which returns name them."""
    for other in others:
        left = list(other.lines)
        for at, line in enumerate(whole.lines):
            twin = next((one for one in left if _key(one) == _key(line)), None)
            if twin is not None:
                left.remove(twin)
                if twin.line_id and not line.line_id:
                    whole.lines[at] = replace(line, line_id=twin.line_id)


def _joined_lines(whole: Draft, drafts: Sequence[Draft]) -> list[Line] | None:
    precision = precision_of(whole.values.get("currency") or "")
    once: list[Line] = []
    taken: Counter[Line] = Counter()
    for draft in drafts:
        own: Counter[Line] = Counter()
        for line in draft.lines:
            key = _key(line)
            own[key] += 1
            if own[key] > taken[key]:
                once.append(line)
                taken[key] = own[key]
    every = [line for draft in drafts for line in draft.lines]
    return next((lines for lines in (once, every) if whole.foots(lines, precision)), None)


def _join_values(whole: Draft, others: Sequence[Draft]) -> bool:
    """Fills what is missing; false where two copies contradict each other, which is told."""
    agree = True
    for other in others:
        for field, value in other.values.items():
            if field not in whole.values:
                whole.values[field] = value
                whole.sources[field] = other.sources[field]
                if field in other.texts:
                    whole.texts[field] = other.texts[field]
            elif not same_value(whole.values[field], value):
                agree = False
                column = other.sources[field].column.header
                whole.fault(
                    "order.conflict",
                    f"{column} is {whole.texts.get(field, '')!r} in {whole.place} and "
                    f"{other.texts.get(field, '')!r} in {other.place}.",
                    replace(other.place, column=column),
                    other.texts.get(field, ""),
                )
    return agree


def _join_nested(whole: Draft, others: Sequence[Draft]) -> bool:
    agree = True
    for other in others:
        for name in ("vouchers", "tax_breakdown", "payments"):
            mine, theirs = getattr(whole, name), getattr(other, name)
            if mine and theirs and mine != theirs:
                agree = False
                whole.fault(
                    "order.conflict", f"The {name} of {whole.place} and {other.place} differ.", other.place, hint=""
                )
            setattr(whole, name, mine or theirs)
        known = {child.number: child for child in whole.returns}
        for child in other.returns:
            twin = known.get(child.number)
            if twin is None:
                whole.returns.append(child)
                known[child.number] = child
            elif not same_return(twin, child):
                problem = Problem(
                    "order.overlap",
                    child.number,
                    child.place,
                    "",
                    f"The return stands in {twin.place} and {child.place} with different content.",
                )
                at = whole.returns.index(twin)
                whole.returns[at] = replace(twin, problems=(*twin.problems, problem))
                known[child.number] = whole.returns[at]
    return agree


def _take_problems(whole: Draft, others: Sequence[Draft]) -> None:
    """Faults of every copy count; what is only told is told of the first."""
    for other in others:
        whole.problems.extend(problem for problem in other.problems if problem.is_error)
