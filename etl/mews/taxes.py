"""Tax environments and rates -> the codes that an enterprise may use, with the times at which it may. Pure.

Rule: configuration -> TaxEnvironmentCode -> its TaxationCodes -> their TaxRates; each validity is cut to the
environment's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from etl.errors import MewsError
from etl.mews.fields import Json, essential, moment, number, objects, part, text, texts
from etl.model.reference import Strategy, TaxRate, Validity

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = Validity(_EPOCH, _EPOCH)
"""An empty interval: a code that exists and is valid at no time."""

# Mews's own spelling, and the right one, in case it is corrected.
_VALIDITY_NAMES = ("ValidityInvervalsUtc", "ValidityIntervalsUtc")


def usable_rates(environment_code: str, environments: Iterable[Json], rates: Iterable[Json]) -> dict[str, TaxRate]:
    """The codes usable in the environment; all of them where the enterprise has none ("").

    Raises MewsError where the environment does not exist, or one code has two meanings.
    """
    usable: dict[str, TaxRate] = {}
    scopes = _scopes(environment_code, environments)
    for row in rates:
        taxation = essential(row, "TaxationCode", "TaxRate")
        bounds = [()] if scopes is None else [scope for codes, scope in scopes if taxation in codes]
        for bound in bounds:
            rate = _rate(row, taxation, bound)
            if rate is not None:
                usable[rate.code] = _merged(usable.get(rate.code), rate)
    return usable


def tax_country(environment_code: str, environments: Iterable[Json]) -> str:
    """ISO alpha-2 code of the environment's country, which Mews writes as alpha-3; "" where it names none, or several."""
    found = {text(row, "CountryCode") for row in environments if text(row, "Code") == environment_code}
    if len(found) != 1:
        return ""
    import pycountry

    country = pycountry.countries.get(alpha_3=found.pop())
    return str(country.alpha_2) if country else ""


def _scopes(code: str, environments: Iterable[Json]) -> list[tuple[frozenset[str], tuple[Validity, ...]]] | None:
    if not code:
        return None
    found = [
        (frozenset(texts(row, "TaxationCodes")), _environment_validity(row))
        for row in environments
        if text(row, "Code") == code
    ]
    if not found:
        raise MewsError(
            f"the enterprise's tax environment {code} does not exist",
            code="mews.answer",
            hint="Ask Mews: no tax code can be checked without it.",
        )
    return found


def _environment_validity(row: Json) -> tuple[Validity, ...]:
    start = moment(row, "ValidityStartUtc", "TaxEnvironment")
    end = moment(row, "ValidityEndUtc", "TaxEnvironment")
    return (Validity(start, end),) if start or end else ()


def _rate(row: Json, taxation: str, bound: tuple[Validity, ...]) -> TaxRate | None:
    strategy = part(row, "Strategy")
    kind = text(strategy, "Discriminator") or Strategy.RELATIVE.value
    if kind not in Strategy.__members__.values():
        # A kind of tax that nobody here can calculate: the code is not offered.
        return None
    content = part(strategy, "Value")
    value = number(content, "Value", "TaxRate.Strategy") if content else _plain_value(row, strategy)
    return TaxRate(
        code=essential(row, "Code", "TaxRate"),
        taxation=taxation,
        strategy=Strategy(kind),
        value=value,
        base=texts(content or strategy, "BaseTaxationCodes"),
        currency=text(content or strategy, "CurrencyCode"),
        validity=_intersection(_intervals(row), bound),
    )


def _plain_value(row: Json, strategy: Json) -> Decimal:
    return number(strategy if "Value" in strategy else row, "Value", "TaxRate")


def _intervals(row: Json) -> tuple[Validity, ...]:
    for name in _VALIDITY_NAMES:
        if row.get(name) is not None:
            found = tuple(
                Validity(moment(entry, "StartUtc", "TaxRate"), moment(entry, "EndUtc", "TaxRate"))
                for entry in objects(row, name)
            )
            if any(interval == Validity() for interval in found):
                return ()
            return found
    return ()


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
