"""What an order opens to, taken over from the plan: most orders of a dry run, without a value made for every entry.

The plan's own line is the list of what would be sent; beside it stand only figures that it leaves out. The page unfolds
it (`unfolded` in table.js.j2), `PlainDetail.whole` does the same for whoever reads without scripts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from etl.model.money import units_text
from etl.model.plan import EntryKind, letters_of
from etl.report.cells import PAYMENT
from etl.report.facts import EntryRow, OrderDetail, SourceRows

EXACT = 2**53
"""Whole numbers from here on are none that a browser's JSON reads exactly."""
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class PlainDetail(NamedTuple):
    """An order whose entries are told as its plan line tells them.

    `joined`: the sentence before and after its number. `source`: where its rows stand, headers of the order and of the lines.
    `groups`: the rows as JSON. `entries`: [line, kind, count, unit, basis, codes, what] each, as JSON. `nets` in smallest
    units, `rows` of the export (0 for none), `rules`, and `names` of products ("" for items), one for each entry.
    `parts`: origin and rule by the letters of entries that no row stands for.
    """

    number: str
    joined: tuple[str, str]
    source: tuple[str, tuple[str, ...], tuple[str, ...]]
    groups: str
    entries: str
    nets: Sequence[int]
    rows: Sequence[int]
    rules: Sequence[str]
    names: Sequence[str]
    parts: Mapping[str, tuple[str, str]]

    @property
    def whole(self) -> OrderDetail:
        """The same with a value for every entry."""
        where, *heads = self.source
        beside = zip(json.loads(self.entries), self.nets, self.rows, self.rules, self.names, strict=True)
        entries = [self._entry(*one) for one in beside]
        groups = [(tuple(cells), [(row, tuple(line)) for row, line in rows]) for cells, rows in json.loads(self.groups)]
        source = SourceRows(where, (heads[0], heads[1]), groups)
        return OrderDetail(self.number, self.number.join(self.joined), [source], entries)

    def _entry(self, entry: Sequence[Any], net: int, row: int, rule: str, name: str) -> EntryRow:
        line, kind, count, unit, _, codes, what = entry
        digits = len(unit.partition(".")[2])
        gross = count * int(unit.replace(".", ""))
        origin, own = self.parts.get(letters_of(line), ("", ""))
        return EntryRow(
            line,
            name or what[0],
            str(count),
            unit,
            PAYMENT if kind == EntryKind.PAYMENT.value else " ".join(codes) or "exempt",
            units_text(net, digits),
            units_text(gross - net, digits),
            units_text(gross, digits),
            origin=f"row {row}" if row else origin,
            rule=rule or own,
        )


class Shared:
    """What plain orders have in common, told once on the page: sources, rules, and words."""

    def __init__(self) -> None:
        self._sources: dict[tuple[Any, ...], int] = {}
        self._rules: dict[str, int] = {}
        self._words: dict[str, Any] = {}

    def text(self, one: PlainDetail) -> str | None:
        """The order as the page unfolds it; None where it holds a number that a browser would round.

        *Shape*: `[0, [[source, groups]], entries, nets, rows, rules, names]`; `rules` is one number where all entries of
        rows have the same, `names` is 0 where there are none.
        """
        if any(abs(net) >= EXACT for net in one.nets):
            return None
        self._words = {"joined": one.joined, "parts": one.parts}
        source = self._sources.setdefault(one.source, len(self._sources))
        own = {rule for rule in one.rules if rule}
        rules: int | list[int] = [self._rule(rule) for rule in one.rules] if len(own) > 1 else self._rule(*own or ("",))
        names = list(one.names) if any(one.names) else 0
        beside = _encode([list(one.nets), list(one.rows), rules, names])[1:-1]
        return f"[0,[[{source},{one.groups}]],{one.entries},{beside}]"

    @property
    def is_empty(self) -> bool:
        """Whether no plain order was told."""
        return not self._sources

    def document(self) -> dict[str, Any]:
        """The facts that the orders refer to by number."""
        return {"sources": list(self._sources), "rules": list(self._rules), **self._words}

    def _rule(self, rule: str) -> int:
        return self._rules.setdefault(rule, len(self._rules))
