"""Orders that nothing is to be said of, as a report shows them: texts from what columns gave, without a status each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from etl.columns.quick import Report
from etl.columns.sums import Sums, unproved
from etl.model.money import units_text
from etl.report.tables import PlainOrder


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
    rows = zip(*sums[3:10], strict=True)
    for at, (number, units, charged, consumption, month, size, is_negative) in enumerate(rows):
        yield PlainOrder(
            number,
            currency,
            precision,
            units,
            units_text(units, precision),
            accounts[charged],
            month,
            consumption[:19],
            str(size),
            codes[tuple(sums.which[sums.first[at] : sums.first[at + 1]])],
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
