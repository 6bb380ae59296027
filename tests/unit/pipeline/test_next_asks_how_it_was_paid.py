"""`next` on the outlet route: how the history was paid, a ledger of another place, and corrections that are carried along."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from builders import a_context, a_line, a_reference, an_order
from outlet_shop import OUTLET
from test_next_step import HEADER, ask, decided, figures, folder, remember_mews

from etl.ledger.ledger import Ledger
from etl.ledger.records import Home
from etl.model.reference import Named, dump_reference
from etl.transform.order import plan_order

__all__ = ["folder"]
CATEGORY = "ca000000-0000-4000-a000-000000000001"
TOML = f"""[source]
store = "shop"
timezone = "Europe/London"
prices_include_tax = true
[target]
route = "outlet"
[outlet]
outlet = "{OUTLET.name}"
balance_category = "{CATEGORY}"
[products]
accounting_category = "{CATEGORY}"
[payments]
accounting_category = "{CATEGORY}"
"""


def remember_the_outlet(**more: str) -> None:
    """What preflight of the outlet route leaves behind."""
    category = Named(CATEGORY, "Shop", True)
    reference = a_reference(outlet=OUTLET, categories={CATEGORY: category}, payment_types=(), tax_country="GB", **more)
    with Ledger.open("ledger.sqlite") as ledger:
        ledger.bind(Home(reference.platform, reference.enterprise_id, OUTLET.id, "shop"))
        ledger.save_reference(dump_reference(reference))


@pytest.fixture
def bills(folder: Path) -> Path:
    """Two orders, of which one is paid."""
    decided()
    remember_the_outlet()
    (folder / "mappings" / "migration.toml").write_text(TOML)
    (folder / "orders.csv").write_text(
        f"{HEADER},payment.method,payment.capture.status,payment.capture.amount\n"
        "1,2010-12-05,GBP,GB,a@example.com,100.00,A,1,100.00,17.5,card,success,100.00\n"
        "2,2010-12-06,GBP,GB,a@example.com,50.00,A,1,50.00,17.5,card,,\n"
    )
    return folder


def write(key: str, value: str) -> None:
    path = Path("mappings/migration.toml")
    path.write_text(TOML.replace("[outlet]\n", f"[outlet]\n{key} = {value}\n"))


def test_how_bills_were_paid_is_asked_once(bills: Path) -> None:
    """Nobody who follows the steps ends with bills that nobody paid: the default has to be meant."""
    step = ask("orders.csv")
    assert (step.file, step.column) == ("migration.toml", "outlet.payments")
    assert step.candidates == ("captures", "balance", "none")
    assert figures(step) == (1, "GBP 50.00")
    for value in step.candidates:
        write("payments", f'"{value}"')
        assert "run orders.csv --expect" in ask("orders.csv").type, value


def test_where_every_bill_is_paid_nothing_is_asked(bills: Path) -> None:
    """The captures come to the totals: the default is right."""
    export = bills / "orders.csv"
    export.write_text(export.read_text().replace("card,,", "card,success,50.00"))
    assert "run orders.csv --expect" in ask("orders.csv").type


def test_a_ledger_of_another_place_that_posted_nothing_leads_to_another_ledger(bills: Path) -> None:
    """Preflight of orders came first, then the route was changed: preflight again would only be refused."""
    Path("ledger.sqlite").unlink()
    remember_mews()
    step = ask("orders.csv")
    assert "belongs to the service" in step.what
    assert step.type == "centra-mews --ledger ledger-2.sqlite preflight orders.csv"


def test_a_ledger_of_another_place_with_orders_in_mews_is_not_left_behind(bills: Path) -> None:
    """What stands in one place and is posted in another counts twice."""
    Path("ledger.sqlite").unlink()
    remember_mews()
    with Ledger.open("ledger.sqlite") as ledger:
        ledger.take_lock("run")
        ledger.record_plan("run-1", [plan_order(an_order(a_line("12.00")), a_context())])
        with ledger.transaction() as connection:
            connection.exec_driver_sql("UPDATE orders SET state = 'posted'")
    step = ask("orders.csv")
    assert not step.type
    assert "Undo it first" in step.what


def test_corrections_are_part_of_what_is_run(folder: Path) -> None:
    """The plan that was reviewed is the one with them."""
    remember_mews()
    decided()
    fixed = folder / "fixed.csv"
    fixed.write_text(f"{HEADER}\n8,2011-03-01,GBP,IE,a@example.com,6.00,A,1,6.00,21\n")
    without, step = ask("orders.csv"), ask("orders.csv", corrections=["fixed.csv"])
    assert step.type.startswith("centra-mews run orders.csv --corrections fixed.csv --expect")
    assert step.orders == without.orders + 1
    assert dict(step.money)["GBP"] == dict(without.money)["GBP"] + Decimal("6.00")


@pytest.mark.parametrize(
    ("section", "cells", "files"),
    [
        ("products", "0.00,,0.00,card,success,100.00", ["categories.csv"]),
        ("shipping", "3.00,,0.00,card,success,103.00", []),
        ("vouchers", "0.00,WELCOME,3.00,card,success,97.00", ["vouchers.csv"]),
        ("payments", "0.00,,0.00,card,success,100.00", ["payments.csv", "vouchers.csv"]),
    ],
)
def test_a_missing_category_names_the_places_that_can_hold_it(
    bills: Path, section: str, cells: str, files: list[str]
) -> None:
    """Whoever followed a file that says nothing of such items would stay blocked."""
    others = [name for name in ("products", "shipping", "vouchers", "payments") if name != section]
    named = "".join(f'[{name}]\naccounting_category = "{CATEGORY}"\n' for name in others)
    text = TOML.partition("[products]")[0].replace('"outlet"\n', '"outlet"\nrebates = "allow"\n')
    (bills / "mappings" / "migration.toml").write_text(f'{text}payments = "captures"\n{named}')
    (bills / "orders.csv").write_text(
        f"{HEADER},shippingValue,voucherCode,voucherValue,payment.method,payment.capture.status,payment.capture.amount\n"
        f"1,2010-12-05,GBP,GB,a@example.com,,A,1,100.00,17.5,{cells}\n"
    )
    step = ask("orders.csv")
    assert (step.file, step.column) == ("migration.toml", f"{section}.accounting_category")
    assert [one for one in ("categories.csv", "payments.csv", "vouchers.csv") if one in step.what] == files
