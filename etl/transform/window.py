"""When Mews will see an order consumed: at its own time, or clamped into the editable window. Pure.

Rule: design section 5 (editable window). The window itself is `etl.transform.consumption`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from etl.model.plan import Entry
from etl.transform.amounts import TaxedLine
from etl.transform.consumption import consumption_of
from etl.transform.order_context import OrderContext


@dataclass(frozen=True, slots=True)
class Moment:
    """The consumption of an order, aware UTC: its `true` time and the one that Mews will see; None if unknown."""

    true: datetime | None = None
    seen: datetime | None = None
    is_clamped: bool = False


def moment_of(case: OrderContext) -> Moment:
    """The order's consumption; what is wrong with it goes to the findings.

    No window is documented for outlet bills: there it only says what is unproved (`is_old_bill`).
    """
    true, problems = consumption_of(case.order, case.settings)
    case.found.add(*problems)
    window = case.ctx.window
    if true is None or true >= window.start or case.ctx.is_outlet:
        return Moment(true, true)
    if case.settings.target.outside_editable_window == "clamp":
        return Moment(true, window.clamp_to, is_clamped=True)
    case.problem(
        "window.outside",
        f"Order {case.order.number} was consumed at {true:%Y-%m-%d %H:%M} UTC; "
        f"Mews takes nothing before {window.start:%Y-%m-%d %H:%M} UTC.",
        value=f"{true:%Y-%m-%d}",
    )
    return Moment(true, true)


def is_old_bill(case: OrderContext, moment: Moment) -> bool:
    """Whether the order becomes an outlet bill older than the editable window, which nobody knows Mews to take."""
    return case.ctx.is_outlet and moment.true is not None and moment.true < case.ctx.window.start


def check_clamped_vat(case: OrderContext, moment: Moment, lines: Sequence[TaxedLine], entries: Sequence[Entry]) -> None:
    """A clamped order would declare its VAT again in the period it is moved to."""
    if not moment.is_clamped or case.settings.target.clamped_vat == "declare":
        return
    arithmetic = case.ctx.arithmetic
    has_vat = any(arithmetic.combined_rate(one.codes) > 0 or arithmetic.constant(one.codes, 1) > 0 for one in entries)
    if has_vat or any(taxed.tax.percent > 0 and not taxed.tax.is_decided for taxed in lines):
        case.problem(
            "window.vat_undeclared",
            f"Order {case.order.number} is older than the editable window; clamping would declare its VAT again.",
        )
