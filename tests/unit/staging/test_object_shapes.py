"""Order objects under every name that Centra and its clients use: read whole, or blocked; every name accounted for."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from staged import get_order, stage

from etl.model.order import Order
from etl.model.place import Place

D = Decimal


def said(order: Order) -> tuple[Any, ...]:
    """What the order says, whatever its names and places were."""
    lines = tuple(replace(line, place=Place(), line_id="") for line in order.lines)
    return (order.number, order.status, order.currency, order.store_type, order.email, order.delivery_country, lines,
            order.shipping, order.handling, order.order_total, order.voucher_value)  # fmt: skip


def pascal(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[0].upper() + key[1:]: pascal(part) for key, part in value.items()}
    return [pascal(part) for part in value] if isinstance(value, list) else value


def upper(value: Any) -> Any:
    if isinstance(value, dict):
        return {key.upper(): upper(part) for key, part in value.items()}
    return [upper(part) for part in value] if isinstance(value, list) else value


FULL = get_order(
    voucherValue=2,
    handlingCost=1.5,
    grandTotalValue=11.5,
    discounts={"vouchers": [{"voucher": "ten", "priceOffAsANumber": -2, "isCredit": 1}], "automaticDiscounts": []},
    taxBreakdown=[{"taxPercent": 20, "value": 1.92}],
    returns=[{"returnId": 7, "completed": True, "date": "2011-03-20 09:00:00", "handlingCost": 2.5, "currency": "GBP",
              "products": [{"returnLineId": 1, "orderLineId": 1, "quantity": 1, "price": 4.25}]}],
)  # fmt: skip


@pytest.mark.parametrize("fold", [pascal, upper])
def test_names_fold_case_on_every_level(tmp_path: Path, fold: Any) -> None:
    """PascalCase and capitals give the same orders, nested parts included."""
    plain, folded = stage(tmp_path, {"a.json": [FULL]}), stage(tmp_path, {"b.json": [fold(FULL)]})
    assert not [problem for order in folded.orders for problem in order.problems if problem.is_error]
    assert list(map(said, plain.orders)) == list(map(said, folded.orders))
    assert plain["77"].vouchers == folded["77"].vouchers != ()
    assert plain["77"].tax_breakdown == folded["77"].tax_breakdown != ()
    assert folded["77-R7"].handling == D("-2.5")


@pytest.mark.parametrize("name", ["lines", "line_items", "lineItems", "LineItems", "orderLines", "items", "Products"])
def test_lists_of_lines_under_other_names(tmp_path: Path, name: str) -> None:
    """The lines are read under the names that clients give the list."""
    order = get_order()
    order[name] = order.pop("products")
    staged = stage(tmp_path, {"x.json": [order]})
    assert said(staged["77"]) == said(stage(tmp_path, {"y.json": [get_order()]})["77"])
    assert f"{name}.sku" in dict(staged.facts.files[0].columns.used)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda lines: {"edges": [{"node": line} for line in lines], "pageInfo": {"hasNextPage": False}},
        lambda lines: {"nodes": lines},
        lambda lines: {str(index * 3): line for index, line in enumerate(lines)},
        lambda lines: {"product": lines},
        lambda lines: lines[0],
    ],
)
def test_lists_written_as_objects(tmp_path: Path, wrap: Any) -> None:
    """Connections, numbered elements and what XML converters write are lists, too."""
    staged = stage(tmp_path, {"x.json": [get_order(products=wrap(get_order()["products"]))]})
    assert [line.sku for line in staged["77"].lines] == ["MUG"]
    assert not staged["77"].problems


def test_columns_csv_names_lists_and_nested_fields(tmp_path: Path) -> None:
    """A list that nobody knows is named by its fields; one that is not wanted is declared with -."""
    order = get_order(gifts=[{"cost": 5}], grandTotalValue=None)
    order["varer"] = [{"nr": "MUG", "antal": 2, "pris": {"brutto": 4.25}, "moms": 20}]
    del order["products"]
    columns = {"varer.nr": "products.sku", "varer.antal": "products.qty", "varer.pris.brutto": "products.unitPrice",
               "varer.moms": "products.vatPercent", "gifts": "-"}  # fmt: skip
    staged = stage(tmp_path, {"x.json": [order]}, columns)
    (line,) = staged["77"].lines
    assert (line.sku, line.qty, line.unit_price, line.vat_percent) == ("MUG", 2, D("4.25"), 20)
    assert not staged["77"].problems
    assert ("gifts", "left out by columns.csv") in staged.facts.files[0].columns.not_migrated


@pytest.mark.parametrize(
    ("extra", "name"),
    [
        ({"varer": [{"nr": "A-1", "antal": 2}]}, "varer"),
        ({"discounts": {"campaigns": [{"priceOff": 5}]}}, "discounts.campaigns"),
        ({"fees": {"giftWrap": 2.5}}, "fees.giftWrap"),
        ({"extra": {"deep": {"surcharge": "2.50 GBP"}}}, "extra.deep.surcharge"),
        ({"items": [{"sku": "B", "qty": 1, "price": 3}]}, "items"),
    ],
)
def test_what_was_not_read_blocks_its_order(tmp_path: Path, extra: dict[str, Any], name: str) -> None:
    """Without a total to prove it, an order with an unread list or amount is never taken for the whole."""
    staged = stage(tmp_path, {"x.json": [get_order(grandTotalValue=None, **extra), get_order("78")]})
    assert "order.incomplete" in staged.codes("77")
    assert name in staged.says("77")
    assert not staged["78"].problems
    assert name in dict(staged.facts.files[0].columns.unknown)


def test_a_total_that_foots_proves_what_was_not_read_no_part(tmp_path: Path) -> None:
    """An order that adds up exactly to orderTotal is whole; what was not read is told."""
    staged = stage(
        tmp_path, {"x.json": [get_order(fees={"giftWrap": 2.5}), get_order("78", fees={"tip": 1}, grandTotalValue=13)]}
    )
    assert staged.codes("77") == {"column.unread"}
    assert "order.incomplete" in staged.codes("78")


def test_lines_alone_under_an_unknown_list_never_go_as_shipping(tmp_path: Path) -> None:
    """Shipping alone is what is left of an order whose lines nobody read, even where orderTotal foots with it."""
    order = get_order(grandTotalValue=3.5)
    order["varer"] = order.pop("products")
    assert "order.incomplete" in stage(tmp_path, {"x.json": [order]}).codes("77")


@pytest.mark.parametrize(
    "extra",
    [
        {"tags": ["vip", "gift"]},
        {"custom": {"points": 120, "latitude": 51.5, "externalId": 4711}},
        {"meta": {"weightKg": 2.5, "version": "1.20"}},
        {"empty": [], "none": None, "void": {}},
        {"shipments": [{"cost": 4}], "warehouses": {"a": {"value": 3}}},
    ],
)
def test_what_is_no_amount_blocks_nothing(tmp_path: Path, extra: dict[str, Any]) -> None:
    """Words, ids and measures under unknown names are told in the account of columns, and no more."""
    assert not stage(tmp_path, {"x.json": [get_order(grandTotalValue=None, **extra)]})["77"].problems


def test_two_names_of_one_field_must_agree(tmp_path: Path) -> None:
    """orderTotal and grandTotalValue in one object: equal they are one, different they contradict each other."""
    assert not stage(tmp_path, {"x.json": [get_order(orderTotal=12)]})["77"].problems
    staged = stage(tmp_path, {"x.json": [get_order(orderTotal=13)]})
    assert "order.conflict" in staged.codes("77")
    assert "grandTotalValue is '12.0' and orderTotal is '13'" in staged.says("77")


def test_nested_names_are_in_the_account_of_columns(tmp_path: Path) -> None:
    """Every name of every level is used, not migrated, or unknown."""
    order = get_order(
        returns=[{**FULL["returns"][0], "taxValue": 0.7, "odd": "x"}], discounts={"vouchers": [], "other": "x"}
    )
    columns = stage(tmp_path, {"x.json": [order]}).facts.files[0].columns
    used, left, unknown = dict(columns.used), dict(columns.not_migrated), dict(columns.unknown)
    assert {"returns.handlingCost", "returns.currency", "returns.products.quantity", "discounts.vouchers"} <= set(used)
    assert {"returns.taxValue", "returns.products.returnLineId"} <= set(left)
    assert set(unknown) == {"returns.odd", "discounts.other"}


def test_a_return_gives_back_its_handling_cost(tmp_path: Path) -> None:
    """HandlingCost of a return is refunded as shippingCost is; an unread amount in it blocks the return alone."""
    staged = stage(tmp_path, {"x.json": [FULL]})
    assert staged["77-R7"].handling == D("-2.5")
    assert staged["77"].handling == D("1.5")
    odd = {**FULL["returns"][0], "fees": {"restocking": {"amount": 3}}}
    staged = stage(tmp_path, {"x.json": [{**FULL, "returns": [odd]}]})
    assert "order.incomplete" in staged.codes("77-R7")
    assert "order.incomplete" not in staged.codes("77")


def test_a_return_in_another_currency_blocks(tmp_path: Path) -> None:
    """The currency of a return is the order's, or nobody knows what it gives back."""
    staged = stage(tmp_path, {"x.json": [{**FULL, "returns": [{**FULL["returns"][0], "currency": "EUR"}]}]})
    assert staged.codes("77-R7") == {"order.conflict"}
    assert "returns.currency: The return's currency EUR is not the currency of its order, GBP." in staged.says("77-R7")


RETURN = {"returnId": 9, "orderId": 77, "completed": True, "date": "2011-04-01 09:00:00", "currency": "GBP", "shippingCost": 1,
          "products": [{"orderLineId": 1, "quantity": 1, "price": 4.25, "productName": "Mug", "sku": "MUG"}]}  # fmt: skip


def test_get_returns_stand_beside_their_orders(tmp_path: Path) -> None:
    """A file of get-returns is joined by orderId; the lines' rates are those of the order."""
    for names in (("a.json", "b.json"), ("b.json", "a.json")):
        files = {"a.json": {"status": "ok", "orders": [get_order()]}, "b.json": {"status": "ok", "returns": [RETURN]}}
        staged = stage(tmp_path, {name: files[name] for name in names})
        assert [order.number for order in staged.orders] == ["77", "77-R9"]
        found = staged["77-R9"]
        assert not found.problems
        (line,) = found.lines
        assert (line.qty, line.unit_price, line.vat_percent) == (-1, D("4.25"), 20)
        assert (found.shipping, found.parent, found.delivery_country, found.is_return) == (D(-1), "77", "GB", True)
        assert {file.vocabulary.value for file in staged.facts.files} == {"get-orders", "get-returns"}


def test_a_return_met_twice_is_taken_once(tmp_path: Path) -> None:
    """Nested in its order and met again in get-returns: once, with a notice; different content blocks it."""
    nested = {key: value for key, value in RETURN.items() if key != "orderId"}
    staged = stage(tmp_path, {"a.json": [get_order(returns=[nested])], "b.json": {"returns": [RETURN]}})
    assert [order.number for order in staged.orders] == ["77", "77-R9"]
    assert staged.codes("77-R9") == {"file.overlap"}
    staged = stage(
        tmp_path, {"a.json": [get_order(returns=[nested])], "b.json": {"returns": [{**RETURN, "returnCost": 2}]}}
    )
    assert "order.overlap" in staged.codes("77-R9")


def test_a_return_without_its_order_is_blocked_with_its_money(tmp_path: Path) -> None:
    """What the return says itself is counted; nobody knows its taxes."""
    staged = stage(tmp_path, {"b.ndjson": '{"returnId": 9, "orderId": "77", "completed": 1, "currency": "GBP", "date": '
                              '"2011-04-01 09:00:00", "products": [{"orderLineId": 1, "quantity": 1, "price": 4.25}]}'})  # fmt: skip
    (found,) = staged.orders
    assert staged.codes("77-R9") == {"return.parent"}
    assert (found.currency, sum(line.total for line in found.lines)) == ("GBP", D("-4.25"))


def test_a_return_that_names_no_order_is_reported_by_row(tmp_path: Path) -> None:
    """Nothing of it is lost: the row is counted and named."""
    staged = stage(tmp_path, {"b.json": {"returns": [{"returnId": 9, "orderId": "x"}]}, "a.json": [get_order()]})
    assert staged.facts.unassigned_count == 1
    assert staged.facts.unassigned[0].place.column == "orderId"


@pytest.mark.parametrize(("word", "kind"), [("retail", "b2c"), ("Wholesale", "b2b"), ("B2C", "b2c"), ("B2B", "b2b")])
def test_stores_as_centra_writes_them(tmp_path: Path, word: str, kind: str) -> None:
    """retail and wholesale are b2c and b2b, in any case; another word blocks and names the way out."""
    assert stage(tmp_path, {"x.json": [get_order(orderStore=word)]})["77"].store_type == kind
    assert "values.csv" in str(stage(tmp_path, {"y.json": [get_order(orderStore="outlet")]})["77"].problems)


@pytest.mark.parametrize(
    ("cell", "bundle"),
    [("217", "217"), (13, "13"), (0, ""), ("0", ""), (False, ""), ("", ""), (None, ""), (1, "1"), (True, "1")],
)
def test_part_of_bundle_is_an_id(tmp_path: Path, cell: Any, bundle: str) -> None:
    """IsPartOfBundle names the bundle; 0, false and nothing are none."""
    order = get_order()
    order["products"][0]["isPartOfBundle"] = cell
    staged = stage(tmp_path, {"x.json": [order]})
    assert staged["77"].lines[0].bundle == bundle
    assert not staged["77"].problems


GRAPHQL: dict[str, Any] = {
    "id": "8f3a", "number": 77, "status": "COMPLETED", "isOnHold": False, "isInternal": False,
    "orderDate": "2011-03-05 10:15:00",
    "grandTotal": {"value": 10.0, "formattedValue": "10.00 GBP", "currency": {"code": "GBP"}},
    "totals": {"shipping": {"value": 3.5}, "handling": {"value": 0.5}, "discounts": {"value": -2.5},
               "taxAdded": {"value": 0}, "taxDeducted": {"value": 0}, "taxIncluded": {"value": 1.67}},
    "store": {"type": "DIRECT_TO_CONSUMER", "id": 1}, "market": {"id": 3, "name": "UK"}, "pricelist": {"id": 4, "name": "GBP"},
    "customer": {"id": 12, "email": "ann@example.com", "firstName": "Ann", "lastName": "Example"},
    "billingAddress": {"firstName": "Ann", "lastName": "Example", "city": "Leeds", "country": {"code": "GB", "name": "UK"}},
    "shippingAddress": {"address1": "1 High St", "zipCode": "LS1", "country": {"code": "GB"}, "phoneNumber": "12"},
    "lines": [{"__typename": "ProductOrderLine", "id": 1, "quantity": 2, "cancelledQuantity": 1, "returnedQuantity": 0,
               "taxPercent": 20, "unitPrice": {"value": 4.25}, "unitOriginalPrice": {"value": 5},
               "lineValue": {"value": 8.5}, "productName": "Mug", "productNumber": "MUG", "productVariantName": "Red",
               "size": "M", "productSize": {"SKU": "MUG-R-M", "GTIN": "4006381333931"}, "productBrand": {"name": "Kiln"}}],
    "discountsApplied": [{"value": {"value": -2.5}, "date": "2011-03-05", "discount": {"name": "Ten", "code": "ten", "type": "VOUCHER"}}],
    "paymentHistory": [{"status": "SUCCESS", "entryType": "CAPTURE", "externalReference": "r-1", "value": {"value": 10}}],
    "paymentMethod": {"uri": "adyen"},
    "returns": [{"id": 5, "status": "COMPLETED", "createdAt": "2011-03-20 10:00:00",
                 "totals": {"lineValues": {"value": 4.25}, "handling": {"value": 1}, "shipping": {"value": 0.75},
                            "discounts": {"value": 0}, "returnCost": {"value": 2}},
                 "lines": [{"quantity": 1, "unitPrice": {"value": 4.25}, "orderLine": {"id": 1}}]}],
}  # fmt: skip


def connected(value: Any) -> Any:
    """Every list as a connection."""
    if isinstance(value, dict):
        return {key: connected(part) for key, part in value.items()}
    if isinstance(value, list):
        return {"edges": [{"node": connected(part)} for part in value]}
    return value


@pytest.mark.parametrize(
    "shape", [lambda order: {"data": {"orders": [order]}}, lambda order: connected({"data": {"orders": [order]}})]
)
def test_the_integration_api_is_a_vocabulary(tmp_path: Path, shape: Any) -> None:
    """Every name of the contract's GraphQL table is read as what it is; nothing of it is unknown."""
    staged = stage(tmp_path, {"x.json": shape({**GRAPHQL, "status": "Completed"})})
    order = staged["77"]
    assert not [problem for one in staged.orders for problem in one.problems if problem.is_error]
    assert (order.currency, order.order_total, order.shipping, order.handling) == ("GBP", 10, D("3.5"), D("0.5"))
    assert (order.store_type, order.market, order.customer_id, order.email) == ("b2c", "UK", "12", "ann@example.com")
    assert (order.invoice_country, order.delivery_country, order.tax_total) == ("GB", "GB", D("1.67"))
    (line,) = order.lines
    assert (line.qty, line.unit_price, line.original_price, line.vat_percent) == (2, D("4.25"), 5, 20)
    assert (line.product, line.variant, line.size, line.brand, line.ean) == ("Mug", "Red", "M", "Kiln", "4006381333931")
    assert (order.voucher_value, order.vouchers[0].code, order.vouchers[0].is_credit) == (D("2.5"), "ten", False)
    (payment,) = order.payments
    assert (payment.kind, payment.status, payment.amount, payment.transaction) == ("capture", "success", 10, "r-1")
    back = staged["77-R5"]
    assert (back.shipping, back.handling, back.return_cost, back.is_complete) == (D("-0.75"), -1, 2, True)
    assert [(one.qty, one.unit_price) for one in back.lines] == [(-1, D("4.25"))]
    columns = staged.facts.files[0].columns
    assert columns.unknown == ()
    assert staged.facts.files[0].vocabulary.value == "Integration API"


def test_graphql_bundles_are_told_by_their_type(tmp_path: Path) -> None:
    """BundleOrderLine is a bundle, BundleItemOrderLine its content."""
    line = GRAPHQL["lines"][0]
    lines = [{**line, "__typename": "BundleOrderLine"}, {**line, "__typename": "BundleItemOrderLine"}]
    order = stage(tmp_path, {"x.json": [{**GRAPHQL, "lines": lines}]})["77"]
    assert [(one.is_bundle, one.bundle) for one in order.lines] == [(True, ""), (False, "1")]


def test_half_a_character_blocks_its_order_alone(tmp_path: Path) -> None:
    """An emoji cut in two costs its order where the text is read, and nothing where it is not."""
    text = ('[{"orderId": "1", "billingName": "A\\ud83d"}, {"orderId": "2", "odd\\ud83d": "x\\ud83d"}, '
            '{"orderId": "3\\udc00", "grandTotalValue": 2}]')  # fmt: skip
    staged = stage(tmp_path, {"x.json": text})
    assert staged.codes("1") == {"value.invalid"}
    assert not staged.codes("2")
    assert staged.facts.unassigned_count == 1
    str((staged.orders, staged.facts)).encode()


@pytest.mark.parametrize("value", ["none", "see below", True])
def test_a_word_in_the_place_of_lines_blocks(tmp_path: Path, value: Any) -> None:
    """An order whose list of lines is a text is not one without lines."""
    assert "value.invalid" in stage(tmp_path, {"x.json": [get_order(products=value, grandTotalValue=3.5)]}).codes("77")


def test_objects_that_tell_only_one_thing(tmp_path: Path) -> None:
    """GraphQL answers hold what was asked for: a store without its id, a total with nothing but its currency."""
    order = {"number": 5, "store": {"type": "WHOLESALE"}, "grandTotal": {"currency": {"code": "SEK"}}, "lines": []}
    found = stage(tmp_path, {"x.json": [order]})["5"]
    assert (found.store_type, found.currency, found.order_total) == ("b2b", "SEK", None)
    assert not [problem for problem in found.problems if problem.is_error]


def test_what_is_no_line_is_shown_as_json(tmp_path: Path) -> None:
    """A list in the place of a line is named as the file writes it, without marks of our own."""
    order = {"orderNumber": 1, "products": [[{"sku": "B-1", "qty": 1, "unitPrice": 6.5}]]}
    staged = stage(tmp_path, {"x.json": [order]})
    assert '[{"sku": "B-1", "qty": "1", "unitPrice": "6.5"}]' in staged.says("1")


def test_a_line_that_was_cancelled_as_a_whole_is_none(tmp_path: Path) -> None:
    """The Integration API keeps the line with quantity 0, since `quantity` leaves out what was cancelled."""
    gone = {**GRAPHQL["lines"][0], "id": 2, "quantity": 0, "cancelledQuantity": 3, "lineValue": {"value": 0}}
    staged = stage(tmp_path, {"x.json": [{**GRAPHQL, "lines": [*GRAPHQL["lines"], gone], "returns": []}]})
    assert [line.qty for line in staged["77"].lines] == [2]
    assert "line.cancelled" in staged.codes("77")
    assert not [problem for problem in staged["77"].problems if problem.is_error]


def returned(identifier: int, quantity: int, **more: Any) -> dict[str, Any]:
    return {"returnId": identifier, "completed": 1, "date": "2011-03-20 09:00:00",
            "products": [{"orderLineId": 1, "quantity": quantity, "price": 4.25}], **more}  # fmt: skip


def test_no_return_takes_back_more_than_was_sold(tmp_path: Path) -> None:
    """Two were sold: one and one come back, a third does not; one that is not completed takes nothing."""
    returns = [returned(1, 1), returned(2, 1, completed=0), returned(3, 1), returned(4, 1)]
    staged = stage(tmp_path, {"x.json": [get_order(returns=returns)]})
    assert not [problem for number in ("77", "77-R1", "77-R3") for problem in staged[number].problems]
    assert staged.codes("77-R4") == {"value.invalid"}
    assert "1 of line 1" in staged.says("77-R4")
    staged = stage(tmp_path, {"x.json": [get_order(returns=[returned(1, 5)])]})
    assert "5 of line 1, of which 2 were sold" in staged.says("77-R1")


def test_a_return_met_twice_takes_back_once(tmp_path: Path) -> None:
    """Nested and in a file of get-returns: one return."""
    alone = {**returned(1, 2), "orderId": "77"}
    staged = stage(tmp_path, {"x.json": [get_order(returns=[returned(1, 2)])], "y.json": {"returns": [alone]}})
    assert staged.codes("77-R1") == {"file.overlap"}


@pytest.mark.parametrize("head", ["products.", "lines.0.", "lines[0].", "Products.0.", "line_items.0.", "orderLines."])
def test_lines_in_dotted_names_are_named_as_what_they_are(tmp_path: Path, head: str) -> None:
    """A table turned into objects: which rows are one order's, and which are copies, can't be told from it."""
    order = get_order()
    (line, *_) = order.pop("products")
    staged = stage(tmp_path, {"x.json": [{**order, **{f"{head}{name}": value for name, value in line.items()}}]})
    (problem,) = [one for one in staged["77"].problems if one.is_error]
    assert (problem.code, problem.place.column.startswith(head)) == ("value.invalid", True)
    assert "read from a list of objects only" in problem.message
    assert "products: [{..}, ..]" in problem.hint
    assert not staged["77"].is_readable


@pytest.mark.parametrize("more", [{"products.sku": "", "lines.0.sku": None}, {"linesCount.total": "4"}, {"line": "4"}])
def test_names_that_lead_into_no_line_fault_nothing(tmp_path: Path, more: dict[str, Any]) -> None:
    """Empty ones, and names that only begin alike."""
    plain, with_more = stage(tmp_path, {"y.json": [get_order()]}), stage(tmp_path, {"x.json": [get_order(**more)]})
    assert said(with_more["77"]) == said(plain["77"])
    assert not [one for one in with_more["77"].problems if one.is_error]


def test_a_list_that_is_null_is_an_empty_list(tmp_path: Path) -> None:
    """Known by its name, so nobody is asked what it may mean."""
    staged = stage(tmp_path, {"x.json": [get_order(products=None, returns="")]})
    assert not {"products", "returns"} & set(dict(staged.facts.files[0].columns.unknown))
    assert staged["77"].lines == ()


def test_names_that_nobody_has_confirmed_have_samples(tmp_path: Path) -> None:
    """As the columns of a table have them: of the order, of its lines, of a list."""
    order = {
        "nr": 1,
        "currency": "GBP",
        "products": [{"art": "MUG", "qty": 1, "unitPrice": 5}, {"art": "CAP", "qty": 1, "unitPrice": 5}],
        "taxes": [{"rate": 20, "sum": "1.67"}],
    }
    columns = {
        "nr": "orderNumber",
        "products.art": "products.sku",
        "taxes.rate": "taxBreakdown.taxPercent",
        "taxes.sum": "taxBreakdown.value",
    }
    staged = stage(tmp_path, {"x.json": [order, {**order, "nr": 2}]}, columns, likely=frozenset(columns))
    assert dict(staged.facts.files[0].samples) == {
        "nr": ("1", "2"),
        "products.art": ("MUG", "CAP"),
        "taxes.rate": ("20",),
        "taxes.sum": ("1.67",),
    }


def test_a_list_below_an_object_is_the_one_that_columns_csv_means(tmp_path: Path) -> None:
    """PrestaShop's `associations` holds `order_rows`: the dotted name names both, and only one is a list."""
    rows = [{"ref": "MUG", "n": "2", "p": "5.00"}, {"ref": "CAP", "n": "1", "p": "7.00"}]
    columns = {f"associations.order_rows.{name}": f"products.{field}" for name, field in
               (("ref", "sku"), ("n", "qty"), ("p", "unitPrice"))}  # fmt: skip
    order = {"orderNumber": 1, "currency": "GBP", "associations": {"order_rows": rows}}
    staged = stage(tmp_path, {"x.json": [order]}, columns)
    assert [(line.sku, line.qty, line.unit_price) for line in staged["1"].lines] == [("MUG", 2, 5), ("CAP", 1, 7)]
    assert staged["1"].is_readable


def test_a_returned_quantity_below_zero_is_told(tmp_path: Path) -> None:
    """Some write what comes back with a minus: one mug either way, and a word about it."""
    back = {key: value for key, value in RETURN.items() if key != "orderId"}
    product = back["products"][0] | {"quantity": -1}
    staged = stage(tmp_path, {"a.json": [get_order(returns=[back | {"products": [product]}])]})
    assert [line.qty for line in staged["77-R9"].lines] == [-1]
    assert [(one.code, one.value, one.is_error) for one in staged["77-R9"].problems] == [
        ("quantity.negative", "-1", False)
    ]


@pytest.mark.parametrize(
    "more", [{"products": ["MUG"]}, {"products": "MUG"}, {"returns": ["x"]}, {"taxBreakdown": [3]}]
)
def test_an_order_with_a_list_that_is_not_read_whole_is_incomplete(tmp_path: Path, more: dict[str, Any]) -> None:
    """Its element is named, and the order as one that goes whole or not at all."""
    codes = stage(tmp_path, {"x.json": [get_order(**more)]}).codes("77")
    assert codes >= {"value.invalid", "order.incomplete"}
    wrong = stage(tmp_path, {"y.json": [get_order(shippingValue=[1])]}).codes("77")
    assert wrong == {"value.invalid"}
