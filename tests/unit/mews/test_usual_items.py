"""Items that are read straight from the answer are what their model makes of them, and whatever is odd is the model's to judge."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from etl.errors import MewsError
from etl.mews.rows import judged_order_item, order_item, usual_order_item

PRICE = {"Currency": "GBP", "NetValue": Decimal("2.00"), "GrossValue": Decimal("2.40")}
ITEM: dict[str, Any] = {
    "Id": "item-1",
    "ServiceOrderId": "order-1",
    "AccountId": "account-1",
    "ServiceId": "service-1",
    "Notes": "[centra:uk:1] Centra order 1",
    "BillingName": "Mug",
    "ExternalIdentifier": "centra:uk:1:p1",
    "UnitCount": 2,
    "UnitAmount": {**PRICE, "TaxValues": [{"Code": "UK-S", "Value": Decimal("0.20")}]},
    "Amount": {
        **PRICE,
        "TaxValues": [{"Code": "UK-S", "Value": Decimal("0.40")}, {"Code": "UK-X", "Value": Decimal(0)}],
        "Breakdown": {"Items": [{"TaxRateCode": "UK-S", "TaxValue": Decimal("0.40")}]},
    },
    "OriginalAmount": {**PRICE, "Currency": "EUR", "TaxValues": []},
    "CreatedUtc": "2026-08-01T12:00:00Z",
    "UpdatedUtc": "2026-08-02T12:00:00Z",
    "ConsumedUtc": "2026-07-01T12:00:00+02:00",
    "CanceledUtc": None,
    "ClosedUtc": "2026-08-03T12:00:00.5Z",
    "AccountingState": "Open",
    "Type": "ProductOrder",
    "Data": {"Discriminator": "Product", "Product": {"ProductId": "product-1"}},
    "AccountingCategoryId": "category-1",
    "BillId": "bill-1",
}
GONE = object()
ODD = [
    *(GONE, None, "", "text", "2026-08-01", "2026-13-01T00:00:00Z", 0, 1, True, False, Decimal("1.5"), Decimal(0)),
    *([], [1], [{}], {}, {"ProductId": 3}, {"Product": 1}, [{"Code": 1, "Value": Decimal(1)}], [{"Value": Decimal(1)}]),
    *(
        [{"Code": "A", "Value": 1}],
        [{"Code": None, "Value": Decimal(1)}],
        [None],
        ["text"],
        "0001-01-01T00:00:00+14:00",
    ),
]
PATHS = [
    *((name,) for name in ITEM),
    *((group, name) for group in ("UnitAmount", "Amount", "OriginalAmount") for name in (*PRICE, "TaxValues")),
    *(("Data", "Product"), ("Data", "Product", "ProductId"), ("Amount", "TaxValues", 0)),
]


def read(reader, row):
    try:
        return reader(row)
    except MewsError as error:
        return str(error)


def changed(changes) -> dict[str, Any]:
    """The item with something else at these paths, as far as they are still there."""
    row = copy.deepcopy(ITEM)
    for (*parents, name), value in changes:
        place: Any = row
        for step in parents:
            place = place.get(step) if isinstance(place, dict) else None
        if not isinstance(place, list if name == 0 else dict) or (name == 0 and not place):
            continue
        if value is not GONE:
            place[name] = value
        elif name == 0 or name in place:
            del place[name]
    return row


@given(st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(ODD)), max_size=3))
def test_an_item_is_what_its_model_makes_of_it(changes):
    row = changed(changes)
    assert read(order_item, row) == read(judged_order_item, row)


def test_each_oddity_alone():
    for path in PATHS:
        for value in ODD:
            row = changed([(path, value)])
            assert read(order_item, row) == read(judged_order_item, row), (path, value)


def test_the_usual_item_needs_no_model():
    assert usual_order_item(ITEM) == judged_order_item(ITEM)
    bare = {
        name: value for name, value in ITEM.items() if name not in ("OriginalAmount", "Data", "BillId", "ClosedUtc")
    }
    assert usual_order_item(bare) == judged_order_item(bare)
    assert usual_order_item({**ITEM, "UnitCount": "2"}) is None
