"""The column that tells the tax of each line, where none tells its rate: proved by the rates that the orders name.

Rule: design section 3a: footing proves rates. What staging makes of it is in `etl.staging.order_rate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from etl.model.mapping import Sure
from etl.model.money import tax_in
from etl.proposals.column import ColumnProposal
from etl.proposals.footing import LEAST
from etl.proposals.lists import TAX, rate_lists
from etl.proposals.names import fields_named, words
from etl.proposals.sheet import MOST_AGREE, Sheet
from etl.reading.kinds import Kind
from etl.reading.names import TAX_RATES

FIELD = "products.taxTotal"
_HALF = Decimal("0.005")


def line_tax(sheet: Sheet, taken: Mapping[str, str]) -> ColumnProposal | None:
    """The column of lines' taxes with which most lines have one of their order's rates; None where 99 of 100 have not."""
    fields = {field: header for header, field in taken.items()}
    qty, price = fields.get("products.qty", ""), fields.get("products.unitPrice", "")
    columns = [fields[name] for name in TAX_RATES if name in fields]
    if qty not in sheet.profiles or price not in sheet.profiles or "products.vatPercent" in fields:
        return None
    nested = [rate for rate, _ in rate_lists(sheet)]
    best: tuple[int, int, str] | None = None
    for header in _candidates(sheet, taken):
        fits, count = _fits(sheet, (qty, price, header), columns, nested)
        if count >= LEAST and fits >= count * MOST_AGREE and (best is None or fits > best[0]):
            best = fits, count, header
    if best is None:
        return None
    fits, count, header = best
    evidence = f"{fits:,} of {count:,} taxed lines have the tax of one of their order's rates"
    return ColumnProposal(header, FIELD, Sure.PROVED, evidence, (), sheet.profiles[header].samples)


def _candidates(sheet: Sheet, taken: Mapping[str, str]) -> list[str]:
    """Amounts of lines that are named after a tax, first those that names.csv knows."""
    free = [
        header
        for header, one in sheet.profiles.items()
        if header not in taken
        and one.fits(Kind.AMOUNT)
        and not sheet.is_of_order(header)
        and TAX.search(words(header.rpartition(".")[2]))
    ]
    return sorted(free, key=lambda header: "taxTotal" not in fields_named(header))


def _fits(sheet: Sheet, line: tuple[str, str, str], columns: list[str], nested: list[str]) -> tuple[int, int]:
    """How many lines have the tax of a rate of their order, with tax or without, of those that are taxed."""
    qty, price, tax = (sheet.cells(header) for header in line)
    amount, fits, count = sheet.numbers.amount, 0, 0
    for rows in sheet.groups:
        rates = {sheet.numbers.rate(sheet.cells(header)[row]) for header in columns for row in rows}
        rates |= {
            sheet.numbers.rate(cell) for name in nested for row in rows for cell in sheet.dump.nested[name].get(row, ())
        }
        known = [rate for rate in rates if rate]
        for row in rows:
            stated, each, number = amount(tax[row]), amount(price[row]), amount(qty[row])
            if stated and each and number:
                count += 1
                slack = _HALF * max(abs(number), Decimal(1))
                fits += any(
                    abs(tax_in(each * number, rate, is_gross=is_gross) - stated) <= slack
                    for rate in known
                    for is_gross in (True, False)
                )
    return fits, count
