"""preflight says of the mapping what an order that needs it is blocked with, in the same words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from builders import (
    ACCOUNT,
    CATEGORY,
    PRODUCT,
    SERVICE,
    UK_TAXES,
    a_context,
    a_line,
    a_mapping,
    a_reference,
    a_tax,
    an_order,
)

from etl.model.mapping import Mapping
from etl.model.order import LocalTime, Order
from etl.model.place import Place
from etl.model.reference import Account, Bill, Currency, Named, Product, Reference
from etl.model.rules import CategoryRule, PaymentRule, VoucherRule
from etl.pipeline.check import Result
from etl.pipeline.preflight import run_checks
from etl.transform.order import plan_order


def row(file: str) -> Place:
    return Place(file, "", 2)


def said(mapping: Mapping, reference: Reference) -> dict[str, list[str]]:
    """What preflight finds wrong, by its result."""
    found: dict[str, list[str]] = {}
    for check in run_checks(mapping, reference, datetime(2012, 1, 10, 9, tzinfo=UTC)):
        found.setdefault(check.result, []).append(check.detail)
    return found


def blocked(order: Order, mapping: Mapping, reference: Reference) -> dict[str, str]:
    """What the order is blocked with: message by code."""
    plan = plan_order(order, a_context(mapping, reference), None)
    return {problem.code: problem.message for problem in plan.problems if problem.is_error}


GUEST = Account("ac-x", "Customer", "X", True)
SKU, MAIL = ("sku", "CUP"), ("email", "ann@example.com")
PRODUCTS = {"products": {SKU: PRODUCT}}
ACCOUNTS = {"accounts": {MAIL: "ac-x"}}
FAULTS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "unknown product": ({"products": {SKU: "pr-no"}}, {}, "product.unknown"),
    "unknown eid": ({"products": {SKU: "eid:no"}}, {}, "product.unknown"),
    "inactive product": (
        PRODUCTS,
        {"products": {PRODUCT: Product(PRODUCT, "Cup", False, SERVICE)}},
        "product.inactive",
    ),
    "product of another service": (
        PRODUCTS,
        {"products": {PRODUCT: Product(PRODUCT, "Cup", True, "x")}},
        "product.unknown",
    ),
    "unknown account": ({"accounts": {MAIL: "ac-no"}}, {}, "account.unknown"),
    "merged account": (ACCOUNTS, {"accounts": {"ac-x": replace(GUEST, merged_into="ac-y")}}, "account.inactive"),
    "cash list": (ACCOUNTS, {"accounts": {"ac-x": replace(GUEST, classifications=("Cashlist",))}}, "account.cashlist"),
    "unknown segment": ({"segments": {"EU": "se-no"}}, {}, "segment.unknown"),
    "inactive segment": ({"segments": {"EU": "se"}}, {"segments": {"se": Named("se", "EU", False)}}, "segment.unknown"),
    "closed bill": ({"bills": {"10001": "bi"}}, {"bills": {"bi": Bill("bi", ACCOUNT, False)}}, "bill.not_open"),
    "unknown category": (
        {"categories": (CategoryRule("sku", "CUP", "ca-no", row("categories.csv")),)},
        {},
        "category.unknown",
    ),
    "default category": ({}, {"categories": {CATEGORY: Named(CATEGORY, "Shop", False)}}, "category.unknown"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_mews_lacks(name: str) -> None:
    """Every kind of thing that a cell may name: not there, not active, not to be used."""
    tables, known, code = FAULTS[name]
    mapping, reference = a_mapping(tables=tables), a_reference(**known)
    message = blocked(an_order(market="EU"), mapping, reference)[code]
    assert any(message in detail for detail in said(mapping, reference)[Result.ERROR])


TAXES: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no such code": (a_tax("20", "UK-21%"), {}, "tax.code_unknown"),
    "two codes": (a_tax("20", "STATE", "CITY", accept=True), {}, "tax.too_many_codes"),
    "another rate": (a_tax("20", "UK-5%"), {}, "tax.rate_differs"),
}


@pytest.mark.parametrize("name", TAXES)
def test_tax_codes(name: str) -> None:
    """A wrong tax code is a wrong VAT return, so both look alike."""
    rule, known, code = TAXES[name]
    mapping, reference = a_mapping(taxes=[rule]), a_reference(**known)
    message = blocked(an_order(), mapping, reference)[code]
    assert any(message in detail for detail in said(mapping, reference)[Result.ERROR])


def test_a_code_that_is_not_valid_over_its_row() -> None:
    """Preflight asks for noon of the row's first and last day, an order for its own consumption."""
    mapping = a_mapping(taxes=[a_tax("20", "UK-20%", start=date(2010, 6, 1))])
    reference = a_reference()
    (detail,) = said(mapping, reference)[Result.ERROR]
    order = an_order(order_date=LocalTime(datetime(2010, 6, 1, 12)))  # noqa: DTZ001 - wall time of the shop
    assert blocked(order, mapping, reference)["tax.code_not_valid"] == detail
    assert "UK-20% for consumption at 2010-06-01 11:00 UTC" in detail


def test_settings_are_rules_too() -> None:
    """accounts.fallback, shipping.tax, payments.type and default_currency name something in Mews as rows do."""
    sections = {
        "accounts": {"fallback": "ac-no"},
        "shipping": {"tax": "UK-21%"},
        "source": {"default_currency": "CHF"},
    }
    mapping, reference = a_mapping(**sections), a_reference(currencies={"GBP": Currency("GBP", 2, True)})
    messages = blocked(an_order(currency="", shipping="1.00", lines=(a_line("0.00"),)), mapping, reference)
    assert set(messages) >= {"account.unknown", "tax.code_unknown", "currency.not_enabled"}
    errors = said(mapping, reference)[Result.ERROR]
    for message in messages.values():
        assert any(message in detail for detail in errors), message


def test_payments_and_vouchers() -> None:
    """A type that the enterprise has not enabled, for captures and for gift cards."""
    rules = (PaymentRule("card", "Visa", "", row("payments.csv")),)
    vouchers = (VoucherRule("GC-*", "payment", "", row("vouchers.csv")),)
    mapping = a_mapping(tables={"payments": rules, "vouchers": vouchers}, payments={"post": True, "type": "Cash"})
    reference = a_reference(payment_types=("Cash",))
    errors = " ".join(said(mapping, reference)[Result.ERROR])
    assert "payments.csv, row 2: external payments of type Visa are not enabled in Hotel." in errors
    assert "gift cards and store credit: external payments of type GiftCard are not enabled in Hotel." in errors


def test_open_rows_are_counted_in_every_table() -> None:
    """An empty target blocks the orders that need it, whatever the table."""
    tables = {
        **{name: {SKU: None} for name in ("products", "accounts")},
        **{name: {"10001": None} for name in ("bills", "reservations", "segments")},
        "vouchers": (VoucherRule("A", None),),
        "payments": (PaymentRule("card", None),),
        "categories": (CategoryRule("sku", "B", None),),
    }
    mapping = a_mapping(tables=tables, taxes=[*UK_TAXES, a_tax("7", undecided=True)])
    warnings = " ".join(said(mapping, a_reference())[Result.WARNING])
    files = ("products", "accounts", "bills", "reservations", "segments", "vouchers", "payments", "categories", "taxes")
    for file in files:
        assert f"1 row of {file}.csv is undecided" in warnings


def test_a_sound_mapping_has_no_finding() -> None:
    """Otherwise everything above could be noise."""
    tables = {"products": {SKU: PRODUCT}, "accounts": {MAIL: ACCOUNT}}
    assert Result.ERROR not in said(a_mapping(tables=tables), a_reference())
