"""What every rule of the transform may look at: mapping, reference data, window, caches. Pure values.

The lookups come in as arguments, because reading tables is another room's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from etl.model.codes import CODES
from etl.model.mapping import Mapping, Waiver
from etl.model.place import Place
from etl.model.problem import Problem, Severity
from etl.model.reference import Reference
from etl.model.route import Route
from etl.model.rules import CategoryRule, PaymentRule, TaxRule, VoucherRule
from etl.transform.arithmetic import Arithmetic
from etl.transform.consumption import Window
from etl.transform.conversion import Conversion

WaiverIndex = dict[str, dict[str, Waiver]]
"""Order number to problem code to the row of waivers.csv."""


def waivers_of(mapping: Mapping) -> WaiverIndex:
    """waivers.csv by order and code."""
    index: WaiverIndex = {}
    for waiver in mapping.waivers:
        index.setdefault(waiver.order_number, {})[waiver.problem_code] = waiver
    return index


class Footing(StrEnum):
    """How orderTotal of an order without tax came about (design section 6), in the order of preference."""

    WITHOUT_TAX = "without tax"
    ONCE = "with tax, rounded once"
    PER_RATE = "with tax, rounded per rate"
    PER_LINE = "with tax, rounded per line"


class TaxLookup(Protocol):
    """taxes.csv, ready to be asked."""

    def find(self, *, country: str, percent: Decimal, day: date, store_type: str, sku: str) -> TaxRule | None:
        """The most specific row."""

    def find_without_rate(self, *, country: str, day: date, store_type: str, sku: str) -> list[TaxRule]:
        """The rows that a line without a rate may mean."""

    def find_shipping(self, *, country: str, day: date, store_type: str) -> TaxRule | None:
        """The row for shipping without goods."""

    def named_country_rates(self, *, country: str, day: date, store_type: str) -> list[TaxRule]:
        """The rows that name the country and hold on the day."""


@dataclass(frozen=True, slots=True)
class Lookups:
    """How the mapping's tables are searched."""

    taxes: TaxLookup
    find_glob: Callable[[Sequence[CategoryRule], str, str], CategoryRule | None]
    find_voucher: Callable[[Sequence[VoucherRule], str], VoucherRule | None]
    find_payment: Callable[[Sequence[PaymentRule], str], PaymentRule | None]


@dataclass(frozen=True, slots=True)
class Context:
    """One enterprise, one mapping, one moment. `footing` is None where no order has decided it; `articles` is the memory of
    `etl.transform.products`, `near_rows` that of `etl.transform.near`.
    """

    mapping: Mapping
    reference: Reference
    lookups: Lookups
    window: Window
    conversion: Conversion
    footing: Footing | None = Footing.WITHOUT_TAX
    is_public_demo: bool = False
    waivers: WaiverIndex = field(default_factory=dict)
    articles: dict[tuple[str, ...], Any] = field(default_factory=dict, compare=False, repr=False)
    near_rows: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    is_outlet: bool = field(init=False, default=False)
    """Whether orders become bills of an outlet."""

    def __post_init__(self) -> None:
        # Asked several times for every order of a history.
        object.__setattr__(self, "is_outlet", self.mapping.settings.route is Route.OUTLET)

    @property
    def arithmetic(self) -> Arithmetic:
        """What Mews books."""
        return self.conversion.arithmetic


class Findings:
    """Collects the problems of one order while its rules run. `waivers`: what a person accepted of it, by code."""

    __slots__ = ("_seen", "_waivers", "number", "problems")

    def __init__(self, number: str, problems: Sequence[Problem] = (), waivers: dict[str, Waiver] | None = None) -> None:
        self.number = number
        self.problems = list(problems)
        self._seen = set(problems)
        self._waivers = waivers or {}

    def add(self, *problems: Problem) -> None:
        """Keeps the problems, each once."""
        for problem in problems:
            if problem not in self._seen:
                self._seen.add(problem)
                self.problems.append(self._accepted(problem))

    def add_rule(self, problems: Iterable[Problem], place: Place | None = None) -> bool:
        """Keeps what is wrong with a rule that the order needs, as met at `place`; whether it holds the order back."""
        met = [replace(problem, order=self.number, place=place or Place()) for problem in problems]
        self.add(*met)
        return bool(met)

    def _accepted(self, problem: Problem) -> Problem:
        """The problem, as a notice where waivers.csv accepts it and Mews takes the order all the same."""
        waiver = self._waivers.get(problem.code)
        if waiver is None or not CODES[problem.code].can_waive:
            return problem
        message = f"{problem.message} Accepted by {waiver.by} on {waiver.date}: {waiver.reason}"
        return replace(problem, severity=Severity.NOTICE, message=message)

    def has(self, *codes: str) -> bool:
        """Whether a problem with one of the codes was found."""
        return any(problem.code in codes for problem in self.problems)

    @property
    def blocks(self) -> bool:
        """Whether one of them holds the order back."""
        return any(problem.is_error for problem in self.problems)
