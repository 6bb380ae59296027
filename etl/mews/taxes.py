"""Tax environments and rates -> the codes that an enterprise may use, with the times at which it may. Pure.

Rule: configuration -> TaxEnvironmentCode -> its TaxationCodes -> their TaxRates; each validity is cut to the
environment's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from etl.errors import MewsError
from etl.mews import entities
from etl.mews.fields import Json
from etl.model.reference import Strategy, TaxRate, Validity

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = Validity(_EPOCH, _EPOCH)
"""An empty interval: a code that exists and is valid at no time."""


def usable_rates(environment_code: str, environments: Iterable[Json], rates: Iterable[Json]) -> dict[str, TaxRate]:
    """The codes usable in the environment; all of them where the enterprise has none ("").

    Raises MewsError where the environment does not exist, or one code has two meanings.
    """
    usable: dict[str, TaxRate] = {}
    scopes = _scopes(environment_code, environments)
    for row in rates:
        taxation = entities.RateOfAnyKind.read(row).taxation_code
        bounds = [()] if scopes is None else [scope for codes, scope in scopes if taxation in codes]
        for bound in bounds:
            rate = _rate(row, bound)
            if rate is not None:
                usable[rate.code] = _merged(usable.get(rate.code), rate)
    return usable


def tax_country(environment_code: str, environments: Iterable[Json]) -> str:
    """ISO alpha-2 code of the environment's country, which Mews writes as alpha-3; "" where it names none, or several."""
    known = map(entities.TaxEnvironment.read, environments)
    found = {one.country_code for one in known if one.code == environment_code}
    if len(found) != 1:
        return ""
    import pycountry

    country = pycountry.countries.get(alpha_3=found.pop())
    return str(country.alpha_2) if country else ""


def _scopes(code: str, environments: Iterable[Json]) -> list[tuple[frozenset[str], tuple[Validity, ...]]] | None:
    if not code:
        return None
    found = [
        (frozenset(one.taxation_codes), _environment_validity(one))
        for one in map(entities.TaxEnvironment.read, environments)
        if one.code == code
    ]
    if not found:
        raise MewsError(
            f"the enterprise's tax environment {code} does not exist",
            code="mews.answer",
            hint="Ask Mews: no tax code can be checked without it.",
        )
    return found


def _environment_validity(one: entities.TaxEnvironment) -> tuple[Validity, ...]:
    start, end = one.validity_start_utc, one.validity_end_utc
    return (Validity(start, end),) if start or end else ()


def _rate(row: Json, bound: tuple[Validity, ...]) -> TaxRate | None:
    strategy = entities.RateOfAnyKind.read(row).strategy
    kind = strategy.get("Discriminator") or Strategy.RELATIVE.value
    if kind not in Strategy.__members__.values():
        # A kind of tax that nobody here can calculate: the code is not offered.
        return None
    rate, how = entities.TaxRate.read(row), _calculation(row, strategy)
    return TaxRate(
        code=rate.code,
        taxation=rate.taxation_code,
        strategy=Strategy(kind),
        value=how.value,
        base=how.base_taxation_codes,
        currency=how.currency_code,
        validity=_intersection(_intervals(rate), bound),
    )


def _calculation(row: Json, strategy: Json) -> entities.Calculation:
    content = strategy.get("Value")
    if isinstance(content, dict) and content:
        return entities.StrategyValue.read(content)
    return entities.Calculation.read({"Value": row.get("Value"), **strategy})


def _intervals(rate: entities.TaxRate) -> tuple[Validity, ...]:
    found = tuple(Validity(one.start_utc, one.end_utc) for one in rate.intervals)
    return () if Validity() in found else found


def _intersection(own: tuple[Validity, ...], bound: tuple[Validity, ...]) -> tuple[Validity, ...]:
    """Times in both; an empty tuple is always."""
    if not own or not bound:
        return own or bound
    both = [_overlap(one, other) for one in own for other in bound]
    return tuple(interval for interval in both if interval is not None) or (NEVER,)


def _overlap(one: Validity, other: Validity) -> Validity | None:
    start = max((s for s in (one.start, other.start) if s is not None), default=None)
    end = min((e for e in (one.end, other.end) if e is not None), default=None)
    return None if start is not None and end is not None and start >= end else Validity(start, end)


def _merged(known: TaxRate | None, rate: TaxRate) -> TaxRate:
    """One code met twice: in two versions of the environment, or in two intervals."""
    if known is None:
        return rate
    same = (known.taxation, known.strategy, known.value, known.base, known.currency)
    if same != (rate.taxation, rate.strategy, rate.value, rate.base, rate.currency):
        raise MewsError(
            f"the tax code {rate.code} has two meanings", code="mews.answer", hint="Ask Mews which one applies."
        )
    always = not known.validity or not rate.validity
    validity = () if always else tuple(dict.fromkeys((*known.validity, *rate.validity)))
    return TaxRate(rate.code, rate.taxation, rate.strategy, rate.value, rate.base, rate.currency, validity)
