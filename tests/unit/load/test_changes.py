"""In what an order differs from what was posted: what counts, what does not, and the words for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from etl.ledger.changes import compare, edited, is_nobodys, kept
from etl.model.content import content_of, version_of
from etl.model.order import Line, LocalTime, Order, TaxMode, Voucher

CUP = Line(2, Decimal("12.00"), Decimal(20), sku="0022469", product="Cup")
BOWL = Line(1, Decimal("3.5"), Decimal(20), sku="BOWL", ean="4006381333931")
POSTED = Order(
    "1",
    order_date=LocalTime(datetime.fromisoformat("2024-05-01T10:00")),
    currency="GBP",
    email="Ann@example.com",
    customer_id="77",
    delivery_country="GB",
    invoice_country="GB",
    lines=(CUP, BOWL),
    order_total=Decimal("27.50"),
)
AS = "gross|GBP|GB|2024-05-01T09:00:00+00:00"


def differences(order: Order, read_as: str = AS, posted: Order = POSTED) -> tuple[str, ...]:
    return compare(kept(content_of(posted)), AS, content_of(order), read_as).differences


def erased(order: Order) -> tuple[str, ...]:
    return compare(kept(content_of(POSTED)), AS, content_of(order), AS).erased


@pytest.mark.parametrize(
    "order",
    [
        replace(POSTED, lines=(BOWL, CUP)),
        replace(POSTED, order_total=Decimal("27.5")),
        replace(POSTED, order_total=None),
        replace(POSTED, lines=(replace(CUP, unit_price=Decimal(12), comment="late"), BOWL)),
        replace(POSTED, lines=(CUP, replace(BOWL, ean=""))),
        replace(POSTED, lines=(replace(CUP, ean="123", id="9"), BOWL)),
        replace(POSTED, store_type="b2c"),
        replace(POSTED, customer_id="77", account_id="5"),
        replace(POSTED, market="uk"),
        replace(POSTED, invoice_country=""),
        replace(POSTED, status="Archived", first_name="Ann"),
        replace(POSTED, delivery_date=LocalTime(datetime.fromisoformat("2024-05-09"))),
    ],
)
def test_what_another_export_of_the_same_order_says_is_no_difference(order: Order) -> None:
    """Row order, trailing zeros, format and vocabulary: an alarm for nothing hides the real ones."""
    assert differences(order) == ()
    assert erased(order) == ()


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (replace(POSTED, lines=(replace(CUP, qty=5), BOWL)), "2 x 12.00 0022469 at 20 % was posted, is 5 x 12.00"),
        (replace(POSTED, lines=(replace(CUP, sku="22469"), BOWL)), "2 x 12.00 22469 at 20 % is new"),
        (replace(POSTED, lines=(CUP,)), "1 x 3.50 BOWL at 20 % is gone"),
        (replace(POSTED, lines=(CUP, CUP, BOWL)), "is new"),
        (replace(POSTED, lines=(replace(CUP, vat_percent=Decimal(5)), BOWL)), "is 2 x 12.00 0022469 at 5 %"),
        (replace(POSTED, shipping=Decimal("4.95")), "shipping was 0.00, is 4.95"),
        (replace(POSTED, handling=Decimal("1.5")), "handling cost was 0.00, is 1.50"),
        (replace(POSTED, voucher_value=Decimal(5)), "voucher was 0.00, is 5.00"),
        (replace(POSTED, order_total=Decimal(30)), "orderTotal was 27.50, is 30.00"),
        (replace(POSTED, invoice_country="SE"), "invoice country was GB, is SE"),
        (replace(POSTED, store_type="b2b"), "storeType was b2c, is b2b"),
        (replace(POSTED, is_return=True), "it was a sale, is a return"),
        (replace(POSTED, email="bob@example.com"), "the e-mail address is another one"),
        (replace(POSTED, customer_id="78"), "customerId was 77, is 78"),
    ],
)
def test_what_counts_is_told_with_was_and_now(order: Order, said: str) -> None:
    """A person has to decide, and must not have to look for what."""
    assert said in "; ".join(differences(order))


@pytest.mark.parametrize(
    ("read_as", "said"),
    [
        ("net|GBP|GB|2024-05-01T09:00:00+00:00", "prices were with tax, are without tax"),
        ("gross|EUR|GB|2024-05-01T09:00:00+00:00", "currency was GBP, is EUR"),
        ("gross|GBP|IE|2024-05-01T09:00:00+00:00", "tax country was GB, is IE"),
        ("gross|GBP|GB|2024-05-01T08:00:00+00:00", "consumption was 2024-05-01 09:00:00 UTC, is 2024-05-01 08"),
    ],
)
def test_what_migration_toml_makes_of_the_source_counts(read_as: str, said: str) -> None:
    """The same cells mean something else under another [source]."""
    assert said in "; ".join(differences(POSTED, read_as))


@pytest.mark.parametrize(
    ("order", "keys"),
    [
        (replace(POSTED, email=""), ("e-mail address",)),
        (replace(POSTED, email="anonymized@example.com"), ("e-mail address",)),
        (replace(POSTED, email="", customer_id=""), ("e-mail address", "customerId")),
        (replace(POSTED, customer_id="ANONYMISED"), ("customerId",)),
    ],
)
def test_an_erased_customer_is_told_apart(order: Order, keys: tuple[str, ...]) -> None:
    """The shop has to erase people; what they bought is what it was."""
    assert differences(order) == ()
    assert erased(order) == keys


def test_a_customer_who_appears_is_another_account() -> None:
    """An order of nobody that is somebody's now was charged to the wrong account."""
    nobody = replace(POSTED, email="", customer_id="")
    assert differences(POSTED, posted=nobody) != ()
    assert is_nobodys(content_of(nobody))
    assert not is_nobodys(content_of(POSTED))


def test_vouchers_of_another_vocabulary_are_the_same() -> None:
    """create-order knows one sum, get-orders a list; only whether it was a means of payment can differ between lists."""
    one = replace(POSTED, voucher_value=Decimal(5), voucher_code="SUMMER")
    listed = replace(one, vouchers=(Voucher("SUMMER", Decimal(5)),))
    credit = replace(one, vouchers=(Voucher("SUMMER", Decimal(5), is_credit=True),))
    assert differences(listed, posted=one) == ()
    assert "credit" in "; ".join(differences(credit, posted=listed))


def test_the_ledger_keeps_no_address() -> None:
    """The content is kept for ever; an e-mail address stands in it as a hash."""
    assert "ann@example.com" in content_of(POSTED)
    assert "ann" not in kept(content_of(POSTED)).lower()


def test_long_lists_of_differences_are_cut() -> None:
    """A sentence of two hundred lines is read by nobody."""
    many = replace(POSTED, lines=tuple(replace(BOWL, sku=f"S{at}", ean="") for at in range(30)))
    found = differences(many)
    assert len(found) == 5
    assert "more" in found[-1]


def test_an_edited_folder_is_named() -> None:
    """The table that was edited, what it said and what it says."""
    before = {"columns.csv": {"Preis": "products.unitPrice"}, "migration.toml": {"source.timezone": "Europe/London"}}
    after = {"columns.csv": {"Preis": "products.originalPrice"}, "migration.toml": {"source.timezone": "Europe/Berlin"}}
    text = edited(before, after)
    assert "columns.csv: Preis was products.unitPrice, is products.originalPrice" in text
    assert "source.timezone was Europe/London, is Europe/Berlin" in text
    assert edited(before, before) == ""
    assert "values.csv" in edited(before, {**before, "values.csv": {"status 'paid'": "Completed"}})


def test_content_is_the_fingerprint_that_ledgers_hold() -> None:
    """A ledger of the first version has only the hash: it must stay what it was."""
    bare = Order("1", currency="GBP", lines=(Line(1, Decimal("1.00"), sku="A"),), tax_mode=TaxMode.ADDED)
    assert version_of(bare) == "sha256:d0b6bb1dc074f4ec8708febc35dd422bca0f8ed29c4da36ed73ab4f5f1524393"
