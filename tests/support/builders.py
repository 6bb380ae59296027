"""Values of the model with sane defaults, so that a test shows only what matters to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from etl.mapping.lookup import TaxTable, find_glob, find_payment, find_voucher
from etl.model.mapping import Mapping, Settings
from etl.model.order import Line, LocalTime, Order
from etl.model.place import Place
from etl.model.plan import PlannedOrder
from etl.model.reference import (
    Account,
    Currency,
    Named,
    Pricing,
    Product,
    Reference,
    Service,
    Strategy,
    TaxRate,
    Validity,
)
from etl.model.rules import AccountRule, BillRule, ProductRule, RateKind, ReservationRule, SegmentRule, TaxRule
from etl.transform.arithmetic import Arithmetic
from etl.transform.consumption import Window
from etl.transform.context import Context, Footing, Lookups
from etl.transform.conversion import Conversion

D = Decimal
NOON = datetime(2011, 6, 15, 12)  # noqa: DTZ001 - wall time of the shop
ACCOUNT = "ac-house"
COMPANY = "co-trade"
CATEGORY = "ca-shop"
SERVICE = "se-shop"
PRODUCT = "pr-cup"
OPEN = Window(datetime(2000, 1, 1, tzinfo=UTC), datetime(2000, 1, 2, tzinfo=UTC))


def money(value: Decimal | str | int) -> Decimal:
    """A Decimal from whatever is shortest to write."""
    return value if isinstance(value, Decimal) else Decimal(value)


def a_line(price: Decimal | str = "12.00", qty: int = 1, vat: Decimal | str | None = "20", **more: Any) -> Line:
    """One cup at 20 %."""
    values = {"sku": "CUP", "product": "Cup", "place": Place("orders.csv", "", 2)} | more
    return Line(qty, money(price), None if vat is None else money(vat), **values)


def an_order(*lines: Line, **more: Any) -> Order:
    """A completed order of one cup for 12.00 in GBP, delivered to GB; `lines=()` for none."""
    values: dict[str, Any] = {
        "number": "10001",
        "place": Place("orders.csv", "", 2),
        "order_date": LocalTime(NOON),
        "status": "Completed",
        "store_type": "b2c",
        "currency": "GBP",
        "email": "ann@example.com",
        "delivery_country": "GB",
        "lines": lines or (a_line(),),
    } | more
    for name in ("shipping", "voucher_value", "return_cost", "handling", "order_total"):
        if values.get(name) is not None:
            values[name] = money(values[name])
    return Order(**values)


def a_rate(
    code: str, value: Decimal | str, *, strategy: Strategy = Strategy.RELATIVE, taxation: str = "", **more: Any
) -> TaxRate:
    """A tax code of Mews; relative unless said otherwise."""
    return TaxRate(code, taxation or code, strategy, money(value), **more)


CHANGE = datetime(2011, 1, 4, tzinfo=UTC)
UK_RATES = (
    a_rate("UK-17.5%", "0.175", validity=(Validity(None, CHANGE),)),
    a_rate("UK-20%", "0.2", validity=(Validity(CHANGE, None),)),
    a_rate("UK-5%", "0.05"),
    a_rate("UK-0%", "0"),
)
US_RATES = (
    a_rate("STATE", "0.06"),
    a_rate("CITY", "0.04"),
    a_rate("LEVY", "0.01", strategy=Strategy.DEPENDENT, base=("STATE",)),
    a_rate("FEE", "2.00", strategy=Strategy.FLAT, currency="GBP"),
)


def a_reference(
    *, pricing: Pricing = Pricing.GROSS, rates: Iterable[TaxRate] = (*UK_RATES, *US_RATES), **more: Any
) -> Reference:
    """A hotel in London that has every rate of the UK and some of the US."""
    values: dict[str, Any] = {
        "platform": "http://127.0.0.1:1",
        "enterprise_id": "en-hotel",
        "enterprise_name": "Hotel",
        "timezone": "Europe/London",
        "pricing": pricing,
        "tax_precision": None,
        "tax_environment": "UK",
        "accounting_interval": "P0Y40M0DT0H0M0S",
        "operational_interval": "P0Y40M0DT0H0M0S",
        "now": datetime(2012, 1, 10, 9, tzinfo=UTC),
        "service": Service(SERVICE, "Web shop", True, True, "WEB-SHOP"),
        "currencies": {
            code: Currency(code, precision, True) for code, precision in (("GBP", 2), ("JPY", 0), ("KWD", 3))
        },
        "tax_rates": {rate.code: rate for rate in rates},
        "products": {PRODUCT: Product(PRODUCT, "Cup", True, SERVICE)},
        "categories": {CATEGORY: Named(CATEGORY, "Web shop", True)},
        "accounts": {
            ACCOUNT: Account(ACCOUNT, "Customer", "Web shop", True),
            COMPANY: Account(COMPANY, "Company", "Trade Ltd", True),
        },
        "payment_types": ("Cash", "Invoice", "GiftCard"),
    } | more
    return Reference(**values)


def a_tax(
    percent: str,
    *codes: str,
    country: str = "*",
    start: date | None = None,
    before: date | None = None,
    store_type: str = "",
    sku: str = "",
    undecided: bool = False,
    accept: bool = False,
) -> TaxRule:
    """A row of taxes.csv: a rate, "*" or "shipping", and its codes (none: exempt)."""
    kind = {"*": RateKind.ANY, "shipping": RateKind.SHIPPING}.get(percent, RateKind.PERCENT)
    return TaxRule(
        country,
        kind,
        Decimal(percent) if kind is RateKind.PERCENT else None,
        start,
        before,
        store_type,
        sku,
        None if undecided else codes,
        accept,
        Place("taxes.csv", "", 2),
    )


UK_TAXES = (
    a_tax("17.5", "UK-17.5%", before=date(2011, 1, 4)),
    a_tax("20", "UK-20%", start=date(2011, 1, 4)),
    a_tax("5", "UK-5%"),
    a_tax("0", "UK-0%"),
)


def settings(**sections: dict[str, Any]) -> Settings:
    """migration.toml with what a test names, a fallback account and rebates allowed."""
    given: dict[str, dict[str, Any]] = {
        "source": {"store": "shop", "timezone": "Europe/London"},
        "target": {"service": "eid:WEB-SHOP", "rebates": "allow"},
        "accounts": {"fallback": ACCOUNT},
        "products": {"accounting_category": CATEGORY},
    }
    for section, values in sections.items():
        given[section] = given.get(section, {}) | values
    return Settings.model_validate(given)


def a_mapping(*, taxes: Sequence[TaxRule] = UK_TAXES, tables: dict[str, Any] | None = None, **sections: Any) -> Mapping:
    """A mapping folder; `tables` are fields of Mapping, those of one target by key; `sections` those of migration.toml."""
    given = {
        name: {key: _a_rule(name, key, target) for key, target in table.items()} if name in KEYED else table
        for name, table in (tables or {}).items()
    }
    return Mapping(settings(**sections), tuple(taxes), **given)


KEYED = {
    "products": ProductRule,
    "accounts": AccountRule,
    "segments": SegmentRule,
    "bills": BillRule,
    "reservations": ReservationRule,
}


def _a_rule(table: str, key: Any, target: str | None) -> Any:
    return KEYED[table](*(key if isinstance(key, tuple) else (key,)), target, Place(f"{table}.csv", "", 2))


def a_context(
    mapping: Mapping | None = None,
    reference: Reference | None = None,
    *,
    window: Window = OPEN,
    footing: Footing = Footing.WITHOUT_TAX,
    is_public_demo: bool = False,
) -> Context:
    """Everything the rules look at; a window that is open for all of history."""
    mapping = mapping or a_mapping()
    reference = reference or a_reference()
    lookups = Lookups(TaxTable(mapping.taxes), find_glob, find_voucher, find_payment)
    return Context(mapping, reference, lookups, window, Conversion(Arithmetic(reference)), footing, is_public_demo)


def as_return(order: Order, **more: Any) -> Order:
    """The order marked as a return."""
    return replace(order, is_return=True, **more)


def entries(plan: PlannedOrder, letter: str = "") -> list[tuple[str, int, str, tuple[str, ...]]]:
    """(line, count, unit, codes) of the entries whose line starts with `letter`; the reasons if there is no plan."""
    assert plan.verdict == "ready", plan.problems
    return [
        (entry.line, entry.count, str(entry.unit), entry.codes)
        for entry in plan.entries
        if entry.line.startswith(letter)
    ]
