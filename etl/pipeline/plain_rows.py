"""Orders that nothing is to be said of, as a report shows them: texts from what columns gave, without a status each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from etl.columns.booked import unproved
from etl.columns.quick import Report
from etl.model.money import units_text
from etl.report.tables import PlainOrder

if TYPE_CHECKING:
    from etl.columns.sums import Sums


def plain_order(report: Report) -> PlainOrder:
    """As `report.tables.order_row` of the order's status (`classify.quick_status`), in fewer values."""
    number, currency, precision, units, account, consumption, month, lines, taxes, _, untold = report
    total, codes = units_text(units, precision), _codes_text(codes for codes, _ in taxes)
    return PlainOrder(
        number, currency, precision, units, total, account, month, consumption[:19], str(lines), codes, " ".join(untold)
    )


def plain_orders(sums: Sums) -> Iterator[PlainOrder]:
    """The same of each of many orders."""
    currency, precision = sums.currency
    codes = _Codes(sums)
    accounts = [account for account, _ in sums.accounts]
    untold = [
        [" ".join(unproved(is_negative=is_negative, is_company=is_company)) for is_negative in (False, True)]
        for _, is_company in sums.accounts
    ]
    first, which = sums.first.tolist(), sums.which.tolist()
    by_order = (sums.totals, sums.charged, sums.month_at, sums.sizes, sums.negative)
    rows = zip(sums.numbers, sums.consumptions, *[column.tolist() for column in by_order], strict=True)
    for at, (number, consumption, units, charged, month, size, is_negative) in enumerate(rows):
        yield PlainOrder(
            number,
            currency,
            precision,
            units,
            units_text(units, precision),
            accounts[charged],
            sums.months[month],
            consumption[:19],
            str(size),
            codes[tuple(which[first[at] : first[at + 1]])],
            untold[charged][is_negative],
        )


class _Codes(dict[tuple[int, ...], str]):
    """What is booked of an order (as in `Sums.which`) to its tax codes as a text."""

    def __init__(self, sums: Sums) -> None:
        super().__init__()
        self._sets = [codes for _, codes, _ in sums.keys]

    def __missing__(self, booked: tuple[int, ...]) -> str:
        found = self[booked] = _codes_text(self._sets[which] for which in booked)
        return found


def _codes_text(sets: Iterable[tuple[str, ...]]) -> str:
    return "; ".join([" ".join(codes) or "exempt" for codes in dict.fromkeys(sets)])
