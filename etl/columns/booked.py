"""What is booked of orders by tax-code set and by category, and what no answer of Mews tells of them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from etl.columns.quick import Booked
from etl.model.kinds import COMPANY, OLD, REBATES, payment_kind

Row = tuple[tuple[str, ...], str, int, int]
"""Codes, AccountingCategoryId, net, gross."""


def summed(rows: Iterable[Row]) -> tuple[tuple[tuple[tuple[str, ...], Booked], ...], tuple[tuple[str, Booked], ...]]:
    """What is booked by tax-code set and by category, each in the order of the rows."""
    taxes: dict[tuple[str, ...], Booked] = {}
    categories: dict[str, Booked] = {}
    for codes, category, net, gross in rows:
        has_codes = bool(codes)
        its_net, its_gross, _ = taxes.get(codes, _NOTHING)
        taxes[codes] = (its_net + net, its_gross + gross, has_codes)
        its_net, its_gross, has_any = categories.get(category, _NOTHING)
        categories[category] = (its_net + net, its_gross + gross, has_any or has_codes)
    return tuple(taxes.items()), tuple(categories.items())


def unproved(
    *, is_negative: bool, is_company: bool, is_old: bool = False, types: Collection[str] = ()
) -> tuple[str, ...]:
    """What no answer of Mews tells beforehand of an order; `types` are those of its external payments."""
    found = (*_REBATES[is_negative], *_COMPANY[is_company], *_OLD[is_old])
    return (*found, *map(payment_kind, sorted(set(types)))) if types else found


_NOTHING: Booked = (0, 0, False)
_REBATES, _COMPANY, _OLD = ((), (REBATES,)), ((), (COMPANY,)), ((), (OLD,))
