"""Which orders of an export can be read and foot, and what keeps the others out: grouped by cause, with money. Pure.

Rule: design section 2, `inspect`: twenty lines of the same problem are one line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from etl.model.codes import CODES
from etl.model.money import usual_text
from etl.model.order import Order
from etl.model.problem import Problem
from etl.pipeline.readings import CONTRACT, READINGS, amounts_are_read, foots
from etl.reading.kinds import Kind
from etl.reading.names import KINDS
from etl.staging.facts import FileFacts

EXAMPLES = 3
LEAST = 20
_NET = "lines + shipping - voucher, with tax on top"
_OF_BUNDLES = ("contents of bundles left out", "bundles left out, their contents charged")
_WORDS = frozenset(
    {Kind.STATUS, Kind.STATUS_NUMBER, Kind.STORE, Kind.COUNTRY, Kind.CURRENCY, Kind.ORIGIN, Kind.EMAIL, Kind.DATE,
     Kind.PAYMENT_STATUS, Kind.TEXT, Kind.SKU, Kind.EAN, Kind.ID}
)  # fmt: skip
_DOES_NOT_FOOT = "total.mismatch"


@dataclass(slots=True)
class Cause:
    """One thing that keeps orders out. `values` counts what stands in the cells, "" for whole orders."""

    code: str
    column: str
    message: str
    hint: str
    place: str = ""
    orders: int = 0
    money: dict[str, Decimal] = field(default_factory=dict)
    unreadable: int = 0
    values: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    @property
    def weight(self) -> Decimal:
        """What the causes are sorted by."""
        return sum(map(abs, self.money.values()), Decimal(0))


@dataclass(slots=True)
class _Basis:
    """Orders of one type of store that have a total, and how many foot with tax, without, and in either reading."""

    orders: int = 0
    gross: int = 0
    net: int = 0
    either: int = 0

    def answer(self) -> bool | None:
        """Whether prices are with tax, None where it is not proved."""
        for answer, mine, other in ((True, self.gross, self.net), (False, self.net, self.gross)):
            if mine - self.either >= LEAST and mine > other and mine * 100 >= self.orders * 99:
                return answer
        return None


class Verdict:
    """Counts orders by whether they can be read and foot, each cause once an order.

    `waiting` are orders that foot, and of which only words (statuses, countries, ..) are not known yet.
    """

    def __init__(self, *, prices_include_tax: bool | str | None = None, words: Collection[str] = ()) -> None:
        """`prices_include_tax` as the folder says it, None where nothing does; `words`: headers without amounts."""
        self._words = words
        self._include = prices_include_tax
        self.orders = self.good = self.without_total = self.waiting = 0
        self.money: dict[str, Decimal] = {}
        self.good_money: dict[str, Decimal] = {}
        self.causes: dict[tuple[str, str], Cause] = {}
        self._basis: dict[str, _Basis] = {}

    def add(self, order: Order) -> None:
        """Counts one order."""
        self.orders += 1
        _take(self.money, order)
        if order.order_total is not None and amounts_are_read(order, self._words):
            self._weigh(order)
        if not order.is_readable:
            seen = set()
            for problem in order.problems:
                key = (problem.code, problem.place.column)
                if problem.is_error and key not in seen:
                    seen.add(key)
                    self._cause(order, problem, key)
            if order.order_total is not None and amounts_are_read(order, self._words):
                # Only words keep it out: whether it foots is known all the same.
                if self._foots(order):
                    self.waiting += 1
                else:
                    self._tell_total(order)
            return
        if order.order_total is None:
            self.without_total += 1
        elif not self._foots(order):
            self._tell_total(order)
            return
        self.good += 1
        _take(self.good_money, order)

    def _tell_total(self, order: Order) -> None:
        message = f"The lines, shipping and voucher do not add up to the total {order.order_total:f}."
        problem = Problem(_DOES_NOT_FOOT, order.number, order.place, f"{order.order_total:f}", message)
        self._cause(order, problem, (_DOES_NOT_FOOT, ""))

    def _weigh(self, order: Order) -> None:
        """Counts, by type of store, whether the total tells prices with tax from prices without."""
        is_gross, is_net = (foots(order, READINGS[name](order)) for name in (CONTRACT, _NET))
        counts = self._basis.setdefault("b2b" if order.store_type == "b2b" else "b2c", _Basis())
        counts.orders += 1
        counts.gross += is_gross
        counts.net += is_net
        counts.either += is_gross and is_net

    def _foots(self, order: Order) -> bool:
        include = self._include
        if include == "b2c":
            include = order.store_type != "b2b"
        names = [CONTRACT, *_OF_BUNDLES] if include is True else [CONTRACT, _NET, *_OF_BUNDLES]
        return any(foots(order, READINGS[name](order)) for name in names)

    def _cause(self, order: Order, problem: Problem, key: tuple[str, str]) -> None:
        known = CODES.get(problem.code)
        hint = problem.hint or (known.hint if known else "")
        cause = self.causes.setdefault(key, Cause(*key, problem.message, hint, str(problem.place)))
        cause.orders += 1
        if order.order_total is None:
            cause.unreadable += 1
        _take(cause.money, order)
        if problem.value and problem.code != _DOES_NOT_FOOT:
            cause.values[problem.value[:60]] = cause.values.get(problem.value[:60], 0) + 1
        if len(cause.examples) < EXAMPLES:
            cause.examples.append(order.number)

    def sorted_causes(self) -> list[Cause]:
        """Most money first."""
        return sorted(self.causes.values(), key=lambda one: (-one.weight, -one.orders, one.code, one.column))

    def proved_basis(self) -> bool | str | None:
        """What `source.prices_include_tax` is proved to be; None where the totals do not tell.

        Rule: design section 3a: 99 of 100 orders that have a total, twenty at least that tell the two readings apart.
        """
        answers = {kind: counts.answer() for kind, counts in self._basis.items()}
        found = set(answers.values())
        if len(found) == 1:
            return found.pop()
        return "b2c" if answers == {"b2c": True, "b2b": False} else None

    def document(self) -> dict[str, Any]:
        """The verdict as data."""
        return {
            "orders": {"read": self.orders, "good": self.good, "kept_out": self.orders - self.good},
            "waiting_for_words": self.waiting,
            "without_total": self.without_total,
            "money": {
                "read": amounts(self.money),
                "good": amounts({currency: self.good_money.get(currency, Decimal(0)) for currency in self.money}),
            },
            "causes": [
                {
                    "code": one.code,
                    "column": one.column,
                    "orders": one.orders,
                    "money": amounts(one.money),
                    "without_total": one.unreadable,
                    "message": one.message,
                    "place": one.place,
                    "values": [
                        value for value, _ in sorted(one.values.items(), key=lambda pair: (-pair[1], pair[0]))[:10]
                    ],
                    "kinds": len(one.values),
                    "examples": one.examples,
                    "hint": one.hint,
                }
                for one in self.sorted_causes()
            ],
        }


def word_columns(files: Iterable[FileFacts]) -> frozenset[str]:
    """Headers whose cells are words or dates: what can't be read there leaves the amounts as they are."""
    return frozenset(header for file in files for header, name in file.columns.used if KINDS.get(name) in _WORDS)


def _take(sums: dict[str, Decimal], order: Order) -> None:
    if order.order_total is not None:
        sums[order.currency] = sums.get(order.currency, Decimal(0)) + order.order_total


def amounts(sums: Mapping[str, Decimal]) -> list[dict[str, str]]:
    """Money by currency, as every document has it."""
    return [{"currency": currency, "amount": usual_text(amount, currency)} for currency, amount in sorted(sums.items())]
