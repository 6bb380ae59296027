"""What only the rows of a table together show: equal answers that differ, gaps and overlaps of periods. Pure.

Rule: design section 4.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import combinations

from etl.mapping.lookup import glob_rank, rank
from etl.model.faults import Fault
from etl.model.rules import CategoryRule, RateKind, TaxRule, VoucherRule

_Case = tuple[str, RateKind, Decimal | None]


def check_taxes(rules: Sequence[TaxRule]) -> tuple[list[Fault], list[str]]:
    """Faults: rows that answer alike for one order and differ. Notices: repeated rows, overlaps and gaps."""
    cases: dict[_Case, list[TaxRule]] = defaultdict(list)
    for rule in rules:
        cases[rule.country, rule.rate, rule.percent].append(rule)
    faults: list[Fault] = []
    notices: list[str] = []
    for case in cases.values():
        for first, second in _meeting(case):
            if _equally_specific(first, second):
                if _answer(first) != _answer(second):
                    faults.append(_clash(first, second))
                elif _key(first) == _key(second):
                    notices.append(f"{second.place}: says the same as row {first.place.row}.")
            elif _key(first) == _key(second):
                notices.append(_overlap(first, second))
    notices.extend(_gaps(rules))
    return faults, notices


def _meeting(rules: Sequence[TaxRule]) -> Iterator[tuple[TaxRule, TaxRule]]:
    """Pairs that may both fit one line: periods overlap, store types agree, SKU patterns can meet.

    Rows of different exact SKUs never meet, and there may be thousands of them, so they are paired within
    their own SKU only; a less specific row beside them is no clash by the rule.
    """
    by_sku: dict[str, list[TaxRule]] = defaultdict(list)
    patterns: list[TaxRule] = []
    for rule in rules:
        if rule.sku and not glob_rank(rule.sku)[0]:
            patterns.append(rule)
        else:
            by_sku[rule.sku].append(rule)
    for group in (*by_sku.values(), patterns):
        for first, second in combinations(group, 2):
            if (
                _overlaps(first, second)
                and (not first.store_type or not second.store_type or first.store_type == second.store_type)
                and (first.sku == second.sku or globs_meet(first.sku, second.sku))
            ):
                yield first, second
    # One names the store type and the other the SKU: equally specific, though their SKU cells differ.
    for first in by_sku.get("", ()):
        for second in rules if first.store_type else ():
            if second.sku and not second.store_type and _overlaps(first, second):
                yield first, second


def _equally_specific(first: TaxRule, second: TaxRule) -> bool:
    if rank(first)[:4] != rank(second)[:4]:
        return False
    if first.sku and second.sku and glob_rank(first.sku) != glob_rank(second.sku):
        return False
    opposite_ends = (first.valid_from is None) != (second.valid_from is None)
    return opposite_ends or rank(first) == rank(second)


def _answer(rule: TaxRule) -> tuple[frozenset[str] | None, bool]:
    return None if rule.tax_codes is None else frozenset(rule.tax_codes), rule.accept_rate_difference


def _key(rule: TaxRule) -> tuple[str, str]:
    return rule.store_type, rule.sku


def _overlaps(first: TaxRule, second: TaxRule) -> bool:
    return _start(first) < _end(second) and _start(second) < _end(first)


def _start(rule: TaxRule) -> date:
    return rule.valid_from or date.min


def _end(rule: TaxRule) -> date:
    return rule.valid_before or date.max


def _said(rule: TaxRule) -> str:
    if rule.tax_codes is None:
        return "nothing yet"
    codes = " ".join(rule.tax_codes) or "exempt"
    return f"{codes} and accepts another rate" if rule.accept_rate_difference else codes


def _case(rule: TaxRule) -> str:
    rate = rule.rate.value if rule.percent is None else f"{rule.percent.normalize():f}"
    return ", ".join(part for part in (rule.country, rate, rule.store_type, rule.sku) if part)


def _common(first: TaxRule, second: TaxRule) -> str:
    start, end = max(_start(first), _start(second)), min(_end(first), _end(second))
    return _period(None if start == date.min else start, None if end == date.max else end)


def _period(start: date | None, end: date | None) -> str:
    text = " ".join(part for part in (start and f"from {start}", end and f"until before {end}") if part)
    return text or "at any time"


def _clash(first: TaxRule, second: TaxRule) -> Fault:
    return Fault(
        second.place,
        f"Rows {first.place.row} and {second.place.row} fit the same orders ({_case(second)}, {_common(first, second)}) "
        f"equally well and differ: {_said(first)}, and {_said(second)}. Make their periods follow each other, or "
        "remove one.",
    )


def _overlap(first: TaxRule, second: TaxRule) -> str:
    narrow = max((first, second), key=rank)
    return (
        f"{second.place}: overlaps row {first.place.row} ({_case(second)}) {_common(first, second)}; "
        f"the narrower period, row {narrow.place.row}, answers then."
    )


def _gaps(rules: Iterable[TaxRule]) -> Iterator[str]:
    groups: dict[tuple[_Case, tuple[str, str]], list[TaxRule]] = defaultdict(list)
    for rule in rules:
        groups[(rule.country, rule.rate, rule.percent), _key(rule)].append(rule)
    for group in groups.values():
        ordered = sorted(group, key=_start)
        covered = _end(ordered[0])
        for rule in ordered[1:]:
            if _start(rule) > covered:
                yield (
                    f"{rule.place}: no row for {_case(rule)} holds from {covered} until before {_start(rule)}; "
                    "only less specific rows can answer then."
                )
            covered = max(covered, _end(rule))


def check_patterns(rules: Sequence[CategoryRule | VoucherRule]) -> list[Fault]:
    """Faults of rows whose patterns fit the same value equally well and differ."""
    faults = []
    groups: dict[tuple[str, int], list[CategoryRule | VoucherRule]] = defaultdict(list)
    for rule in rules:
        key = _pattern(rule)
        exact, length = glob_rank(key)
        if not exact:
            groups[rule.key_type if isinstance(rule, CategoryRule) else "", length].append(rule)
    for group in groups.values():
        for first, second in combinations(group, 2):
            if _target(first) != _target(second) and globs_meet(_pattern(first), _pattern(second)):
                faults.append(
                    Fault(
                        second.place,
                        f"{_pattern(second)} and {_pattern(first)} (row {first.place.row}) can fit the same value "
                        "equally well and differ. Write one of them longer.",
                    )
                )
    return faults


def _pattern(rule: CategoryRule | VoucherRule) -> str:
    return rule.key if isinstance(rule, CategoryRule) else rule.code


def _target(rule: CategoryRule | VoucherRule) -> object:
    return rule.target if isinstance(rule, CategoryRule) else (rule.policy, rule.accounting_category)


def globs_meet(first: str, second: str) -> bool:
    """Whether some text fits both patterns; sets such as [ab] are compared by their characters."""
    left, right = _tokens(first), _tokens(second)
    reached = {(0, 0)}
    queue = [(0, 0)]
    while queue:
        i, j = queue.pop()
        if i == len(left) and j == len(right):
            return True
        for step in _steps(left, right, i, j):
            if step not in reached:
                reached.add(step)
                queue.append(step)
    return False


def _steps(left: list[str], right: list[str], i: int, j: int) -> Iterator[tuple[int, int]]:
    a, b = left[i] if i < len(left) else "", right[j] if j < len(right) else ""
    if a == "*":
        yield i + 1, j
    if b == "*":
        yield i, j + 1
    if a and b and a == "*" != b:
        yield i, j + 1
    elif a and b and b == "*" != a:
        yield i + 1, j
    elif a and b and _tokens_meet(a, b):
        yield i + 1, j + 1


def _tokens(pattern: str) -> list[str]:
    tokens, index = [], 0
    while index < len(pattern):
        end = pattern.find("]", index + 2) if pattern[index] == "[" else -1
        stop = end + 1 if end > 0 else index + 1
        tokens.append(pattern[index:stop])
        index = stop
    return tokens


def _tokens_meet(a: str, b: str) -> bool:
    if "?" in (a, b) or "*" in (a, b):
        return True
    # Ranges and negations are rare in keys; taking them as "may meet" only asks for a clearer pattern.
    if any(len(token) > 1 and ("-" in token or token[1] in "!^") for token in (a, b)):
        return True
    return not set(a.strip("[]") or a).isdisjoint(b.strip("[]") or b)
