"""Worlds: the built-in ones, the examples' form, and files that make no sense."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sandbox_desk import Desk, amount, item, world_of

from etl.errors import UsageError
from etl.sandbox import load_world, write_world
from etl.sandbox.core import Sandbox
from etl.sandbox.world_file import BUILT_IN, parse_world


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_worlds_take_orders_of_2010_today(name):
    """The rehearsal needs no file: a real order of December 2010 is inside the window now."""
    world = load_world(name)
    enterprise = world.enterprise
    assert enterprise.editable_since(datetime.now(UTC)) < moment("2009-01-01")
    assert world.notices == ()
    assert any(product.external_identifier == "85123A" for product in enterprise.products.values())
    assert any(company.external_identifier == "TRADE-1" for company in enterprise.companies.values())


@pytest.mark.parametrize(
    ("day", "codes"),
    [
        ("2008-11-30T23:59:59", {"UK-17.5%"}),
        ("2008-12-01T00:00:00", {"UK-15%"}),
        ("2009-12-31T23:59:59", {"UK-15%"}),
        ("2010-01-01T00:00:00", {"UK-17.5%"}),
        ("2011-01-03T23:59:59", {"UK-17.5%"}),
        ("2011-01-04T00:00:00", {"UK-20%"}),
    ],
)
def test_uk_vat_follows_its_history(day, codes):
    """The standard rate of each day is the one the statutes had, to the second."""
    rates = load_world("gross-uk").rates.values()
    standard = {rate.code for rate in rates if rate.value > Decimal("0.1") and rate.taxation == "UK-VAT"}
    assert {rate.code for rate in rates if rate.code in standard and rate.is_valid(moment(day))} == codes


def test_net_us_has_every_kind_of_code():
    """Relative, dependent and flat codes can be rehearsed."""
    assert {rate.kind for rate in load_world("net-us").rates.values()} == {"Relative", "Dependent", "Flat"}


@pytest.mark.parametrize(
    ("window", "now", "zone", "since"),
    [
        ("P0Y0M7DT0H0M0S", "2012-01-10T09:00:00", "Europe/London", "2012-01-03T09:00:00"),
        ("P0Y1M0DT0H0M0S", "2012-03-31T09:00:00", "Europe/London", "2012-02-29T10:00:00"),
        ("P1Y", "2012-02-29T09:00:00", "Europe/London", "2011-02-28T09:00:00"),
        ("P0Y0M1DT0H0M0S", "2012-03-25T22:00:00", "Europe/London", "2012-03-24T23:00:00"),
        ("PT36H", "2012-01-10T09:00:00", "America/New_York", "2012-01-08T21:00:00"),
        ("P1W", "2012-01-10T09:00:00", "Europe/London", "2012-01-03T09:00:00"),
        ("P0D", "2012-01-10T09:00:00", "Europe/London", "2012-01-10T09:00:00"),
        ("P9999Y", "2012-01-10T09:00:00", "Europe/London", "0001-01-01T00:00:00"),
    ],
)
def test_windows_are_taken_off_the_calendar(window, now, zone, since):
    """Months, then days, then hours on the enterprise's wall clock; short months end on their last day."""
    enterprise = world_of(editable_window=window, timezone=zone).enterprise
    assert enterprise.editable_since(moment(now)) == moment(since)


@pytest.mark.parametrize(
    "changes",
    [
        {"pricing": "gross"},
        {"timezone": "Mars/Olympus"},
        {"editable_window": "40 months"},
        {"editable_window": "P"},
        {"currencies": {}},
        {"currencies": {"GBP": "2"}},
        {"tax_precision": 2.5},
        {"rates": [{"code": "X"}]},
        {"rates": [{"code": "X", "relative": "0.1", "flat": "1", "currency": "GBP"}]},
        {"rates": [{"code": "X", "flat": "1"}]},
        {"rates": [{"code": "X", "relative": "NaN"}]},
        {"rates": [{"code": "X", "relative": "0.1", "valid_from": "2011-01-04"}]},
        {
            "rates": [
                {"code": "X", "taxation": "X", "dependent": "0.1", "base": ["Y"]},
                {"code": "Y", "taxation": "Y", "dependent": "0.1", "base": ["X"]},
            ]
        },
        {"service": None, "services": []},
        {"service": {"id": "web-shop"}},
        {"products": {}},
        {"payment_types": ["Bitcoin"]},
        {"accounts": [{"id": "x"}]},
        {"allow_rebates": "yes"},
        {"rate_limit": "fast"},
        {"tax_environment": "XX"},
    ],
)
def test_a_world_that_makes_no_sense_is_refused(changes):
    """A wrong world is a usage error before the sandbox starts, naming the key."""
    with pytest.raises(UsageError) as caught:
        world_of(**changes)
    assert "`" in caught.value.message or "depend" in caught.value.message


def test_unknown_keys_are_told_with_the_nearest_known():
    """A typo in a world file does not pass in silence."""
    assert world_of(allow_rebate=True).notices == ("allow_rebate is ignored; did you mean allow_rebates?",)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rebates": True}, "rebates is ignored; did you mean rates or allow_rebates?"),
        ({"tax_codes": []}, "tax_codes is ignored; did you mean rates?"),
        ({"colour": 1}, "colour is ignored; known are "),
        ({"rates": [{"code": "A", "relative": 0, "rate": 0.2}]}, "rates: rate is ignored; did you mean"),
        ({"accounts": [{"mail": "a@example.com"}]}, "accounts: mail is ignored; did you mean email?"),
        ({"service": {"name": "S", "externalId": "x"}}, "service: externalId is ignored; did you mean"),
        ({"products": [{"name": "P", "vat": 1}]}, "products: vat is ignored; known are "),
    ],
)
def test_unknown_keys_are_told_on_every_level(changes, told):
    """A rate under a wrong name would be a hotel without taxes."""
    [notice] = world_of(**changes).notices
    assert notice.startswith(told)


@pytest.mark.parametrize(
    ("code", "country"), [("IT", "ITA"), ("PL", "POL"), ("UK", "GBR"), ("SANDBOX", "GBR"), (None, "GBR")]
)
def test_the_country_of_a_tax_environment_is_that_of_its_code(code, country):
    """By it `init` fills in the tax codes of the hotel's own country."""
    data = {
        "pricing": "Gross",
        "currencies": {"EUR": 2},
        "rates": [{"code": "A", "relative": 0}],
        "service": {"name": "S"},
    }
    world = parse_world(data | ({"tax_environment": code} if code else {}))
    assert world.tax_environments[world.enterprise.tax_environment].country == country


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_written_world_is_the_built_in_one(tmp_path, name):
    """What is written can be read again, and what stands there is never written over."""
    path = tmp_path / "hotel.json"
    write_world(name, path)
    assert load_world(str(path)) == load_world(name)
    with pytest.raises(UsageError, match="can't be written"):
        write_world(name, path)


def test_only_built_in_worlds_are_written(tmp_path):
    """A file is copied by other means."""
    with pytest.raises(UsageError, match="is a file already"):
        write_world("hotel.json", tmp_path / "other.json")


@pytest.mark.parametrize("name", ["missing.json", "gross_uk"])
def test_a_missing_world_is_a_usage_error(name):
    """No such file, and no such built-in world."""
    with pytest.raises(UsageError, match="can't be read"):
        load_world(name)


def test_a_broken_world_file_names_the_file(tmp_path):
    """The place of a wrong file is in the error."""
    path = tmp_path / "world.json"
    path.write_text("{")
    with pytest.raises(UsageError) as caught:
        load_world(str(path))
    assert caught.value.place == str(path)


def test_two_enterprises_need_two_ids():
    """A portfolio whose parts can't be told apart is refused."""
    part = {
        "pricing": "Gross",
        "currencies": {"GBP": 2},
        "rates": [],
        "service": {"name": "S"},
        "tax_environments": [{"code": "X"}],
    }
    with pytest.raises(UsageError, match="two enterprises"):
        parse_world({"enterprises": [part, part]})


def test_examples_are_booked_as_an_accountant_expects(shared):
    """Posting the expected items of every worked example gives exactly the net, tax and gross written there."""
    cases = 0
    for folder in sorted((shared / "examples").iterdir()):
        if not (folder / "world.json").exists():
            continue
        world = load_world(str(folder / "world.json"))
        expected = json.loads((folder / "expect.json").read_text())
        desk = Desk(world)
        for number, order in expected["orders"].items():
            if order["state"] != "posted" or not order.get("items"):
                continue
            cases += 1
            currency = order.get("currency") or _currency(order, world)
            sent = [
                item(
                    amount(
                        each["unit"],
                        *each["codes"],
                        currency=currency,
                        basis="GrossValue" if each["basis"] == "gross" else "NetValue",
                    ),
                    UnitCount=each["count"],
                    ExternalIdentifier=f"{number}:{each['line']}",
                )
                for each in order["items"]
            ]
            order_id = desk.posted(
                *sent,
                ServiceId=next(iter(world.enterprise.services)),
                ConsumptionUtc=order.get("consumption") or "2012-01-09T12:00:00Z",
            )
            found = [
                (str(each.amount.net), str(each.amount.gross - each.amount.net), str(each.amount.gross))
                for each in desk.sandbox.items_of(order_id)
            ]
            assert found == [
                (each["booked_net"], each["booked_tax"], each["booked_gross"]) for each in order["items"]
            ], (folder.name, number)
    assert cases >= 12


def _currency(order, world):
    return world.enterprise.default_currency


def test_a_world_without_now_runs_on_the_real_clock():
    """The built-in worlds show today's date."""
    shown = Sandbox(load_world("gross-uk"))
    assert abs((shown.mews_time(shown.clock()) - datetime.now(UTC)).total_seconds()) < 5
