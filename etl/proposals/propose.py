"""Which column of a dump is which field: by name, by content, and for amounts by the footing of the orders.

Rule: design section 3a. Footing proves amounts, quantities, prices and rates, never a status, a country, a date or a
payer; what neither name nor content tells is left open, with candidates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise

from etl.model.export import plain
from etl.model.mapping import NOT_MIGRATED, Sure
from etl.proposals.by_content import BY_CONTENT, COMPACT, compact_dates, words_in
from etl.proposals.column import ColumnProposal
from etl.proposals.dump import Dump
from etl.proposals.footing import ROLES, Basis, Candidates, Footing, OrderCells, best_footing
from etl.proposals.left_over import PAID, left_beside, left_over
from etl.proposals.line_discount import with_line_discount
from etl.proposals.lists import amounts_of, samples_of
from etl.proposals.names import LINE_TOTAL, RETURN_WORDS, fields_named, preference, says_net, spelled
from etl.proposals.number_patterns import pattern_of
from etl.proposals.sheet import MOST_AGREE, Sheet
from etl.proposals.stated_taxes import line_tax
from etl.reading.kinds import Kind
from etl.reading.names import KINDS, LINE, ORDER_NUMBER, TAX_RATES
from etl.reading.parse import STORE_TYPES
from etl.staging.fields import Names, canonical_field
from etl.staging.parts import AMOUNT_TAILS, ObjectKind, list_in
from etl.staging.vocabulary import Vocabulary

_MOST = Decimal("0.95")
_SIGNS = re.compile(r"[£€$¥]|zł|Kč|Ft\b|kr\b")
_FEW_RATES = 8
_LEAST_CONSTANT = 3
_MOST_TRIED = 6
_MOST_TOTALS = 12


@dataclass(frozen=True, slots=True)
class Proposals:
    """What a dump's columns are. `fields`: header -> field of every column that is read, known ones included.

    `order_number`: how all numbers are written, "" for bare digits. `footing` None where nothing can foot. `signs`: the
    currency signs in the cells of the total.
    """

    columns: tuple[ColumnProposal, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    order_number: str = ""
    footing: Footing | None = None
    has_number: bool = False
    date_format: str = ""
    """How dates are written that only look like numbers, as `source.date_format` takes it."""
    signs: frozenset[str] = frozenset()

    @property
    def basis(self) -> bool | None:
        """Whether prices are proved to be with the tax that columns tell, or without it; None where neither is."""
        found = self.footing
        return found.reading.basis is Basis.GROSS if found is not None and found.proves_basis else None

    @property
    def renames(self) -> dict[str, str]:
        """Header -> field, as columns.csv has it."""
        return {one.header: one.field for one in self.columns if one.field}


def propose(sheet: Sheet, rules: Mapping[str, str] | None = None) -> Proposals:
    """What the columns of a dump are; `rules` (header -> field) is what columns.csv says already.

    Effects: groups the rows of `sheet` into orders.
    """
    dump = sheet.dump
    known = _known(dump, rules or {})
    number = next((header for header, name in known.items() if name == ORDER_NUMBER), "") or _number_column(
        sheet, known
    )
    if not number:
        return Proposals(tuple(_open(sheet, known)), known)
    sheet.also_numbers = tuple(_same_numbers(sheet, number, known))
    sheet.groups = sheet.group(number)
    taken = {**known, number: ORDER_NUMBER, **dict.fromkeys(sheet.also_numbers, ORDER_NUMBER)}
    found = [_by_name(sheet, one, ORDER_NUMBER) for one in (number, *sheet.also_numbers) if one not in known]
    amounts, footing = _amounts(sheet, taken)
    found += amounts
    taken.update((one.header, one.field) for one in amounts if one.field)
    for name in KINDS:
        if name not in taken.values() and not _is_told(name, taken) and (header := _best(sheet, name, taken)):
            found.append(_by_name(sheet, header, name))
            taken[header] = name
    if proved := line_tax(sheet, taken):
        found.append(proved)
        taken[proved.header] = proved.field
    date_format = ""
    if "orderDate" not in taken.values() and (header := compact_dates(sheet, taken)):
        found.append(_by_name(sheet, header, "orderDate"))
        taken[header], date_format = "orderDate", COMPACT
    for name, looks_so in BY_CONTENT.items():
        if name not in taken.values() and not _is_told(name, taken):
            looking = [
                one for one in sheet.profiles if one not in taken and _may_be(sheet, one, name) and looks_so(sheet, one)
            ]
            if len(looking) == 1:
                found.append(_by_name(sheet, looking[0], name))
                taken[looking[0]] = name
    found += left_over(sheet, taken, footing, {one.header for one in amounts})
    decided = {one.header for one in found if one.field}
    found = [one for one in found if one.field or one.header not in decided]
    order = {header: at for at, header in enumerate([*dump.headers, *dump.lists])}
    found.sort(key=lambda one: order.get(one.header, len(order)))
    cells = [cell for cell in sheet.cells(number) if cell.strip()]
    fields = {header: name for header, name in taken.items() if name != NOT_MIGRATED}
    signs = _signs(sheet, fields)
    pattern = pattern_of(cells)
    return Proposals(tuple(found), fields, pattern, footing, has_number=True, date_format=date_format, signs=signs)


def _signs(sheet: Sheet, fields: Mapping[str, str]) -> frozenset[str]:
    """Signs of currencies beside the orders' totals."""
    totals = [header for header, name in fields.items() if name == "orderTotal" and header in sheet.profiles]
    return frozenset(
        sign for header in totals for cell in {*sheet.cells(header)} for sign in _SIGNS.findall(plain(cell))
    )


def _is_told(name: str, taken: Mapping[str, str]) -> bool:
    """Whether an address for both is told already by those for delivery or invoice."""
    part = name.removeprefix("address.")
    return part != name and bool({f"deliveryAddress.{part}", f"invoiceAddress.{part}"} & {*taken.values()})


def _known(dump: Dump, rules: Mapping[str, str]) -> dict[str, str]:
    """Header -> field of what columns.csv or Centra's own names say."""
    names = Names(rules)
    vocabulary = names.vocabulary(dump.headers)
    found = {}
    for header in dump.headers:
        name = names.rename(header)
        if name is None and dump.line_headers is None:
            name = names.field(header, vocabulary)
        elif name is None:
            name = _field_of_objects(header, dump, vocabulary)
        if name:
            found[header] = name
    return found


def _field_of_objects(header: str, dump: Dump, vocabulary: Vocabulary) -> str | None:
    """What Centra's own names make of a name inside objects; lines only in a list that is Centra's own."""
    wanted, is_line = header, header in (dump.line_headers or ())
    if is_line:
        name, _, inner = header.partition(".")
        if list_in(ObjectKind.ORDER, name) is not ObjectKind.LINE:
            return None
        wanted = LINE + inner
    for tail in AMOUNT_TAILS:
        if wanted.casefold().endswith(tail):
            found = canonical_field(wanted[: len(wanted) - len(tail)], vocabulary)
            if found and found.startswith(LINE) == is_line:
                return found
    return None


def _number_column(sheet: Sheet, known: Mapping[str, str]) -> str:
    """The column that numbers the orders: by name where the other columns agree with it, else by content alone."""
    free = [
        header for header in sheet.profiles if header not in known and sheet.profiles[header].fits(Kind.ORDER_NUMBER)
    ]
    free = [header for header in free if _is_outside(sheet, header)]
    named = [
        header
        for header, one in sheet.profiles.items()
        if ORDER_NUMBER in fields_named(header)
        and (header in free or (header not in known and one.may_number and _is_outside(sheet, header)))
    ]
    named.sort(key=lambda header: (fields_named(header).index(ORDER_NUMBER), preference(ORDER_NUMBER, header)))
    for header in named:
        if _constant(sheet, header) >= min(_LEAST_CONSTANT, len(sheet.profiles) - 1):
            return header
    if named and len(named) == 1:
        return named[0]
    # A column that is named as something else, such as the shipping, numbers orders only where no other one does.
    for headers in ([header for header in free if not fields_named(header)], free):
        scored = [(_constant(sheet, header, least=10), header) for header in headers]
        best = max(scored, default=(0, ""), key=lambda pair: pair[0])
        if best[0] >= _LEAST_CONSTANT:
            return best[1]
    return ""


def _is_outside(sheet: Sheet, header: str) -> bool:
    """Whether a name of objects stands on the order itself; that of a table always does."""
    lines = sheet.dump.line_headers
    return lines is None or (header not in lines and "." not in header)


def _same_numbers(sheet: Sheet, number: str, known: Mapping[str, str]) -> Iterable[str]:
    """For each table that lacks the number's column: the column whose cells are numbers of the other tables' orders."""
    dump, cells = sheet.dump, sheet.cells(number)
    numbers = {plain(cell).strip() for cell in cells} - {""}
    for start, end in pairwise((*dump.starts, len(dump.rows))):
        if start == end or any(cells[row].strip() for row in range(start, end)):
            continue
        for header, name in ((header, known.get(header, "")) for header in dump.headers):
            own = [plain(cell).strip() for cell in sheet.cells(header)[start:end]]
            if name in ("", ORDER_NUMBER) and sum(cell in numbers for cell in own) >= (end - start) * _MOST:
                yield header
                break


def _constant(sheet: Sheet, header: str, least: int = 0) -> int:
    """How many other columns have one value within each order numbered so; 0 with fewer orders of several rows."""
    groups = sheet.group(header)
    if sum(len(rows) > 1 for rows in groups) < least:
        return 0
    others = (other for other in sheet.profiles if other != header and sheet.profiles[other].filled)
    return sum(sheet.is_of_order(other, groups) for other in others)


def _may_be(sheet: Sheet, header: str, name: str) -> bool:
    """Whether content and place of a column allow the field."""
    one = sheet.profiles[header]
    if not one.fits(KINDS[name]):
        return False
    if name in TAX_RATES and not _stands_once(sheet, header):
        return False
    if name == "products.vatPercent" and set(TAX_RATES) & set(fields_named(header)) and _stands_once(sheet, header):
        return False
    if name == "taxTotal" and "products.vatPercent" in fields_named(header) and one.distinct <= _FEW_RATES < one.filled:
        # `VAT` may be either; amounts of tax are as many as orders, rates few.
        return False
    if sheet.dump.line_headers is not None:
        return name.startswith(LINE) == (header in sheet.dump.line_headers)
    return name.startswith(LINE) or sheet.is_of_order(header)


def _stands_once(sheet: Sheet, header: str) -> bool:
    """Whether the column is filled in one row of each order only, as what a shop tells by the order is."""
    cells = sheet.cells(header)
    filled = [sum(bool(cells[row].strip()) for row in rows) for rows in sheet.groups if len(rows) > 1]
    several = [count for count in filled if count]
    return bool(several) and sum(count == 1 for count in several) >= len(several) * MOST_AGREE


def _named(sheet: Sheet, name: str, taken: Mapping[str, str]) -> list[str]:
    """Free columns that a field's name and content fit, likeliest first."""
    fitting = [
        header
        for header in sheet.profiles
        if header not in taken and name in fields_named(header) and _may_be(sheet, header, name)
    ]
    return sorted(fitting, key=lambda header: (fields_named(header).index(name), preference(name, header)))


def _best(sheet: Sheet, name: str, taken: Mapping[str, str]) -> str:
    """The column that a field's name and content fit best, "" for none; a paid amount is never told by its name."""
    if name == PAID or name in ROLES:
        return ""
    named = _named(sheet, name, taken)
    if name == "createdFromOrigin.type":
        named = [header for header in named if {spelled(word) for word in words_in(sheet, header)} & RETURN_WORDS]
    if name == "storeType":
        # Words of another shop would have to be translated, and who is b2b is a person's word: the column stays open.
        named = [
            header for header in named if {cell.casefold() for cell in words_in(sheet, header)} <= set(STORE_TYPES)
        ]
    if not named:
        return ""
    # A header that may be several fields goes to the first that is still free and fits.
    for other in fields_named(named[0]):
        if other == name:
            return named[0]
        if other in KINDS and other not in taken.values() and other != PAID and _may_be(sheet, named[0], other):
            return ""
    return named[0]


def _by_name(sheet: Sheet, header: str, name: str) -> ColumnProposal:
    by = "by name" if name in fields_named(header) else "by content"
    return ColumnProposal(header, name, Sure.LIKELY, by, samples=sheet.profiles[header].samples)


def _amounts(sheet: Sheet, taken: Mapping[str, str]) -> tuple[list[ColumnProposal], Footing | None]:
    """Quantity, price, total and what stands beside the goods, by the footing of the orders."""
    candidates = _candidates(sheet, taken, by_name=True)
    footing = _foot(sheet, candidates)
    if footing is None or not footing.is_enough:
        wider = _candidates(sheet, taken, by_name=False)
        wide = _foot(sheet, wider)
        if wide is not None and (wide.is_enough or (footing is None and wide.foots * 2 >= wide.orders)):
            candidates, footing = wider, wide
    discount: list[ColumnProposal] = []
    if footing is None or not footing.is_enough:
        less = with_line_discount(sheet, taken, candidates, _order_cells(sheet, candidates))
        if less is not None:
            footing, discount = less[0], [less[1]] if less[1].header not in taken else []
    if footing is not None and footing.is_enough and not discount:
        # The orders foot, but money stands beside them: perhaps with another total, which holds it.
        whole = _foot(sheet, _with_other_totals(sheet, taken, candidates, footing))
        if whole is not None and whole.is_enough and whole.foots >= footing.foots:
            footing = whole
    if footing is None:
        named = ((role, columns[0]) for role, columns in candidates.roles.items() if columns)
        chosen = [(role, column) for role, column in named if column not in taken]
        return [_by_name(sheet, column, role) for role, column in dict(chosen).items()], None
    found = [*discount]
    for role, column in zip(ROLES, footing.reading.columns, strict=True):
        if column and column not in taken:
            found.append(_amount(sheet, role, column, footing))
    is_by_rates = footing.proves_rates or footing.reading.basis is Basis.NET
    if is_by_rates and candidates.rates[0] not in taken:
        sure = Sure.PROVED if footing.proves_rates else Sure.LIKELY
        evidence = f"the orders foot with this tax on top: {footing.foots:,} of {footing.orders:,}"
        found.append(
            ColumnProposal(
                candidates.rates[0], "products.vatPercent", sure, evidence, (), samples_of(sheet, candidates.rates[0])
            )
        )
    return found, footing


def _amount(sheet: Sheet, role: str, column: str, footing: Footing) -> ColumnProposal:
    share = f"{footing.foots:,} of {footing.orders:,} orders foot with it"
    others = sorted({rival.column(role) for rival in footing.rivals} - {column})
    if footing.proves(role):
        return ColumnProposal(column, role, Sure.PROVED, share, (), samples_of(sheet, column))
    if role not in fields_named(column) and not (footing.is_enough and _is_beside(column, footing)):
        return ColumnProposal(column, "", None, share, (role,), samples_of(sheet, column))
    also = f"; as many with {' or '.join(other or 'none' for other in others[:3])}" if others else ""
    by = "by name" if role in fields_named(column) else "by content"
    return ColumnProposal(column, role, Sure.LIKELY, f"{by}; {share}{also}", (), samples_of(sheet, column))


def _is_beside(column: str, footing: Footing) -> bool:
    """Whether every reading that foots adds the column to the goods: as shipping or as a fee, which comes to the same."""
    return all(
        column in (one.column("shippingValue"), one.column("handlingCost"))
        for one in (footing.reading, *footing.rivals)
    )


def _candidates(sheet: Sheet, taken: Mapping[str, str], *, by_name: bool) -> Candidates:
    roles: dict[str, list[str]] = {}
    names = set()
    nested = amounts_of(sheet)
    for role in ROLES:
        decided = [header for header, name in taken.items() if name == role and sheet.holds(header)]
        named = _named(sheet, role, taken)
        if role == "products.unitPrice":
            named += [one for one in _named(sheet, "products.originalPrice", taken) if one not in named]
        if role == "orderTotal" and not named:
            # Beside a total, a sum of lines foots by itself and proves nothing.
            named = _line_totals(sheet, taken)
        if not decided and not named:
            # A list says again what a column of the order says, if there is one.
            named = [header for header in nested.get(role, ()) if header not in taken]
            names |= {(role, header) for header in named}
        names |= {(role, header) for header in (*decided, *named) if role in fields_named(header) or header in decided}
        # A named total or shipping stays what it is named; a named price may be the list price.
        is_told = bool(decided or (named and not role.startswith(LINE)))
        rest = [] if by_name or is_told else [one for one in _numeric(sheet, taken, role) if one not in named]
        roles[role] = (decided or [*named, *rest])[:_MOST_TRIED]
    rates = [header for header, name in taken.items() if name == "products.vatPercent" and header in sheet.profiles]
    rates = rates or _named(sheet, "products.vatPercent", taken)
    taxes = [header for header, name in taken.items() if name == "taxTotal"] or _named(sheet, "taxTotal", taken)
    return Candidates(roles, rates[:1], [tax for tax in taxes if tax not in rates][:1], frozenset(names))


def _with_other_totals(sheet: Sheet, taken: Mapping[str, str], candidates: Candidates, footing: Footing) -> Candidates:
    """The candidates with every amount of the order as its total; the same ones where nothing is left out of the footing."""
    mine = footing.reading.column("orderTotal")
    if mine in taken or not [*left_beside(sheet, candidates.roles, footing)]:
        return candidates
    roles = {role: [footing.reading.column(role)] for role in ROLES[:2]}
    beside = {role: [*columns] for role, columns in candidates.roles.items() if role in ROLES[3:]}
    used = {mine, *(one for columns in (*roles.values(), *beside.values()) for one in columns)}
    others = [
        header
        for header, one in sheet.profiles.items()
        if header not in taken and header not in used and one.written and _may_be(sheet, header, "orderTotal")
    ]
    return replace(candidates, roles={**roles, "orderTotal": [mine, *others][:_MOST_TOTALS], **beside})


def _line_totals(sheet: Sheet, taken: Mapping[str, str]) -> list[str]:
    """Columns of the order that are named like sums of lines: some shops call the order's total so."""
    return [
        header
        for header in sheet.profiles
        if header not in taken and LINE_TOTAL in fields_named(header) and _may_be(sheet, header, "orderTotal")
    ]


def _numeric(sheet: Sheet, taken: Mapping[str, str], role: str) -> list[str]:
    """Columns without a telling name that content allows: amounts of the order for its total, of lines for the rest."""
    is_line = role.startswith(LINE)
    return [
        header
        for header, one in sheet.profiles.items()
        if header not in taken
        and not set(ROLES) & set(fields_named(header))
        and _may_be(sheet, header, role)
        and sheet.is_of_order(header) != is_line
        and (role == "products.qty" or one.written)
    ]


def _foot(sheet: Sheet, candidates: Candidates) -> Footing | None:
    return best_footing(_order_cells(sheet, candidates), candidates)


def _order_cells(sheet: Sheet, candidates: Candidates) -> list[OrderCells]:
    amount = sheet.numbers.amount
    of_order = {header for role in ROLES[2:] for header in candidates.roles.get(role, ())} | set(candidates.taxes)
    of_line = {header for role in ROLES[:2] for header in candidates.roles.get(role, ())}
    factors = {header: 100 if sheet.rates_are_shares(header) else 1 for header in candidates.rates}
    found = []
    for rows in sheet.groups:
        order = {header: sheet.order_amount(header, rows) for header in of_order}
        lines = {header: [amount(sheet.cells(header)[row]) for row in rows] for header in of_line}
        for header, factor in factors.items():
            rates = (sheet.numbers.rate(sheet.cells(header)[row]) for row in rows)
            lines[header] = [None if rate is None else rate * factor for rate in rates]
        found.append(OrderCells(order, lines))
    return found


def _open(sheet: Sheet, known: Mapping[str, str]) -> Iterable[ColumnProposal]:
    for header, one in sheet.profiles.items():
        if header not in known:
            yield replace(ColumnProposal(header), candidates=fields_named(header), samples=one.samples)


def says_without_tax(proposals: Proposals) -> bool:
    """Whether the header of the total says that it is without tax."""
    total = next((header for header, name in proposals.fields.items() if name == "orderTotal"), "")
    return says_net(total)
