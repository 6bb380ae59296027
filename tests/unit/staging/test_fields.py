"""Which column is which field: columns.csv first, then the names of the vocabularies, each column once."""

from __future__ import annotations

import pytest

from etl.errors import InputError, MappingError
from etl.reading.kinds import Kind
from etl.reading.names import GET_ORDERS, KINDS, LINE
from etl.staging.fields import Layout, Names, is_secret, nearest, reason_of
from etl.staging.vocabulary import INTEGRATION, NOT_MIGRATED, Vocabulary


def layout(*headers: str, renames: dict[str, str] | None = None) -> Layout:
    return Names(renames).layout(headers, "a.csv")


def fields(found: Layout) -> dict[str, str]:
    return {column.header: column.field for column in (*found.order, *found.line)}


def test_names_of_create_order_in_any_case() -> None:
    """Order-level and line-level columns apart, where they stand, with the kind of their cells."""
    found = layout("ORDERNUMBER", "products.Qty", " orderTotal ", "deliveryAddress.COUNTRY")
    assert found.vocabulary is Vocabulary.CREATE_ORDER
    assert fields(found) == {
        "ORDERNUMBER": "orderNumber",
        "orderTotal": "orderTotal",
        "deliveryAddress.COUNTRY": "deliveryAddress.country",
        "products.Qty": "products.qty",
    }
    assert [(column.index, column.kind) for column in found.line] == [(1, Kind.QTY)]


@pytest.mark.parametrize("name", GET_ORDERS)
def test_names_of_get_orders(name: str) -> None:
    """Every one of them, and line fields without their prefix in flat files; there only."""
    names = Names()
    assert names.field(name, Vocabulary.GET_ORDERS) == GET_ORDERS[name]
    if name.startswith(LINE):
        bare = name.removeprefix(LINE)
        assert names.field(bare, Vocabulary.GET_ORDERS) in (GET_ORDERS[name], KINDS.get(bare) and bare)
        assert names.field(bare, Vocabulary.GET_ORDERS, is_flat=False) in (None, bare)


@pytest.mark.parametrize("name", INTEGRATION)
def test_names_of_the_integration_api(name: str) -> None:
    """Every one, with the tails that GraphQL gives amounts and codes."""
    names = Names()
    assert names.field(name, Vocabulary.INTEGRATION) == INTEGRATION[name]
    assert names.field(f"{name}.value", Vocabulary.INTEGRATION) in (INTEGRATION[name], INTEGRATION.get(f"{name}.value"))
    if name.startswith(LINE):
        assert names.field(f"lines.{name.removeprefix(LINE)}", Vocabulary.INTEGRATION) == INTEGRATION[name]


def test_every_target_is_a_field() -> None:
    """A name that leads nowhere would empty a column in silence."""
    assert set(GET_ORDERS.values()) <= set(KINDS)
    assert set(INTEGRATION.values()) <= set(KINDS)
    assert not set(NOT_MIGRATED) & set(KINDS)


def test_columns_csv_comes_first() -> None:
    """Also against a name of Centra's, in any case of the header; what was renamed is told."""
    found = layout("orderNumber", "Menge", "sku", renames={"menge": "products.qty", "sku": "products.ean"})
    assert fields(found)["Menge"] == "products.qty"
    assert fields(found)["sku"] == "products.ean"
    assert found.renamed == {"Menge": "products.qty", "sku": "products.ean"}


def test_columns_csv_may_leave_a_column_out() -> None:
    """`-`: neither read nor unknown."""
    found = layout("orderNumber", "Rabatt", renames={"Rabatt": "-"})
    assert (list(found.not_migrated), found.unknown) == (["Rabatt"], {})


def test_a_rename_to_nothing_is_refused() -> None:
    """With the field that was probably meant."""
    with pytest.raises(MappingError, match=r"products\.quantty") as caught:
        Names({"Menge": "products.quantty"})
    assert caught.value.code == "mapping.field_unknown"
    assert Names({"x": "products.qty"}).renames == {"x": "products.qty"}


@pytest.mark.parametrize("second", ["status,status", "orderTotal,ORDERTOTAL", "colour,colour"])
def test_a_field_has_one_column(second: str) -> None:
    """Which of the two counts, nobody knows; nor which of two unknown ones somebody meant."""
    with pytest.raises(InputError) as caught:
        layout("orderNumber", *second.split(","))
    assert caught.value.code == "input.duplicate_column"


def test_names_that_may_stand_in_for_each_other() -> None:
    """get-orders has two dates of delivery, and an EAN under two names: the first that is not empty counts."""
    found = layout("orderId", "preferredDeliveryDate", "estimatedDeliveryDate", "products.ean", "products.upc")
    assert [column.field for column in found.order].count("deliveryDate") == 2
    assert [column.field for column in found.line].count("products.ean") == 2


def test_without_an_order_number_there_are_no_orders() -> None:
    """The first row is shown where it is a header; never where it may be somebody's content."""
    with pytest.raises(InputError, match="status") as caught:
        layout("status", "currency", "products.qty", "products.sku")
    assert caught.value.code == "input.no_order_number"
    with pytest.raises(InputError) as caught:
        layout("TOKEN=abc123", "PASSWORD=hunter2")
    assert "hunter2" not in caught.value.message
    with pytest.raises(InputError, match="quotation marks"):
        layout("orderNumber,status,currency")


@pytest.mark.parametrize("name", ["ipAddress", "customer.ip_address", "Client IP", "REMOTE_IP"])
def test_personal_data_that_is_not_stored(name: str) -> None:
    """It enters no list of columns, so no row keeps it."""
    found = layout("orderNumber", name)
    assert is_secret(name)
    assert all(column.header != name for column in (*found.order, *found.line, *found.other))
    assert name in found.not_migrated


def test_what_is_unknown_is_told_with_the_nearest_name() -> None:
    """Nothing is left out in silence."""
    found = layout("orderNumber", "shippingValu", "colour of the van")
    assert found.unknown == {"shippingValu": "shippingValue", "colour of the van": ""}
    assert [column.header for column in found.other] == ["shippingValu", "colour of the van"]
    assert nearest("Ordertotal", KINDS) == "orderTotal"


def test_what_is_expected_and_missing() -> None:
    """One address, one key of goods will do."""
    found = layout("orderNumber", "address.country", "address.email", "products.ean")
    assert "deliveryAddress.country" not in found.missing
    assert "products.sku" not in found.missing
    assert "orderDate" in found.missing


def test_what_is_not_migrated_on_purpose() -> None:
    """By its name, with or without the prefix of lines in flat files; amounts that GraphQL says twice."""
    assert reason_of("weight")
    assert reason_of("products.harmCode")
    assert reason_of("harmCode")
    assert reason_of("grandTotal.formattedValue") == reason_of("lines.unitPrice.formattedValue")
    assert reason_of("shippingValue") == ""


def test_discounts_of_other_shops_may_have_either_sign() -> None:
    """Only Centra's own voucherValue is held to the rule of its sign."""
    own = layout("orderNumber", "voucherValue")
    other = layout("orderNumber", "Rabatt", renames={"Rabatt": "voucherValue"})
    assert (own.order[1].kind, other.order[1].kind) == (KINDS["voucherValue"], Kind.VOUCHER)
