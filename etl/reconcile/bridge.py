"""From what the shop sold to what Mews holds, line by line and exact. Pure; memory follows currencies and bases.

Rule: design section 2. Up to the items that Mews should hold the lines come from the money of each order
(`OrderMoney.bridge`); from there on from what Mews showed. What Mews holds is added up by itself, so that a bridge that
does not arrive there is noticed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from etl.errors import InternalError
from etl.model.money import money_text, usual_digits
from etl.model.plan import Basis
from etl.model.shares import BridgeLine, Fate, Line, OrderMoney
from etl.model.states import PLANNED, State
from etl.reconcile.notebook import Booked, Sighting
from etl.reconcile.presence import Held, PartKey
from etl.reconcile.values import ORDER_PART, UNDO_PART

ZERO = Decimal(0)
LINES = tuple(line for line in BridgeLine if line is not BridgeLine.IN_MEWS)

Row = tuple[str, str]
"""Currency and basis."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What Mews showed of one order number.

    `own`: items read back by the OrderId of the ledger, None where it was not read back; `seen`: what the scan met.
    """

    own: Sequence[Booked] | None = None
    seen: Sequence[Sighting] = ()


@dataclass(slots=True)
class Bridge:
    """Adds up order by order. `default`: the enterprise's basis, for what no source explains.

    `precisions`: the decimals of currencies, as Mews has them.
    """

    default: Basis
    precisions: Mapping[str, int] = field(default_factory=dict)
    rows: dict[Row, dict[BridgeLine, Decimal]] = field(default_factory=dict)
    held: dict[Row, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    unexplained: list[Booked] = field(default_factory=list)
    _order: dict[tuple[BridgeLine, Row], Decimal] = field(default_factory=dict)

    def add(self, money: OrderMoney, shown: Shown, parts: Mapping[PartKey, Held]) -> tuple[Line, ...]:
        """One order that the ledger knows; `parts` by generation and name, reversals left out. Gives its own lines."""
        self._order = {}
        basis = money.amounts.basis if money.amounts is not None else money.reading.basis
        sorted_out = _sort_out(shown, parts)
        for name, currency, row_basis, amount in money.bridge(is_seen=bool(sorted_out.doubtful)):
            self._line(BridgeLine(name), (currency, row_basis), amount)
        for line, one in self._in_mews(money, shown, sorted_out):
            self._line(line, (one.currency, basis), one.amount(basis))
        expected = money.expected_items if money.items in (Fate.POSTED, Fate.UNKNOWN) else ZERO
        against = _where_it_went(money, shown, sorted_out)
        if against is not None and money.amounts is not None:
            self._line(against, (money.amounts.currency, basis), -expected)
        for one in (*(shown.own or ()), *_not_own(money, shown, parts)):
            self.held[one.currency, basis] += one.amount(basis)
            key = (BridgeLine.IN_MEWS, (one.currency, str(basis)))
            self._order[key] = self._order.get(key, ZERO) + one.amount(basis)
        return tuple((line, *row, amount) for (line, row), amount in self._order.items() if amount)

    def add_unknown(self, shown: Shown) -> None:
        """One order that only Mews knows."""
        self.unexplained += [_booked(one) for one in shown.seen if one.is_order]

    def finish(self) -> list[dict[str, str]]:
        """The rows of `--json`. Raises InternalError where the lines do not lead to what Mews holds."""
        for one in self.unexplained:
            row = self._row_of(one.currency)
            self._line(BridgeLine.UNEXPECTED, row, one.amount(Basis(row[1])))
            self.held[row] += one.amount(Basis(row[1]))
        self.unexplained = []
        return [line for row in sorted(self.rows.keys() | self.held.keys()) for line in self._finished(row)]

    def _finished(self, row: Row) -> Iterator[dict[str, str]]:
        lines, held = self.rows.get(row, {}), self.held[row]
        total = sum(lines.values(), ZERO)
        if total != held:
            raise InternalError(
                f"the bridge in {row[0] or '(no currency)'} {row[1]} leads to {total}, Mews holds {held}",
                code="internal.bridge",
            )
        for line in (*LINES, BridgeLine.IN_MEWS):
            amount = held if line is BridgeLine.IN_MEWS else lines.get(line, ZERO)
            if line is BridgeLine.NOT_READ and not amount:
                continue
            yield {"currency": row[0], "basis": str(row[1]), "line": line.value, "amount": self.text(amount, row[0])}

    def text(self, amount: Decimal, currency: str) -> str:
        """An amount as text, with the decimals of its currency."""
        return money_text(amount, self.precisions.get(currency, usual_digits(currency)))

    def amount(self, line: BridgeLine, currency: str, basis: str) -> Decimal:
        """One line of one currency and basis: what is with tax and what is without is never added up."""
        return self.rows.get((currency, basis), {}).get(line, ZERO)

    def _row_of(self, currency: str) -> Row:
        """Where money without a source stands: in the one basis of its currency, else in the enterprise's."""
        bases = {row[1] for row in self.rows if row[0] == currency}
        return (currency, str(bases.pop() if len(bases) == 1 else self.default.value))

    def _line(self, line: BridgeLine, row: Row, amount: Decimal) -> None:
        lines = self.rows.setdefault((row[0], str(row[1])), {})
        lines[line] = lines.get(line, ZERO) + amount
        key = (line, (row[0], str(row[1])))
        self._order[key] = self._order.get(key, ZERO) + amount

    @staticmethod
    def _in_mews(money: OrderMoney, shown: Shown, found: _Sorted) -> Iterator[tuple[BridgeLine, Booked]]:
        yield from ((BridgeLine.OTHERWISE, one) for one in shown.own or ())
        if shown.own is None and money.items is not Fate.POSTED:
            yield from ((BridgeLine.OTHERWISE, one) for one in found.own)
        yield from ((BridgeLine.OTHERWISE, one) for one in found.doubtful)
        copies = BridgeLine.OTHERWISE if _is_replaced(money, shown, found) else BridgeLine.TWICE
        yield from ((copies, one) for one in found.copies)
        yield from ((BridgeLine.UNEXPECTED, one) for one in found.unexpected)
        yield from ((BridgeLine.LEFT, one) for one in found.left)


@dataclass(slots=True)
class _Sorted:
    """Sightings by what they are to the ledger."""

    own: list[Booked] = field(default_factory=list)
    copies: list[Booked] = field(default_factory=list)
    doubtful: list[Booked] = field(default_factory=list)
    unexpected: list[Booked] = field(default_factory=list)
    left: list[Booked] = field(default_factory=list)


def _sort_out(shown: Shown, parts: Mapping[PartKey, Held]) -> _Sorted:
    found = _Sorted()
    for one in shown.seen:
        if one.is_order and one.live:
            _list_of(one, parts.get((one.generation, ORDER_PART)), found).append(_booked(one))
    return found


def _list_of(one: Sighting, held: Held | None, found: _Sorted) -> list[Booked]:
    if one.part == UNDO_PART:
        return found.left
    if held is None or (held.state in PLANNED and not held.mews_id):
        return found.unexpected
    if held.state in (State.IN_FLIGHT, State.UNKNOWN):
        return found.doubtful
    if held.state is State.UNDONE:
        return found.left
    return found.own if one.mews_id.lower() == held.mews_id.lower() else found.copies


def _not_own(money: OrderMoney, shown: Shown, parts: Mapping[PartKey, Held]) -> Iterator[Booked]:
    """What the scan met beside the items that were read back, and beside those of what was posted meanwhile.

    Of the latter the scan may have met some items and not the others: they are on a line of their own.
    """
    is_known = shown.own is not None or money.items is Fate.POSTED
    for one in shown.seen:
        held = parts.get((one.generation, ORDER_PART))
        is_own = (
            one.part == ORDER_PART
            and held is not None
            and held.state in (State.POSTED, State.DIFFERENT)
            and one.mews_id.lower() == held.mews_id.lower()
        )
        if one.is_order and one.live and not (is_own and is_known):
            yield _booked(one)


def _is_replaced(money: OrderMoney, shown: Shown, found: _Sorted) -> bool:
    """Whether the order stands in Mews once, under another OrderId."""
    return money.items is Fate.POSTED and not shown.own and not found.own and len(found.copies) == 1


def _where_it_went(money: OrderMoney, shown: Shown, found: _Sorted) -> BridgeLine | None:
    """Against which line the items that the ledger expects are set; None where it expects none."""
    if money.items is Fate.UNKNOWN:
        return BridgeLine.OTHERWISE if found.doubtful else None
    if money.items is not Fate.POSTED:
        return None
    if shown.own or _is_replaced(money, shown, found):
        return BridgeLine.OTHERWISE
    # Not read back at all: posted while this looked.
    return BridgeLine.MISSING if shown.own is not None else BridgeLine.NOT_READ


def _booked(one: Sighting) -> Booked:
    return Booked(one.currency, one.net, one.gross)
