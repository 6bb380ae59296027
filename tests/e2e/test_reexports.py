"""Orders met again: what counts as the same, what as changed, and what may be sent again."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from small_shop import TAXES, SmallShop, check_counts, open_shop, row, rows, unlimited

from etl.sandbox.server import running_sandbox

pytestmark = pytest.mark.slow


@pytest.fixture
def posted(shop: SmallShop) -> SmallShop:
    """A shop whose three orders are in Mews."""
    done = shop.shell.run("run", shop.export(rows(3)))
    assert done.code == 0, done.err
    return shop


def again(shop: SmallShop, lines: list[dict[str, str]], *options: str) -> tuple[int, dict]:
    """Exit code and document of a run over a new export; checks that Mews holds no order twice."""
    done = shop.shell.run("run", shop.export(lines, "again.csv"), *options)
    document = done.json
    assert "orders" in document, done.err
    check_counts(document)
    assert max(shop.held().values()) == 1
    return done.code, document


def reordered(lines: list[dict[str, str]]) -> list[dict[str, str]]:
    return random.Random(7).sample(lines, len(lines))


def archived(lines: list[dict[str, str]]) -> list[dict[str, str]]:
    return [line | {"status": "Archived"} for line in lines]


def commented(lines: list[dict[str, str]]) -> list[dict[str, str]]:
    return [line | {"comment": "called about the parcel"} for line in lines]


def spelt_otherwise(lines: list[dict[str, str]]) -> list[dict[str, str]]:
    return [
        line | {"orderNumber": f" 00{line['orderNumber']}.0 ", "products.vatPercent": "20.00", "currency": "gbp"}
        for line in lines
    ]


@pytest.mark.parametrize("change", [reordered, archived, commented, spelt_otherwise])
def test_the_same_orders_are_already_posted(posted: SmallShop, change) -> None:
    """Row order, status among imported ones, comments and spelling charge nobody again and alarm nobody."""
    code, document = again(posted, change(rows(3)))
    assert code == 0
    assert document["orders"]["already_posted"] == 3
    assert len(posted.held()) == 3


def an_amount(line: dict[str, str]) -> None:
    line["products.unitPrice"] = "99.00"


def a_quantity(line: dict[str, str]) -> None:
    line["products.qty"] = "5"


def a_rate(line: dict[str, str]) -> None:
    line["products.vatPercent"] = "0"


def a_date(line: dict[str, str]) -> None:
    line["orderDate"] = "2024-05-02 10:00:00"


def a_cancellation(line: dict[str, str]) -> None:
    line["status"] = "Cancelled"


def a_currency(line: dict[str, str]) -> None:
    line["currency"] = "EUR"


def nonsense(line: dict[str, str]) -> None:
    line["products.unitPrice"] = "much"


@pytest.mark.parametrize(
    "change",
    [an_amount, a_quantity, a_rate, a_date, a_cancellation, a_currency, nonsense],
    ids=lambda one: one.__name__,
)
def test_what_differs_from_the_posting_is_changed_and_never_sent(posted: SmallShop, change) -> None:
    """The guest was charged the old amount: a person must know, and nothing is charged on top."""
    lines = rows(3)
    before = posted.held_sum()
    for line in lines[2:4]:
        if change in (a_date, a_cancellation, a_currency) or line is lines[2]:
            change(line)
    code, document = again(posted, lines)
    assert code == 3
    orders = document["orders"]
    assert (orders["changed"], orders["already_posted"], orders["posted"]) == (1, 2, 0), document["problems"]
    (problem,) = [one for one in document["problems"] if one["code"] == "changed"]
    assert problem["examples"] == ["1002"]
    assert posted.held_sum() == before
    code, document = again(posted, rows(3))
    assert code == 0, "the corrected export is the posted one again"
    assert document["orders"]["already_posted"] == 3


def test_the_money_of_a_changed_order_is_told(posted: SmallShop) -> None:
    """planned is what Mews holds, changed is the difference to what the source says now."""
    lines = rows(3)
    lines[0]["products.unitPrice"] = str(Decimal(lines[0]["products.unitPrice"]) + 10)
    _, document = again(posted, lines)
    (total,) = document["totals"]
    assert Decimal(total["changed"]) == 10
    assert Decimal(total["planned"]) == Decimal(total["posted"]) == posted.held_sum()


def test_an_edited_mapping_changes_nothing_that_is_posted(posted: SmallShop) -> None:
    """The accountant's later decisions hold for later orders."""
    (posted.mapping / "taxes.csv").write_text(
        "country,vat_percent,valid_from,valid_before,tax_codes,accept_rate_difference\n*,20,,,UK-5%,yes\n", "utf-8"
    )
    code, document = again(posted, rows(4))
    assert code == 0, document["problems"]
    assert (document["orders"]["already_posted"], document["orders"]["posted"]) == (3, 1)


def test_orders_that_are_gone_from_the_export_are_left_alone(posted: SmallShop) -> None:
    """The next month's export need not repeat the last one's orders."""
    code, document = again(posted, rows(2, first=1003))
    assert code == 0
    assert document["orders"]["read"] == 2
    assert (document["orders"]["already_posted"], document["orders"]["posted"]) == (1, 1)
    assert posted.shell.run("status").json["orders"] == {"posted": 4}


def test_a_blocked_order_is_posted_once_its_cell_is_filled_in(shop: SmallShop) -> None:
    """Decide in the spreadsheet, run again: nothing else is needed."""
    lines = [row(1001), row(1002, country="CH")]
    code, document = again_first(shop, lines)
    assert (code, document["orders"]["blocked"]) == (3, 1)
    shop.map(taxes=TAXES.replace("CH,20,,,", "CH,20,,,UK-20%"))
    code, document = again(shop, lines)
    assert (code, document["orders"]["posted"], document["orders"]["already_posted"]) == (0, 1, 1)


def again_first(shop: SmallShop, lines: list[dict[str, str]]) -> tuple[int, dict]:
    """As `again`, where Mews may hold nothing yet."""
    done = shop.shell.run("run", shop.export(lines, "again.csv"))
    check_counts(done.json)
    return done.code, done.json


def test_a_rejected_order_waits_for_its_payload_or_a_word(tmp_path: Path) -> None:
    """What Mews refused is not sent unchanged again, unless a person asks; a changed payload goes by itself."""
    world = unlimited()
    enterprise = replace(world.enterprise, allow_rebates=False)
    with running_sandbox(replace(world, enterprises={enterprise.id: enterprise})) as mews:
        shop = open_shop(tmp_path, mews, "refused")
        lines = [row(1001), row(1002, shippingValue="-3.00"), row(1003)]
        sale = [row(1001), row(1002), row(1003)]
        code, document = again_first(shop, with_refund(lines))
        assert code == 3, document
        assert (document["orders"]["rejected"], document["orders"]["posted"]) == (1, 2)
        (problem,) = [one for one in document["problems"] if one["code"] == "mews.refused"]
        assert problem["examples"] == ["1002"]
        assert shop.shell.run("status").json["last_errors"][0]["order"] == "1002"
        tries = requests(shop)
        code, document = again(shop, with_refund(lines))
        assert (code, document["orders"]["rejected"]) == (3, 1)
        assert requests(shop) == tries, "nothing was sent"
        code, document = again(shop, with_refund(lines), "--retry-rejected")
        assert (code, document["orders"]["rejected"]) == (3, 1)
        assert requests(shop) == tries + 1
        code, document = again(shop, sale)
        assert code == 0, document["problems"]
        assert (document["orders"]["posted"], document["orders"]["already_posted"]) == (1, 2)


def with_refund(lines: list[dict[str, str]]) -> list[dict[str, str]]:
    """1002 as a line and its partial refund: a negative amount."""
    return [*[line | {"shippingValue": "0.00"} for line in lines], row(1002, price="1.00", qty=-1, sku="REFUND")]


def requests(shop: SmallShop) -> int:
    """How many orders were sent, accepted or not."""
    return sum(entry.operation == "orders/add" for entry in shop.sandbox.log)
