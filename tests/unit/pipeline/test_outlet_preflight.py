"""What preflight, init and next say of the outlet route: the outlet, categories, what only Mews can tell, the way out."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from builders import ACCOUNT, CATEGORY, SERVICE, a_mapping, a_reference
from outlet_shop import OUTLET, SHIPPING, outlet_context

from etl.errors import UsageError
from etl.mapping.folder import SeenMapping
from etl.model.catalogue import Catalogue
from etl.model.mapping import Mapping
from etl.model.place import Place
from etl.model.reference import Named, Product, Reference
from etl.model.route import Route
from etl.model.rules import PaymentRule
from etl.pipeline.candidates import outlet_check
from etl.pipeline.catalogue import write_catalogue
from etl.pipeline.check import Check, Result
from etl.pipeline.feasible import binding_interval, duration_words, feasibility, history_told
from etl.pipeline.next_step import Step, next_step
from etl.pipeline.planning import PlanFacts
from etl.pipeline.preflight import run_checks
from etl.pipeline.prepare import check_route, is_of_route
from etl.settings import Settings

NOW = datetime(2012, 1, 10, 9, tzinfo=UTC)
CATALOGUE = Catalogue(
    "Hotel",
    "Europe/London",
    "GB",
    {},
    (),
    outlets=(OUTLET, Named("ou-bar", "Bar", True), Named("ou-old", "Kiosk", False)),
    products=(Product("p1", "Blue mug", True, SERVICE, SHIPPING), Product("p2", "Gone", False, SERVICE, SHIPPING)),
    categories=(
        Named(CATEGORY, "Harbour pottery", True),
        Named(SHIPPING, "Post", True),
        Named("ca-x", "Harbour", False),
    ),
)


def checked(mapping: Mapping, reference: Reference) -> dict[str, list[Check]]:
    found: dict[str, list[Check]] = {}
    for check in run_checks(mapping, reference, NOW):
        found.setdefault(check.check, []).append(check)
    return found


def on_outlet(tables: dict[str, Any] | None = None, **sections: Any) -> dict[str, list[Check]]:
    ctx = outlet_context(tables=tables, **sections)
    return checked(ctx.mapping, ctx.reference)


def test_a_sound_mapping_for_the_outlet_passes() -> None:
    """The outlet is named, nothing is wrong, and nothing of the other route is asked or told."""
    found = on_outlet()
    results = {check.result for checks in found.values() for check in checks}
    assert results <= {Result.OK, Result.UNPROVED}
    assert found["outlet"][0].detail == "Web shop is active and takes bills"
    for name in ("service", "fallback account", "linked reservation", "item grouping", "payment types", "payments"):
        assert name not in found, name


def test_what_only_mews_can_tell_is_unproved() -> None:
    """The permission for bills, and bills older than what orders may be."""
    found = on_outlet()
    assert [found[name][0].result for name in ("outlet bills", "editable window", "rebates")] == [Result.UNPROVED] * 3
    assert "none is documented for outlet bills" in found["editable window"][0].detail
    assert "40 months" in found["editable window"][0].detail


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"products": {"accounting_category": ""}}, "products.accounting_category"),
        ({"shipping": {"accounting_category": ""}}, "shipping.accounting_category"),
        ({"vouchers": {"accounting_category": ""}}, "vouchers.accounting_category"),
        ({"payments": {"accounting_category": ""}}, "payments.accounting_category"),
        ({"outlet": {"payments": "balance", "balance_category": ""}}, "outlet.balance_category"),
    ],
)
def test_a_key_without_category_is_told_before_an_order_needs_it(sections: dict[str, Any], key: str) -> None:
    """Every item of a bill needs one; what is named is checked as on the other route."""
    (warned,) = [one for one in on_outlet(**sections)["accounting categories"] if one.result is Result.WARNING]
    assert key in warned.detail
    assert not [one for one in on_outlet()["accounting categories"] if one.result is Result.WARNING]


def test_a_balance_category_that_mews_does_not_have_is_an_error() -> None:
    """And so is one of payments.csv; its type means nothing here."""
    wrong = on_outlet(outlet={"payments": "balance", "balance_category": "ca-none"})["accounting categories"]
    assert [one.result for one in wrong] == [Result.ERROR]
    assert "outlet.balance_category" in wrong[0].detail
    rule = PaymentRule("card", "Bitcoin", "ca-none", Place("payments.csv", "", 2))
    rows = on_outlet(tables={"payments": (rule,)})
    assert "payments.csv" in rows["accounting categories"][0].detail
    assert "payment types" not in rows


def test_accounts_are_checked_only_where_bills_name_them() -> None:
    """accounts.csv may stand there from the other route: it is told, not judged."""
    tables = {"accounts": {("email", "a@example.com"): "ac-none"}}
    aside = on_outlet(tables=tables)
    assert "accounts" not in aside
    assert "accounts.csv" in aside["not used"][0].detail
    mapped = on_outlet(tables=tables, outlet={"account": "mapped"}, accounts={"fallback": ACCOUNT})
    assert mapped["accounts"][0].result is Result.ERROR


def test_tables_and_keys_without_meaning_are_told() -> None:
    """Somebody may rely on a bill, a segment or a clamp."""
    found = on_outlet(
        tables={"bills": {"1": "b"}, "segments": {"UK": "s"}},
        target={"outside_editable_window": "clamp"},
        payments={"post": True, "type": "Cash"},
    )["not used"][0]
    for name in ("bills.csv", "segments.csv", "target.outside_editable_window", "payments.post"):
        assert name in found.detail
    assert "bills" not in on_outlet(tables={"bills": {"1": "b"}})


def test_assumed_payments_are_told() -> None:
    """Nothing in the export proves them."""
    assert "assumed" in on_outlet(outlet={"payments": "balance"})["payments on bills"][0].detail
    assert on_outlet(outlet={"payments": "none"})["payments on bills"][0].result is Result.WARNING
    assert on_outlet()["payments on bills"][0].result is Result.OK


def test_the_other_route_says_nothing_of_bills() -> None:
    """Its checks are what they were."""
    found = checked(a_mapping(), a_reference())
    assert not {"outlet", "outlet bills", "payments on bills", "not used"} & found.keys()
    assert {"service", "editable window", "linked reservation"} <= found.keys()


def test_a_missing_outlet_is_told_with_those_there_are() -> None:
    """Only active ones; where none is listed, whether that is for want of permission."""
    told = outlet_check(CATALOGUE, "outlet.outlet is not set")
    assert "Web shop (ou-shop), Bar (ou-bar)" in told.detail
    assert "Kiosk" not in told.detail
    assert "associate it" in outlet_check(replace(CATALOGUE, outlets=()), "x").next
    untold = replace(CATALOGUE, outlets=(), unread=("outlets: not permitted",))
    assert "permission" in outlet_check(untold, "x").next
    assert "not permitted" in outlet_check(untold, "x").detail


@pytest.mark.parametrize(
    ("seen", "lacks", "wants_fallback"),
    [
        (SeenMapping(None), "target.service", True),
        (SeenMapping(None, service="s"), "", True),
        (SeenMapping(None, route=Route.OUTLET), "outlet.outlet", False),
        (SeenMapping(None, route=Route.OUTLET, outlet="Web shop"), "", False),
        (SeenMapping(outlet_context(outlet={"account": "mapped"}).mapping, route=Route.OUTLET), "outlet.outlet", True),
    ],
)
def test_each_route_lacks_a_place_of_its_own(seen: SeenMapping, lacks: str, wants_fallback: bool) -> None:
    """What init calls open, and whether somebody is to be charged."""
    assert (seen.lacks, seen.wants_fallback) == (lacks, wants_fallback)


def facts(inside: int, outside: int) -> PlanFacts:
    return PlanFacts(earliest=NOW, inside_window=inside, outside_window=outside)


def test_the_finding_names_both_numbers_and_the_other_route() -> None:
    """`orders/add` can't, the outlet can: told where the history is too old for the route that is set."""
    week = a_reference(accounting_interval="P0M7DT0H0M0S", operational_interval="P0M30DT0H0M0S")
    told = feasibility(facts(96, 25_801), a_mapping(), week)["told"]
    assert "can't be booked by orders/add" in told
    for words in ("window of 7 days", "25,801 of 25,897", "outlet route can", 'target.route = "outlet"'):
        assert words in told
    assert feasibility(facts(96, 0), a_mapping(), week)["told"] == ""


def test_on_the_outlet_route_older_bills_are_told_as_unproved() -> None:
    """They go out at their own dates, one first."""
    ctx = outlet_context()
    told = feasibility(facts(96, 25_801), ctx.mapping, ctx.reference)
    assert (told["route"], told["window"]) == ("outlet", "40 months")
    assert "25,801 of 25,897" in told["told"]
    assert "one of them first, alone" in told["told"]


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ("P0M7DT0H0M0S", "7 days"),
        ("P0Y40M0DT0H0M0S", "40 months"),
        ("P1Y", "1 year"),
        ("P0M1DT12H0M0S", "1 day 12 hours"),
        ("P0M0DT0H0M0S", "nothing"),
        ("seven", "seven"),
    ],
)
def test_an_interval_is_said_in_words(interval: str, words: str) -> None:
    """An accountant reads days, not ISO 8601."""
    assert duration_words(interval) == words


def test_the_interval_that_binds_is_the_one_set() -> None:
    """The shorter one by default."""
    reference = a_reference(accounting_interval="P0M7DT0H0M0S", operational_interval="P0M30DT0H0M0S")
    assert binding_interval(a_mapping(), reference) == "P0M7DT0H0M0S"
    assert binding_interval(a_mapping(target={"editable_window": "operational"}), reference) == "P0M30DT0H0M0S"


@pytest.mark.parametrize(
    ("days", "older"), [({}, 0), ({date(2012, 1, 4): 3}, 0), ({date(2012, 1, 4): 3, date(2011, 5, 1): 25_801}, 25_801)]
)
def test_init_tells_a_history_that_orders_can_not_book(days: dict[date, int], older: int) -> None:
    """With both numbers, and which route can; nothing where Mews did not say how long its history may be edited."""
    intervals = {"accounting_interval": "P0M7DT0H0M0S", "operational_interval": "P0M30DT0H0M0S", "now": NOW}
    told = history_told(replace(CATALOGUE, **intervals), days)
    assert ("(window of 7 days): 25,801 of 25,804 orders are older" in told) == bool(older)
    assert ('The outlet route can: all 25,804, at their own dates (target.route = "outlet").' in told) == bool(older)
    assert history_told(CATALOGUE, days) == ""


def test_categories_are_proposed_by_product_then_by_name() -> None:
    """Mews's product of that name first; inactive ones never, and nothing where nothing fits."""
    assert [one.id for one in CATALOGUE.categories_for("blue  MUG")] == [SHIPPING]
    assert [one.id for one in CATALOGUE.categories_for("Harbour")] == [CATEGORY]
    assert CATALOGUE.categories_for("Gone") == ()
    assert CATALOGUE.categories_for("") == ()


@pytest.mark.parametrize(
    ("route", "outlet", "wanted", "expected"),
    [
        ("orders", None, "", True),
        ("orders", OUTLET, "", False),
        ("outlet", None, "Web shop", False),
        ("outlet", OUTLET, "Web shop", True),
        ("outlet", OUTLET, "OU-SHOP", True),
        ("outlet", OUTLET, "Bar", False),
    ],
)
def test_what_was_stored_for_another_route_plans_nothing(
    route: str, outlet: Named | None, wanted: str, expected: bool
) -> None:
    """Offline, a bill would go to a service's id, or to the outlet of yesterday."""
    mapping = a_mapping(target={"route": route}, outlet={"outlet": wanted})
    reference = a_reference(outlet=outlet)
    assert is_of_route(reference, mapping) is expected
    if expected:
        check_route(reference, mapping)
    else:
        with pytest.raises(UsageError, match="another route or outlet"):
            check_route(reference, mapping)


TOML = """[source]
store = "shop"
timezone = "Europe/London"
prices_include_tax = true
[target]
route = "outlet"
[outlet]
{outlet}
[products]
{products}
"""
ORDERS = """orderNumber,orderDate,currency,deliveryAddress.country,orderTotal,products.sku,products.qty,products.unitPrice,products.vatPercent
1,2010-12-05,GBP,GB,100.00,A,1,100.00,20
"""


def ask(folder: Path, *exports: Path, environ: dict[str, str] | None = None, **keys: str) -> Step:
    """`centra-mews next` beside a folder for the outlet route."""
    (folder / "mappings").mkdir(exist_ok=True)
    text = TOML.format(outlet=keys.get("outlet", ""), products=keys.get("products", ""))
    (folder / "mappings" / "migration.toml").write_text(text)
    (folder / "mappings" / "taxes.csv").write_text(
        "country,vat_percent,valid_from,valid_before,tax_codes\nGB,20,,,UK-20%\n"
    )
    settings = Settings(folder / "mappings", str(folder / "ledger.sqlite"))
    with ExitStack() as stack:
        return next_step(stack, settings, exports, environ or {}, lambda *_: None)


def test_next_leads_to_the_outlet_and_then_to_the_category(tmp_path: Path) -> None:
    """The key, the row, and what may be written there, before any order is looked at."""
    export = tmp_path / "orders.csv"
    export.write_text(ORDERS)
    step = ask(tmp_path, export)
    assert (step.file, "preflight" in step.type) == (".env", True)
    write_catalogue(tmp_path / "mappings", CATALOGUE)
    step = ask(tmp_path, export)
    assert (step.file, step.column, step.candidates) == ("migration.toml", "outlet.outlet", ("ou-bar", "ou-shop"))
    assert "Bar (ou-bar), Web shop (ou-shop)" in step.what
    step = ask(tmp_path, export, outlet='outlet = "Web shop"')
    assert step.column == "products.accounting_category"
    assert (step.orders, step.candidates) == (1, (CATEGORY, SHIPPING))
    assert "categories.csv" in step.what
