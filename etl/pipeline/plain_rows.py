"""Orders that nothing is to be said of, as a report shows them: texts from what columns gave, without a status each."""

from __future__ import annotations

from decimal import Decimal

from etl.columns.quick import Report
from etl.model.money import units_text
from etl.model.plan import Basis
from etl.model.status import ReportState
from etl.report.tables import OrderRow, PlainOrder

_KEPT = 100_000
_READY, _GROSS = ReportState.READY.value, Basis.GROSS.value


class PlainRows(dict[tuple[tuple[str, ...], ...], str]):
    """Makes the rows; remembers sets of tax codes as texts."""

    def of(self, report: Report) -> PlainOrder:
        """As `report.tables.order_row` of the order's status (`classify.quick_status`)."""
        number, currency, precision, units, account, consumption, month, lines, taxes, _, unproved = report
        total, zero = units_text(units, precision), units_text(0, precision)
        row = OrderRow(
            number,
            _READY,
            "",
            currency,
            total,
            total,
            zero,
            account,
            "",
            "",
            _GROSS,
            currency,
            _GROSS,
            zero,
            month,
            f"{consumption[:19]}Z",
            "",
            str(lines),
            self[tuple([codes for codes, _ in taxes])],
            total,
            "",
            " ".join(unproved),
        )
        return PlainOrder(row, Decimal(total))

    def __missing__(self, sets: tuple[tuple[str, ...], ...]) -> str:
        if len(self) >= _KEPT:
            self.clear()
        found = self[sets] = "; ".join([" ".join(codes) or "exempt" for codes in sets])
        return found
