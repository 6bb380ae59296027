"""Which tax codes of the enterprise a row of taxes.csv may mean. Pure.

Rule: design section 3a: a cell is filled in only for the country of the enterprise's tax environment, a rate above 0
and one code valid over the whole period; everything else is for a person, with candidates. 0 % has many meanings.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Protocol

from etl.model.reference import Strategy, TaxRate, Validity
from etl.transform.consumption import zone


class TaxWorld(Protocol):
    """What decides: the enterprise's codes, the country of its tax environment, its calendar."""

    @property
    def tax_rates(self) -> AnyMapping[str, TaxRate]:
        """By code."""

    @property
    def tax_country(self) -> str:
        """ISO alpha-2, or ""."""

    @property
    def timezone(self) -> str:
        """IANA name."""


NOT_ALWAYS = " (not all the time)"
"""What stands behind a code that is valid over some of the period only."""


@dataclass(frozen=True, slots=True)
class TaxCandidates:
    """Codes of the wanted rate: `whole` are valid over the whole period, `partly` over some of it.

    `decided` is the one code that may be filled in without a person, or "".
    """

    whole: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()
    decided: str = ""

    @property
    def comment(self) -> str:
        """The cell of the comment column `# candidates`: codes separated by blanks, those of a part of the time last."""
        return " ".join([*self.whole, *(f"{code}{NOT_ALWAYS}" for code in self.partly)])


def tax_candidates(
    reference: TaxWorld, *, country: str, percent: Decimal | None, start: date | None, end: date | None
) -> TaxCandidates:
    """The codes that a row of taxes.csv for this country, rate and period (`end` exclusive, None open) may mean.

    `percent` None (`*` or `shipping`) has no candidates: several rates fit.
    """
    if percent is None:
        return TaxCandidates()
    period = Validity(_midnight(start, reference), _midnight(end, reference))
    whole, partly = [], []
    for rate in sorted(_of_rate(reference.tax_rates.values(), percent), key=lambda rate: rate.code):
        if _covers(rate, period):
            whole.append(rate.code)
        elif _meets(rate, period):
            partly.append(rate.code)
    is_home = bool(reference.tax_country) and country == reference.tax_country
    decided = whole[0] if is_home and percent > 0 and len(whole) == 1 else ""
    return TaxCandidates(tuple(whole), tuple(partly), decided)


def codes_valid(reference: TaxWorld, start: date | None, end: date | None) -> tuple[str, ...]:
    """Every code on the price itself that is valid over the whole period, the highest rate first: where no rate is told."""
    period = Validity(_midnight(start, reference), _midnight(end, reference))
    rates = [one for one in reference.tax_rates.values() if one.strategy is Strategy.RELATIVE and _covers(one, period)]
    return tuple(one.code for one in sorted(rates, key=lambda one: (-one.value, one.code)))


def _of_rate(rates: Iterable[TaxRate], percent: Decimal) -> Iterable[TaxRate]:
    """Only taxes on the price itself: what depends on others, or is an amount a piece, means nothing alone."""
    return (rate for rate in rates if rate.strategy is Strategy.RELATIVE and rate.value * 100 == percent)


def _midnight(day: date | None, reference: TaxWorld) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), zone(reference.timezone)).astimezone(UTC)


_EVER = datetime.max.replace(tzinfo=UTC)
_ALWAYS = datetime.min.replace(tzinfo=UTC)


def _covers(rate: TaxRate, period: Validity) -> bool:
    """Whether the intervals of the code together hold the whole period."""
    if not rate.validity:
        return True
    reached, end = period.start or _ALWAYS, period.end or _EVER
    for interval in sorted(rate.validity, key=lambda one: one.start or _ALWAYS):
        if (interval.start or _ALWAYS) > reached:
            return False
        reached = max(reached, interval.end or _EVER)
        if reached >= end:
            return True
    return False


def _meets(rate: TaxRate, period: Validity) -> bool:
    start, end = period.start or _ALWAYS, period.end or _EVER
    return any(
        (interval.start or _ALWAYS) < end and (interval.end or _EVER) > start and interval.start != interval.end
        for interval in rate.validity
    )
