"""Which bill is whose where Mews returns neither identifiers nor notes: the ids of posted bills, read back all the same.

Rule: design section 9: ids are read back, as one answer for many bills does not tell them. `Number` always comes back, but
the hotel's tills number their bills too. So a bill is taken for an order's only if number, outlet, closing and amounts are
what was sent, and if no other bill is like it; else its id stays unknown until a person names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from etl.evidence.marks import identity_of
from etl.ledger.ledger import Ledger
from etl.ledger.records import ORDER_PART, Attempt, Part, PartKind
from etl.ledger.steps import PartKey
from etl.load.attempted import may_be
from etl.load.reversal import OPPOSITE, what_of
from etl.model.bill import identity_of_bill
from etl.model.identity import Identity
from etl.model.rows import OrderItemRow
from etl.model.states import State

Bills = dict[str, dict[str, OrderItemRow]]
"""Items by their id, by bill."""


class UnmarkedBills:
    """Met on one walk, which may meet the items of a bill on several pages, and some of them twice.

    It must have read whatever closed at `closings` before `ids` are asked for.
    """

    def __init__(self, ledger: Ledger, store: str) -> None:
        self._ledger = ledger
        self._store = store
        self._met: dict[PartKey, Bills] = {}
        self._shows_marks = False
        """A bill of this store came back with its mark: one without can't be ours, however alike it is."""

    def of_page(self, page: Iterable[OrderItemRow]) -> list[tuple[Identity, OrderItemRow]]:
        """The items without any mark whose bill bears a number as bills of this store do."""
        found = []
        for row in page:
            marked = identity_of(row)
            self._shows_marks = self._shows_marks or (marked is not None and marked.store == self._store)
            if row.number and marked is None:
                identity = identity_of_bill(row.number, self._store)
                if identity is not None:
                    found.append((identity, row))
        return found

    def see(self, rows: Iterable[tuple[Identity, OrderItemRow]]) -> None:
        """Notes those of posted bills whose id nobody has read. To be given none of orders that somebody has in hand."""
        found = list(rows)
        parts = self._ledger.parts({identity.number for identity, _ in found}) if found else {}
        for identity, row in found:
            known = parts.get(identity.number, ())
            if any(row.order_id in (part.mews_id, part.target) for part in known):
                continue
            for part in known:
                if _lacks_id(part, identity):
                    key = (part.number, part.generation, part.part)
                    self._met.setdefault(key, {}).setdefault(row.order_id, {})[row.id] = row

    def ids(self) -> dict[PartKey, str]:
        """The bill of each part of which there is exactly one that can be meant, and that no other part claims."""
        likely = dict(self._likely())
        claims: dict[str, int] = {}
        for bills in likely.values():
            for bill_id in bills:
                claims[bill_id] = claims.get(bill_id, 0) + 1
        return {key: bills[0] for key, bills in likely.items() if len(bills) == 1 and claims[bills[0]] == 1}

    def closings(self) -> set[datetime]:
        """When those closed that can be meant: only whoever has read all that closed then knows that there is one."""
        likely = ((self._met[key], bills) for key, bills in self._likely())
        rows = (row for met, bills in likely for bill_id in bills for row in met[bill_id].values())
        return {row.consumed for row in rows if row.consumed is not None}

    def _likely(self) -> Iterator[tuple[PartKey, list[str]]]:
        if self._shows_marks:
            return
        attempts = self._ledger.attempts_of({number for number, _, _ in self._met})
        for key, bills in self._met.items():
            sent = [one for one in attempts.get(key[0], ()) if (one.number, one.generation, one.part) == key]
            yield key, [bill_id for bill_id, rows in bills.items() if _is_sent(sent, list(rows.values()))]


def _is_sent(attempts: Iterable[Attempt], rows: list[OrderItemRow]) -> bool:
    return any(may_be(attempt, rows) for attempt in attempts)


def _lacks_id(part: Part, identity: Identity) -> bool:
    """Whether this is a posted bill of that identity, and Mews's id of it unknown."""
    if part.mews_id or part.state is not State.POSTED or part.generation != identity.generation:
        return False
    if identity.is_undo:
        return part.kind is PartKind.UNDO and what_of(part) == OPPOSITE
    return part.part == ORDER_PART
