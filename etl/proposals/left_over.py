"""Columns that no field was found for: amounts without which the orders foot, and what a person has to look at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from etl.model.mapping import NOT_MIGRATED, Sure
from etl.proposals import lists
from etl.proposals.column import ColumnProposal
from etl.proposals.content import Profile
from etl.proposals.footing import ROLES, Footing
from etl.proposals.names import LINE_TOTAL, fields_named, gives_back
from etl.proposals.sheet import Sheet
from etl.reading.kinds import Kind
from etl.reading.names import KINDS, LINE
from etl.staging.fields import is_secret, reason_of

PAID = "payment.capture.amount"


def left_over(
    sheet: Sheet, taken: Mapping[str, str], footing: Footing | None, told: Collection[str]
) -> Iterable[ColumnProposal]:
    """Columns that no field was found for: amounts without which the orders foot, and what a person has to look at.

    `told`: columns that the footing needs, though it does not say for what.
    """
    is_enough = footing is not None and footing.is_enough
    roles = {role: [one for one in sheet.profiles if role in fields_named(one)] for role in ROLES[3:]}
    beside = {*left_beside(sheet, roles, footing)} if footing is not None else set()
    for header, one in sheet.profiles.items():
        if header in taken or header in told or not one.filled or is_secret(header) or _is_left_out(sheet, header):
            continue
        named = tuple(name for name in fields_named(header) if name in KINDS)
        if gives_back(header) and one.fits(Kind.AMOUNT) and _has_amounts(sheet, header):
            yield ColumnProposal(header, evidence=lists.GIVEN_BACK, samples=one.samples)
        elif is_enough and footing and header in beside:
            evidence = (
                "holds amounts, and the orders foot without it: look whether the total is that of the goods alone"
            )
            yield ColumnProposal(header, evidence=evidence, candidates=named, samples=one.samples)
        elif is_enough and footing and _is_amount(header, one) and PAID not in named:
            evidence = f"{footing.foots:,} of {footing.orders:,} orders foot without it"
            yield ColumnProposal(header, NOT_MIGRATED, Sure.PROVED, evidence, (), one.samples)
        else:
            yield ColumnProposal(header, candidates=named, samples=one.samples)
    lacks_rates = "products.vatPercent" not in taken.values()
    yield from lists.proposed(sheet, taken, footing, lacks_rates=lacks_rates)


def left_beside(sheet: Sheet, roles: Mapping[str, Sequence[str]], footing: Footing) -> Iterable[str]:
    """Columns named as shipping, voucher or fee that hold amounts, of roles that the footing fills with no column."""
    for role in ROLES[3:]:
        if not footing.reading.column(role):
            yield from (header for header in roles.get(role, ()) if _has_amounts(sheet, header))


def _has_amounts(sheet: Sheet, header: str) -> bool:
    cells = {*sheet.cells(header)} if header in sheet.profiles else ()
    return any(sheet.numbers.amount(cell) for cell in cells if cell.strip())


def _is_left_out(sheet: Sheet, header: str) -> bool:
    """Whether Centra's own names say that the column is not migrated."""
    is_flat = sheet.dump.line_headers is None
    inner = LINE + header.partition(".")[2] if header in (sheet.dump.line_headers or ()) else header
    return bool(reason_of(inner, is_flat=is_flat))


def _is_amount(header: str, one: Profile) -> bool:
    amounts = {LINE_TOTAL, *(name for name, kind in KINDS.items() if kind in (Kind.AMOUNT, Kind.SWITCH))}
    return one.fits(Kind.AMOUNT) and (one.wholes < one.filled or bool(amounts & set(fields_named(header))))
