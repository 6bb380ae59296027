"""Lists of an order object beside its lines: what of them is money of the order, which are rates of tax, what is left.

Rule: design section 3a: what a list holds is proved by the footing of the orders, as a column is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from etl.model.export import plain
from etl.model.mapping import NOT_MIGRATED, Sure
from etl.proposals.column import ColumnProposal
from etl.proposals.content import SAMPLES
from etl.proposals.footing import Footing
from etl.proposals.names import gives_back, words
from etl.proposals.sheet import Sheet
from etl.staging.parts import ObjectKind, list_in

BREAKDOWN = "taxBreakdown"
RATE, VALUE = f"{BREAKDOWN}.taxPercent", f"{BREAKDOWN}.value"
_LISTS = (
    (
        "handlingCost",
        re.compile(r"\bfees?\b|surcharge|\bcharges?\b|gebuhr|zuschlag|aufschlag|avgift|gebyr|frais|opplat"),
    ),
    ("shippingValue", re.compile(r"shipping|deliver|versand|freight|frakt|fragt|livraison|envio|spedizion|verzend")),
    ("voucherValue", re.compile(r"coupon|discount|voucher|rabat|gutschein|promotion|remise|descuento|scont|korting")),
)
TAX = re.compile(r"\btax|\bvat|steuer|mwst|\btva\b|\biva\b|moms|\bbtw\b")
_RATE = re.compile(r"percent|\brate$|satz$|taux|sats$")
_MONEY = re.compile(r"(?:total|amount|value|price|cost|sum|betrag|discount|fee|charge)$")
_MOST_RATE = Decimal(50)
GIVEN_BACK = "money given back, which no footing of the orders shows: look whether returns are missing"


def amounts_of(sheet: Sheet) -> dict[str, list[str]]:
    """Field of the order -> names inside lists whose amounts, added up, it may be."""
    found: dict[str, list[str]] = {}
    for name in sheet.dump.nested:
        head, _, key = name.rpartition(".")
        if _MONEY.search(words(key)) and not TAX.search(words(key)) and not gives_back(name) and _is_money(sheet, name):
            role = next((role for role, wanted in _LISTS if wanted.search(words(head))), "")
            if role:
                found.setdefault(role, []).append(name)
    return found


def rate_lists(sheet: Sheet) -> Iterator[tuple[str, str]]:
    """Names inside lists of taxes that hold the rates in percent, and what they make of the order ("" where nothing does)."""
    for name in sheet.dump.nested:
        head, _, key = name.rpartition(".")
        if TAX.search(words(head)) and _RATE.search(words(key)) and _are_percents(sheet, name):
            inside = [one for one in sheet.dump.nested if one.rpartition(".")[0] == head and one != name]
            amounts = [one for one in inside if _MONEY.search(words(one)) and _is_money(sheet, one)]
            yield name, min(amounts, key=lambda one: (bool(_LISTS[1][1].search(words(one))), len(one)), default="")


def proposed(
    sheet: Sheet, taken: Mapping[str, str], footing: Footing | None, *, lacks_rates: bool
) -> Iterator[ColumnProposal]:
    """Rows for the lists that no footing needed: what is left of one that it did need, rates of tax, and the others.

    `lacks_rates`: no column tells the rates of the lines, so that those of the order are worth reading.
    """
    is_enough = footing is not None and footing.is_enough
    used = dict.fromkeys(name.rpartition(".")[0] for name in taken if name in sheet.dump.nested)
    for head in used:
        yield from _rest(sheet, head, taken, footing)
    for rate, value in rate_lists(sheet) if lacks_rates else ():
        head = rate.rpartition(".")[0]
        if head not in used and value:
            used[head] = None
            yield ColumnProposal(rate, RATE, Sure.LIKELY, "rates of the order", (), samples_of(sheet, rate))
            yield ColumnProposal(value, VALUE, Sure.LIKELY, "by name", (), samples_of(sheet, value))
            yield from _rest(sheet, head, {**taken, rate: RATE, value: VALUE}, footing)
    for name in sheet.dump.lists:
        if name in taken or name in used or list_in(ObjectKind.ORDER, name):
            continue
        if gives_back(name) and any(_is_money(sheet, one) for one in _inside(sheet, name)):
            yield ColumnProposal(name, evidence=GIVEN_BACK, candidates=(NOT_MIGRATED,))
        elif is_enough and footing:
            text = f"{footing.foots:,} of {footing.orders:,} orders foot without this list"
            yield ColumnProposal(name, NOT_MIGRATED, Sure.PROVED, text)
        else:
            yield ColumnProposal(name, evidence="a list that is not read", candidates=(NOT_MIGRATED,))


def _rest(sheet: Sheet, head: str, taken: Mapping[str, str], footing: Footing | None) -> Iterator[ColumnProposal]:
    """What else the elements of a list hold that is read: the tax of a fee, and amounts that nobody needs."""
    is_fee = any(field == "handlingCost" and name.rpartition(".")[0] == head for name, field in taken.items())
    share = f"{footing.foots:,} of {footing.orders:,} orders foot without it" if footing else ""
    for name in _inside(sheet, head):
        if name in taken or not _is_money(sheet, name):
            continue
        if is_fee and name.count(".") == head.count(".") + 1 and TAX.search(words(name.rpartition(".")[2])):
            yield ColumnProposal(name, "handlingTax", Sure.LIKELY, "by name", (), samples_of(sheet, name))
        else:
            yield ColumnProposal(
                name, NOT_MIGRATED, Sure.PROVED if share else Sure.LIKELY, share, (), samples_of(sheet, name)
            )


def _inside(sheet: Sheet, head: str) -> Iterable[str]:
    return [name for name in sheet.dump.nested if name.startswith(f"{head}.")]


def samples_of(sheet: Sheet, name: str) -> tuple[str, ...]:
    """A few of the texts of a column, or of a name inside a list."""
    if name in sheet.profiles:
        return sheet.profiles[name].samples
    cells = dict.fromkeys(cell for values in sheet.dump.nested.get(name, {}).values() for cell in values)
    return tuple(plain(cell).strip()[:60] for cell in list(cells)[:SAMPLES])


def _is_money(sheet: Sheet, name: str) -> bool:
    """Whether all that the elements say is an amount, and one of them is not zero."""
    cells = {cell for values in sheet.dump.nested[name].values() for cell in values}
    amounts = [sheet.numbers.amount(cell) for cell in cells]
    return all(one is not None for one in amounts) and any(amounts) and not _are_whole(cells, name)


def _are_whole(cells: Iterable[str], name: str) -> bool:
    """Whether the numbers are whole and nothing says that they are money: ids, counts."""
    return all(plain(cell).strip().lstrip("-").isdigit() for cell in cells) and not _MONEY.search(
        words(name.rpartition(".")[2])
    )


def _are_percents(sheet: Sheet, name: str) -> bool:
    rates = [sheet.numbers.rate(cell) for values in sheet.dump.nested[name].values() for cell in values]
    known = [rate for rate in rates if rate is not None]
    return bool(known) and len(known) == len(rates) and 1 <= max(known) <= _MOST_RATE
