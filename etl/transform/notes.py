"""Notes of an order, and the fields that templates may name. Pure.

Rule: design section 5 (Notes, editable window). The marker before them is `etl.model.identity`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from etl.model.money import decimals, round_money
from etl.model.order import Order
from etl.transform.consumption import local_day
from etl.transform.order_context import OrderContext
from etl.transform.products import fill
from etl.transform.window import Moment


def notes_of(case: OrderContext, moment: Moment, texts: Mapping[str, str]) -> str:
    """The filled template, and the true date of a clamped order."""
    notes = filled(case.settings.target.notes, texts)
    if moment.is_clamped and moment.true is not None:
        # The customer knows the shop's day, the tax follows the hotel's.
        zones = (case.settings.source.timezone, case.ctx.reference.timezone)
        days = dict.fromkeys(local_day(moment.true, zone).isoformat() for zone in zones)
        notes = f"{notes} (consumed {', in the hotel '.join(days)})".strip()
    return notes


def filled(template: str, texts: Mapping[str, str]) -> str:
    """The filled template; nobody's comment may pass for the marker of an order."""
    return fill(template, texts).replace("[centra:", "(centra:")


def texts_of(order: Order, currency: str, precision: int) -> dict[str, str]:
    """The order's fields as texts, typed ones in one style whatever the export's."""
    typed = {
        "orderNumber": order.number,
        "orderDate": str(order.order_date or ""),
        "deliveryDate": str(order.delivery_date or ""),
        "currency": currency,
        "invoiceAddress.country": order.invoice_country,
        "deliveryAddress.country": order.delivery_country,
        "shippingValue": _money_text(order.shipping, precision),
        "handlingCost": _money_text(order.handling, precision) if order.handling else "",
        "voucherValue": _money_text(order.voucher_value, precision),
        "orderTotal": "" if order.order_total is None else _money_text(order.order_total, precision),
    }
    return {**order.texts, **{name: text for name, text in typed.items() if text}}


def _money_text(amount: Decimal, precision: int) -> str:
    return f"{round_money(amount, max(precision, decimals(amount))):f}"
