"""Orders that nothing is to be said of, as a report shows them: texts from what columns gave, without a status each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import pairwise, repeat
from typing import TYPE_CHECKING, Any

from etl.columns.quick import Report
from etl.model.money import units_text, units_texts
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
    size, (currency, precision) = len(sums.numbers), sums.currency
    codes = _Codes(sums)
    accounts = [account for account, _ in sums.accounts]
    first, which = sums.first.tolist(), sums.which.tolist()
    charged, payers = sums.charged.tolist(), sums.payer_at.tolist()
    kinds = list(zip(charged, sums.flags.tolist(), sums.credit_at.tolist(), payers, strict=True))
    # What no answer tells beforehand follows from these alone, so any order of a kind will do.
    untold = {kind: " ".join(sums.untold(at)) for kind, at in dict(zip(kinds, range(size), strict=True)).items()}
    totals = units_texts(sums.totals.tolist(), precision)
    zero = units_text(0, precision)
    left = (
        units_texts(sums.left().tolist(), precision)
        if sums.is_net
        else [total if payer < 0 else zero for total, payer in zip(totals, payers, strict=True)]
    )
    return map(
        _plain,
        zip(
            sums.numbers,
            repeat(currency, size),
            repeat(precision, size),
            sums.totals.tolist(),
            totals,
            [accounts[one] for one in charged],
            [sums.months[one] for one in sums.month_at.tolist()],
            [consumption[:19] for consumption in sums.consumptions],
            map(str, sums.sizes.tolist()),
            [codes[tuple(which[start:end])] for start, end in pairwise(first)],
            [untold[kind] for kind in kinds],
            left,
            repeat(_BASES[sums.is_net], size),
            strict=True,
        ),
    )


_plain: Callable[[tuple[Any, ...]], PlainOrder] = partial(tuple.__new__, PlainOrder)
"""An order of its values in turn, as `PlainOrder._make` makes it."""


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
