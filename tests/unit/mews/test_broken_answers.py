"""What is essential of an answer must be there and be what it is; everything else may be odd, missing or new."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from etl.errors import MewsError
from etl.mews import bodies, profiles
from etl.mews.configuration import configuration, currency_precisions
from etl.mews.rows import order_item, payment, service_order
from etl.mews.taxes import tax_country, usable_rates
from etl.model.reference import Strategy, Validity

TIME = "2026-03-01T11:00:00Z"
AMOUNT = {
    "Currency": "GBP",
    "NetValue": Decimal("10.00"),
    "GrossValue": 12,
    "TaxValues": [{"Code": "UK-20%", "Value": Decimal("2.00")}],
}
ITEM = {
    "Id": "i1",
    "ServiceOrderId": "o1",
    "ServiceId": "s1",
    "AccountId": "a1",
    "Notes": "[centra:uk:1]",
    "UnitCount": 2,
    "UnitAmount": dict(AMOUNT),
    "Amount": AMOUNT,
    "OriginalAmount": dict(AMOUNT),
    "CreatedUtc": TIME,
    "AccountingState": "Open",
    "Data": {"Product": {"ProductId": "p1"}},
}
PAYMENT = {
    "Id": "p1",
    "Amount": {"Currency": "GBP", "NetValue": Decimal("-10.00"), "GrossValue": Decimal("-10.00")},
    "CreatedUtc": TIME,
    "Data": {"External": {"ExternalIdentifier": "centra:uk:1:pay1", "Type": "Cash"}},
}
ORDER = {"Id": "o1", "ServiceId": "s1", "CreatedUtc": TIME}
ENTERPRISE = {
    "NowUtc": TIME,
    "Enterprise": {
        "Id": "e1",
        "TimeZoneIdentifier": "Europe/London",
        "Pricing": "Gross",
        "TaxPrecision": None,
        "Currencies": [{"Currency": "GBP", "IsEnabled": True, "IsDefault": True}],
        "AccountingConfiguration": {"EnabledExternalPaymentTypes": ["Cash", 5, None]},
        "EditableHistoryInterval": "P0Y1M0DT0H0M0S",
    },
}
RATE = {
    "Code": "UK-20%",
    "TaxationCode": "UK-VAT",
    "Strategy": {"Discriminator": "Relative", "Value": {"Value": Decimal("0.2")}},
    "ValidityInvervalsUtc": [{"StartUtc": TIME, "EndUtc": None}],
}


def rates(row: dict[str, Any]) -> Any:
    return usable_rates("", [], [row])


def now_of(row: dict[str, Any]) -> Any:
    return configuration(row)


def decimals(row: dict[str, Any]) -> Any:
    return currency_precisions({"Currencies": [row]})


READERS: dict[str, tuple[Callable[[dict[str, Any]], Any], dict[str, Any]]] = {
    "item": (order_item, ITEM),
    "payment": (payment, PAYMENT),
    "order": (service_order, ORDER),
    "configuration": (now_of, ENTERPRISE),
    "rate": (rates, RATE),
    "currency": (decimals, {"Code": "GBP", "Precision": 2}),
    "service": (profiles.service, {"Id": "s1"}),
    "product": (profiles.product, {"Id": "p1"}),
    "category": (profiles.category, {"Id": "c1"}),
    "outlet": (profiles.outlet, {"Id": "x1"}),
    "segment": (profiles.segment, {"Id": "x1"}),
    "customer": (profiles.customer, {"Id": "c1"}),
    "company": (profiles.company, {"Id": "c1"}),
    "bill": (profiles.bill, {"Id": "b1", "State": "Open"}),
}
GONE = object()
BROKEN = [
    ("item", ("Id",), GONE, "OrderItem.Id is missing"),
    ("item", ("Id",), "", "OrderItem.Id is missing"),
    ("item", ("Id",), 5, "OrderItem.Id is no text"),
    ("item", ("ServiceOrderId",), None, "OrderItem.ServiceOrderId is missing"),
    ("item", ("ServiceId",), GONE, "OrderItem.ServiceId is missing"),
    ("item", ("AccountingState",), GONE, "OrderItem.AccountingState is missing"),
    ("item", ("UnitCount",), GONE, "OrderItem.UnitCount is missing"),
    ("item", ("UnitCount",), Decimal("2.5"), "OrderItem.UnitCount is no number"),
    ("item", ("UnitCount",), True, "OrderItem.UnitCount is no number"),
    ("item", ("Amount",), GONE, "OrderItem.Amount is missing"),
    ("item", ("Amount",), {}, "OrderItem.Amount is missing"),
    ("item", ("Amount",), "12", "OrderItem.Amount is missing"),
    ("item", ("Amount", "Currency"), GONE, "OrderItem.Amount.Currency is missing"),
    ("item", ("Amount", "NetValue"), None, "OrderItem.Amount.NetValue is missing"),
    ("item", ("Amount", "GrossValue"), "12.00", "OrderItem.Amount.GrossValue is no number"),
    ("item", ("Amount", "GrossValue"), True, "OrderItem.Amount.GrossValue is no number"),
    ("item", ("Amount", "TaxValues"), [{"Code": "X"}], "OrderItem.Amount.TaxValues.Value is missing"),
    ("item", ("UnitAmount",), GONE, "OrderItem.UnitAmount is missing"),
    ("item", ("UnitAmount", "NetValue"), "1", "OrderItem.UnitAmount.NetValue is no number"),
    ("item", ("OriginalAmount", "NetValue"), GONE, "OrderItem.OriginalAmount.NetValue is missing"),
    ("item", ("CreatedUtc",), GONE, "OrderItem.CreatedUtc is missing"),
    ("item", ("CreatedUtc",), "yesterday", "OrderItem.CreatedUtc is no time"),
    ("item", ("CanceledUtc",), "soon", "OrderItem.CanceledUtc is no time"),
    ("item", ("ConsumedUtc",), 5, "OrderItem.ConsumedUtc is no time"),
    ("payment", ("Id",), GONE, "Payment.Id is missing"),
    ("payment", ("Amount",), None, "Payment.Amount is missing"),
    ("payment", ("Amount", "GrossValue"), GONE, "Payment.Amount.GrossValue is missing"),
    ("payment", ("Amount", "Currency"), 5, "Payment.Amount.Currency is no text"),
    ("payment", ("CreatedUtc",), None, "Payment.CreatedUtc is missing"),
    ("payment", ("ChargedUtc",), "x", "Payment.ChargedUtc is no time"),
    ("order", ("ServiceId",), GONE, "ServiceOrder.ServiceId is missing"),
    ("order", ("CancelledUtc",), "x", "ServiceOrder.CancelledUtc is no time"),
    ("configuration", ("NowUtc",), "now", "Configuration.NowUtc is no time"),
    ("configuration", ("Enterprise", "Id"), GONE, "Enterprise.Id is missing"),
    ("configuration", ("Enterprise",), GONE, "Enterprise.Id is missing"),
    ("configuration", ("Enterprise", "TimeZoneIdentifier"), "", "Enterprise.TimeZoneIdentifier is missing"),
    ("configuration", ("Enterprise", "Pricing"), "Both", "Enterprise.Pricing is no text"),
    ("configuration", ("Enterprise", "Currencies"), [{"IsEnabled": True}], "Enterprise.Currencies.Currency is missing"),
    ("rate", ("Code",), GONE, "TaxRate.Code is missing"),
    ("rate", ("TaxationCode",), None, "TaxRate.TaxationCode is missing"),
    ("rate", ("Strategy", "Value", "Value"), "0.2", "TaxRate.Strategy.Value is no number"),
    ("rate", ("Strategy",), {"Discriminator": "Relative"}, "TaxRate.Value is missing"),
    ("rate", ("ValidityInvervalsUtc",), [{"StartUtc": "x"}], "TaxRate.StartUtc is no time"),
    ("currency", ("Precision",), GONE, "Currency.Precision is missing"),
    ("currency", ("Code",), GONE, "Currency.Code is missing"),
    ("service", ("Id",), GONE, "Service.Id is missing"),
    ("product", ("Id",), GONE, "Product.Id is missing"),
    ("category", ("Id",), GONE, "AccountingCategory.Id is missing"),
    ("outlet", ("Id",), GONE, "Outlet.Id is missing"),
    ("segment", ("Id",), GONE, "BusinessSegment.Id is missing"),
    ("customer", ("Id",), GONE, "Customer.Id is missing"),
    ("company", ("Id",), GONE, "Company.Id is missing"),
    ("bill", ("State",), GONE, "Bill.State is missing"),
]


def damaged(row: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    row = copy.deepcopy(row)
    *parents, name = path
    place = row
    for parent in parents:
        place = place[parent]
    if value is GONE:
        place.pop(name, None)
    else:
        place[name] = value
    return row


@pytest.mark.parametrize(
    ("kind", "path", "value", "words"), BROKEN, ids=lambda value: "gone" if value is GONE else str(value)[:40]
)
def test_what_is_essential(kind: str, path: tuple[str, ...], value: Any, words: str) -> None:
    """Nothing is concluded from an answer that lacks it: the sentence says what, and what to do."""
    read, row = READERS[kind]
    with pytest.raises(MewsError) as caught:
        read(damaged(row, path, value))
    assert caught.value.message == f"an answer of Mews can't be used: {words}"
    assert caught.value.code == "mews.answer"
    assert "Ask Mews" in caught.value.hint or "ask Mews" in caught.value.hint


@pytest.mark.parametrize("kind", READERS)
def test_what_is_new_or_odd_beside_it(kind: str) -> None:
    """Mews adds properties, and leaves others null: neither changes what is read."""
    read, row = READERS[kind]
    more = {**row, "NewIn2027": {"Deep": [1, 2]}, "IsActive": "maybe", "Name": None, "Notes": row.get("Notes")}
    assert read(more) == read(row)


def test_texts_of_another_kind_are_none() -> None:
    """A number where a text was: nothing else hangs on it."""
    item = order_item({**ITEM, "Notes": 5, "AccountId": None, "Data": [], "BillId": {}, "Type": False})
    assert (item.notes, item.account_id, item.product_id, item.bill_id, item.type) == ("", "", "", "", "")


def test_amounts_keep_every_digit() -> None:
    """JSON numbers arrive as Decimal, whole ones as int; never through a float."""
    text = b'{"Id":"i","ServiceOrderId":"o","ServiceId":"s","UnitCount":2.0,"CreatedUtc":"2026-03-01T11:00:00.123Z",'
    amount = b'{"Currency":"GBP","NetValue":0.10000000000000000001,"GrossValue":12345678901234567890.07,"TaxValues":[]}'
    row = bodies.load(text + b'"AccountingState":"Open","UnitAmount":%b,"Amount":%b}' % (amount, amount))
    item = order_item(row)
    assert (item.net, item.gross) == (Decimal("0.10000000000000000001"), Decimal("12345678901234567890.07"))
    assert (item.original_net, item.original_gross, item.count) == (item.net, item.gross, 2)
    assert item.created == datetime(2026, 3, 1, 11, 0, 0, 123000, tzinfo=UTC)


def test_breakdowns_of_older_servers() -> None:
    """Taxes by Breakdown where TaxValues are not a list; entries of it without a code count for nothing."""
    breakdown = {"Items": [{"TaxRateCode": "UK-20%", "TaxValue": 2}, {"TaxRateCode": None, "TaxValue": None}, 5]}
    amount = {"Currency": "GBP", "NetValue": 10, "GrossValue": 12, "TaxValues": None, "Breakdown": breakdown}
    assert order_item({**ITEM, "Amount": amount}).taxes == (("UK-20%", Decimal(2)),)
    assert order_item({**ITEM, "Amount": {**amount, "Breakdown": "?"}}).taxes == ()
    assert order_item({**ITEM, "UnitAmount": {**amount, "TaxValues": [{}]}}).unit_net == Decimal(10)


def test_identifiers_of_payments_wherever_they_stand() -> None:
    """Older servers have no Data.External; some put the identifier beside it."""
    bare = {key: value for key, value in PAYMENT.items() if key != "Data"}
    assert payment(PAYMENT).external_identifier == "centra:uk:1:pay1"
    assert payment({**bare, "ExternalIdentifier": "x"}).external_identifier == "x"
    assert payment({**bare, "Identifier": "y", "Data": {"External": None}}).external_identifier == "y"
    assert payment(PAYMENT).updated == payment(PAYMENT).created


def test_the_enterprise() -> None:
    """Older servers know only the one interval; currencies say yes only with true; types that are no texts are none."""
    found = configuration(ENTERPRISE)
    assert (found.accounting_interval, found.operational_interval) == ("P0Y1M0DT0H0M0S",) * 2
    assert found.currencies == (("GBP", True, True),)
    assert found.payment_types == ("Cash",)
    assert found.tax_precision is None
    row = damaged(ENTERPRISE, ("Enterprise", "Currencies"), [{"Currency": "EUR", "IsEnabled": "true"}, None])
    assert configuration(row).currencies == (("EUR", False, False),)
    assert configuration(damaged(ENTERPRISE, ("Enterprise", "TaxPrecision"), 4)).tax_precision == 4


def test_rates_in_either_spelling_and_shape() -> None:
    """Their spelling and the right one; the value beside the strategy or within it; kinds nobody can calculate are left out."""
    right = damaged(RATE, ("ValidityInvervalsUtc",), GONE) | {"ValidityIntervalsUtc": [{"EndUtc": TIME}]}
    assert rates(right)["UK-20%"].validity == (Validity(None, datetime(2026, 3, 1, 11, tzinfo=UTC)),)
    flat = {"Discriminator": "Flat", "Value": Decimal("2.00"), "CurrencyCode": "GBP"}
    found = rates({**RATE, "Strategy": flat})["UK-20%"]
    assert (found.strategy, found.value, found.currency) == (Strategy.FLAT, Decimal("2.00"), "GBP")
    assert rates({**RATE, "Strategy": None, "Value": Decimal("0.2")})["UK-20%"].strategy is Strategy.RELATIVE
    assert rates({**RATE, "Strategy": {"Discriminator": "Lunar"}}) == {}
    always = {**RATE, "ValidityInvervalsUtc": [{"StartUtc": TIME}, {"StartUtc": None, "EndUtc": None}]}
    assert rates(always)["UK-20%"].validity == ()


def test_environments() -> None:
    """Codes of the environment's taxations, cut to its own validity; its country in two letters."""
    environment = {
        "Code": "UK",
        "CountryCode": "GBR",
        "TaxationCodes": ["UK-VAT", 7],
        "ValidityEndUtc": "2027-01-01T00:00:00Z",
    }
    found = usable_rates("UK", [environment, {"Code": None}], [RATE, {**RATE, "TaxationCode": "DE-MWST", "Code": "DE"}])
    assert list(found) == ["UK-20%"]
    assert found["UK-20%"].validity[0].end == datetime(2027, 1, 1, tzinfo=UTC)
    assert tax_country("UK", [environment]) == "GB"
    with pytest.raises(MewsError, match="does not exist"):
        usable_rates("UK", [{"Code": "DE"}], [RATE])
    with pytest.raises(MewsError, match=r"TaxEnvironment\.ValidityEndUtc is no time"):
        usable_rates("UK", [{**environment, "ValidityEndUtc": "x"}], [RATE])
