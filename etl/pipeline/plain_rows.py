"""Orders that nothing is to be said of, as a report shows them: texts from what columns gave, without a status each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from etl.columns.quick import Report
from etl.model.money import units_text
from etl.model.plan import Basis
from etl.model.shares import CREDIT
from etl.report.tables import PlainOrder

if TYPE_CHECKING:
    from etl.columns.sums import Sums


_BASES = (Basis.GROSS.value, Basis.NET.value)


def plain_order(report: Report) -> PlainOrder:
    """As `report.tables.order_row` of the order's status (`classify.quick_status`), in fewer values."""
    units, precision = report.total, report.precision
    credit = sum([amount for part, _, amount in report.paid if part.startswith(CREDIT)])
    charged = report.gross if report.is_net else units + credit
    return PlainOrder(
        report.number,
        report.currency,
        precision,
        units,
        units_text(units, precision),
        report.account_id,
        report.month,
        report.consumption[:19],
        str(report.line_count),
        _codes_text(codes for codes, _ in report.taxes),
        " ".join(report.unproved),
        units_text(charged - sum([amount for _, _, amount in report.paid]), precision),
        _BASES[report.is_net],
    )


def plain_orders(sums: Sums) -> Iterator[PlainOrder]:
    """The same of each of many orders."""
    currency, precision = sums.currency
    codes = _Codes(sums)
    accounts = [account for account, _ in sums.accounts]
    untold: dict[tuple[int, ...], str] = {}
    first, which = sums.first.tolist(), sums.which.tolist()
    by_order = (sums.totals, sums.charged, sums.month_at, sums.sizes, sums.flags, sums.credit_at, sums.payer_at)
    zero, basis = units_text(0, precision), _BASES[sums.is_net]
    left = iter([units_text(one, precision) for one in sums.left().tolist()] if sums.is_net else ())
    rows = zip(sums.numbers, sums.consumptions, *[column.tolist() for column in by_order], strict=True)
    for at, (number, consumption, units, charged, month, size, *kind) in enumerate(rows):
        key = (charged, *kind)
        if key not in untold:
            untold[key] = " ".join(sums.untold(at))
        total = units_text(units, precision)
        yield PlainOrder(
            number,
            currency,
            precision,
            units,
            total,
            accounts[charged],
            sums.months[month],
            consumption[:19],
            str(size),
            codes[tuple(which[first[at] : first[at + 1]])],
            untold[key],
            next(left) if sums.is_net else total if kind[-1] < 0 else zero,
            basis,
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
