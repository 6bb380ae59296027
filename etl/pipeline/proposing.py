"""From a dump that nobody has mapped to a batch that can be read: what the folder says, else what is proposed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from etl.errors import InputError
from etl.mapping.partial import Partial
from etl.model.mapping import Sure
from etl.model.money import about_text
from etl.pipeline.dumps import read_dump, sheets_beside
from etl.pipeline.prepare import Export, options_of
from etl.proposals.propose import Proposals, propose
from etl.proposals.sheet import Sheet
from etl.proposals.values import ValueProposal, propose_values
from etl.reading.names import ORDER_NUMBER
from etl.reading.options import NUMBER_FIELD, ReadOptions
from etl.reading.texts import is_nothing


@dataclass(frozen=True, slots=True)
class Proposed:
    """The proposals for an export, and how it is read with them."""

    proposals: Proposals
    values: Sequence[ValueProposal]
    options: ReadOptions
    order_number: str = ""
    rows: int | None = None
    """How many rows were looked at; None for all."""
    sheets: tuple[str, ...] = ()
    """Sheets of a workbook that only make orders together, for `source.sheets`; () where the tool finds them by itself."""


def propose_for(export: Export, partial: Partial) -> Proposed:
    """What is proposed for the export beside what the folder says. Raises InputError where a file can't be read."""
    given = options_of(partial.source, partial.columns, partial.values)
    dump = read_dump(export.paths, given, given.columns)
    sheet = Sheet(dump)
    found = propose(sheet, given.columns)
    sheets: tuple[str, ...] = ()
    if not given.sheets and not _foots(found) and (joined := _with_sheets_beside(export, given)):
        wide, together, names = joined
        # Orders without a line are nothing to import, so that their lines are taken also where too few orders prove them.
        if _foots(together) or (_lacks_lines(found) and not _lacks_lines(together)):
            sheet, found, sheets = wide, together, names
            dump, given = sheet.dump, replace(given, sheets=sheets)
    rows = None if dump.is_whole else len(dump.rows)
    pattern = found.order_number if "order_number" not in partial.given else ""
    options = replace(
        given,
        columns={**found.renames, **given.columns},
        order_number=pattern or given.order_number,
        date_format=given.date_format or found.date_format,
        likely=frozenset(one.header for one in found.columns if one.sure is Sure.LIKELY),
    )
    if not found.has_number:
        return Proposed(found, (), options, pattern, rows, sheets)
    rates_foot = found.footing is not None and found.footing.proves_rates
    words = propose_values(sheet, found.fields, given.values, rates_foot=rates_foot)
    values = [one for one in words if not is_nothing(one.value)]
    return Proposed(found, values, replace(options, values=_with(given.values, values)), pattern, rows, sheets)


def _with_sheets_beside(export: Export, given: ReadOptions) -> tuple[Sheet, Proposals, tuple[str, ...]] | None:
    """The sheets that hold parts of the same orders, read as one, and their names; None where there are no such sheets."""
    names = sheets_beside(export.paths)
    while len(names) > 1:
        options = replace(given, sheets=names)
        sheet = Sheet(read_dump(export.paths, options, given.columns, is_every_table_meant=True))
        found = propose(sheet, given.columns)
        linked = _linked(sheet, found)
        kept = tuple(name for name in names if name in linked)
        if kept == names:
            return sheet, found, names
        names = kept
    return None


def _linked(sheet: Sheet, found: Proposals) -> set[str]:
    """The sheets whose order numbers stand in other tables too, and those that are built like one of them."""
    number = next((header for header, name in found.fields.items() if name == ORDER_NUMBER), "")
    if not number:
        return set()
    held, parts = sheet.numbers_by_part(number), sheet.dump.parts
    counts = Counter(one for numbers in held for one in numbers)
    linked = [
        part
        for part, numbers in zip(parts, held, strict=True)
        if numbers and sum(counts[one] > 1 for one in numbers) * 2 >= len(numbers)
    ]
    return {part.sheet for part in parts if any(part.headers == one.headers for one in linked)}


def _lacks_lines(found: Proposals) -> bool:
    """Whether no column is a quantity or a price of lines."""
    return not {"products.qty", "products.unitPrice"} <= {*found.fields.values()}


def with_number_hint(error: InputError, proposed: Proposed) -> InputError:
    """The refusal of an export without order numbers; where a column is named so, with what its cells lack."""
    named = next((one for one in proposed.proposals.columns if ORDER_NUMBER in one.candidates and one.samples), None)
    if error.code != "input.no_order_number" or named is None:
        return error
    told = (
        f"{named.header} is named like the order number, but its cells ({', '.join(named.samples)}) are not all written in one "
        "way: the same words around groups of digits that tell every order from every other."
    )
    hint = (
        "Export each series of numbers by itself, or write numbers of digits alone into the export: each must be an order's "
        "own. If all are written in one way, source.order_number in migration.toml says how, such as FV/{number}/{month}/{year}."
    )
    return InputError(told, code=error.code, place=error.place, hint=hint)


def _foots(found: Proposals) -> bool:
    return found.footing is not None and found.footing.is_enough


def _with(known: Mapping[str, Mapping[str, str]], values: Sequence[ValueProposal]) -> dict[str, dict[str, str]]:
    words = {name: dict(meanings) for name, meanings in known.items()}
    for one in values:
        if one.means:
            words.setdefault(one.field, {}).setdefault(one.value, one.means)
    return words


def document(proposed: Proposed) -> dict[str, Any]:
    """The proposals as data."""
    footing = proposed.proposals.footing
    return {
        "columns": [
            {
                "header": one.header,
                "field": one.field,
                "sure": one.sure.value if one.sure else "",
                "evidence": one.evidence,
                "candidates": list(one.candidates),
                "samples": list(one.samples),
            }
            for one in proposed.proposals.columns
        ],
        "values": [
            {
                "field": one.field,
                "value": one.value,
                "means": one.means,
                "sure": one.sure.value if one.sure else "",
                "candidates": list(one.candidates),
                "orders": one.orders,
                "money": [
                    {"currency": code, "amount": about_text(amount, code)} for code, amount in sorted(one.money.items())
                ],
            }
            for one in proposed.values
        ],
        "order_number": proposed.order_number or NUMBER_FIELD,
        "sheets": list(proposed.sheets),
        "rows": proposed.rows,
        "footing": {"orders_with_total": footing.orders, "foot": footing.foots} if footing else None,
    }
