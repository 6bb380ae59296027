"""Orders that are posted and met again as they were are taken from the ledger: told alike, and nothing else is."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace

import pytest
from small_shop import TAXES, SmallShop, check_counts, rows

from etl.errors import ExitCode
from etl.pipeline.both_ways import RULES, SWITCH
from etl.sandbox.state import Entry, Store

MOVED = "0badc0de-0000-4000-a000-000000000002"
CLOCK = ("run_id", "enterprise", "feasibility")
"""What tells the time, or the run."""


def again(shop: SmallShop, lines: list[dict[str, str]], *options: str) -> tuple[dict, int]:
    """The document of a rerun, and how many orders it took from the ledger; held against a rerun by the rules."""
    export = shop.export(lines, "again.csv")
    done = shop.shell.run("--log-level", "info", "run", export, *options)
    document = done.json
    assert "orders" in document, done.err
    check_counts(document)
    assert max(shop.held().values()) == 1
    shop.shell.env[SWITCH] = RULES
    rules = shop.shell.run("run", export, *options).json
    del shop.shell.env[SWITCH]
    assert {name: rules[name] for name in rules if name not in CLOCK} == {
        name: document[name] for name in document if name not in CLOCK
    }
    told = re.search(r"met again as they were.*?orders\D*?=\D*?(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", done.err))
    assert told, done.err
    return document, int(told[1])


@pytest.fixture
def posted(shop: SmallShop) -> SmallShop:
    """A shop whose four orders are in Mews."""
    done = shop.shell.run("run", shop.export(rows(4)))
    assert done.code == 0, done.err
    return shop


def test_a_rerun_takes_them_from_the_ledger_and_sees_what_changed(posted: SmallShop) -> None:
    """Wherever their rows stand now; a price, a name or a new order among them is seen as ever."""
    lines = rows(4)
    document, taken = again(posted, lines)
    assert (document["orders"]["already_posted"], taken) == (4, 4)
    number = lines[-1]["orderNumber"]
    changed = [line | {"products.unitPrice": "99.00"} if line["orderNumber"] == number else line for line in lines]
    document, taken = again(posted, changed[::-1])
    assert (document["orders"]["already_posted"], document["orders"]["changed"]) == (3, 1)
    assert taken <= 3


@pytest.mark.slow
def test_the_account_keys_of_a_posted_order_are_seen_to_change(posted: SmallShop) -> None:
    """They enter no plan line where everybody is charged to one account."""
    lines = rows(4)
    lines = [line | {"invoiceAddress.email": "other@example.com"} if at < 1 else line for at, line in enumerate(lines)]
    first = [
        line | {"invoiceAddress.email": "other@example.com"}
        for line in lines
        if line["orderNumber"] == lines[0]["orderNumber"]
    ]
    rest = [line for line in lines if line["orderNumber"] != lines[0]["orderNumber"]]
    document, taken = again(posted, first + rest)
    assert (document["orders"]["already_posted"], document["orders"]["changed"], taken) == (3, 1, 3)


@pytest.mark.slow
def test_an_edited_mapping_and_an_undone_order_are_planned_anew(posted: SmallShop) -> None:
    """What is remembered rests on the mapping as it was; an undone order is none that is finished."""
    number = rows(4)[0]["orderNumber"]
    run_id = posted.ledger_value("SELECT run_id FROM runs ORDER BY started LIMIT 1")
    assert posted.shell.run("undo", "--run", str(run_id), "--only", number, "--yes").code == 0
    document, taken = again(posted, rows(4))
    assert (document["orders"]["already_posted"], document["orders"]["undone"], taken) == (3, 1, 3)
    posted.map(taxes=TAXES + "*,5,,,UK-5%\n")
    document, taken = again(posted, rows(4))
    assert (document["orders"]["already_posted"], taken) == (3, 0)
    # Recorded by that run under the mapping as it is now.
    assert again(posted, rows(4))[1] == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE remembered SET line = (SELECT line FROM remembered ORDER BY number DESC LIMIT 1)",
        "UPDATE orders SET source_total = '1.00', planned_total = '1.00'",
    ],
)
def test_a_memory_that_the_rules_gainsay_ends_the_command(posted: SmallShop, change: str) -> None:
    """A plan that nobody can vouch for is none; nor are sums that the order, planned again, would not make."""
    with sqlite3.connect(posted.ledger) as connection:
        connection.execute(change)
    connection.close()
    done = posted.shell.run("run", posted.export(rows(4)))
    assert done.code == ExitCode.INTERNAL
    assert "internal.both_ways" in done.err + done.out


def move(shop: SmallShop, number: str) -> None:
    """The hotel books an order again under another OrderId, and Mews forgets the one that it answered."""
    old, moment = shop.sandbox._store, shop.sandbox.clock()
    store = Store(list(old.people.values()))
    mine = [item for item in old.items if (item.notes or "").startswith(f"[centra:{shop.shell.env['STORE']}:{number}]")]
    named = replace(old.orders[mine[0].order_id], id=MOVED, created=moment, updated=moment)
    for order in (*old.orders.values(), named):
        if order.id != mine[0].order_id:
            store.commit(Entry(order=order))
    store.commit(Entry(items=tuple(item for item in old.items if item not in mine)))
    times = {"created": moment, "updated": moment, "written": moment}
    store.commit(Entry(items=tuple(replace(item, order_id=MOVED, **times) for item in mine)))
    for payment in old.payments.values():
        store.commit(Entry(payment=payment))
    shop.sandbox._store = store


@pytest.mark.slow
def test_what_the_run_itself_finds_otherwise_is_told_as_ever(posted: SmallShop) -> None:
    """An order of which Mews holds another OrderId is different, unless somebody accepted that by name."""
    number = rows(4)[0]["orderNumber"]
    waivers = posted.mapping / "waivers.csv"
    waivers.write_text(f"order_number,problem_code,reason,by,date\n{number},different,moved,Ann,2024-05-02\n", "utf-8")
    assert posted.shell.run("run", posted.export(rows(4))).code == 0
    assert again(posted, rows(4))[1] == 4
    move(posted, number)
    done = posted.shell.run("--log-level", "info", "run", posted.export(rows(4)))
    assert "orders=4" in re.sub(r"\x1b\[[0-9;]*m", "", done.err), done.err
    assert (done.code, done.json["orders"]["changed"]) == (0, 1)
    assert [one["code"] for one in done.json["problems"]] == ["different"]
