"""What a worked example says must be true, checked against a report and the Mews that was written to.

The form is told in the README of the examples.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from etl.model.identity import Identity, parse_identifier
from etl.sandbox.core import Sandbox
from etl.sandbox.state import Item, Payment

Described = tuple[Any, ...]
Split = tuple[str, tuple[Described, ...]]
"""The letter of a line and its entries, sorted: which line is number 1 is up to the canonical order."""


@dataclass(frozen=True)
class Example:
    """`orders` and `totals` of an expect.json, and what follows the run."""

    orders: dict[str, dict[str, Any]]
    totals: list[dict[str, str]]
    then: list[str]

    def in_state(self, state: str, rows: dict[str, dict[str, str]]) -> list[str]:
        """The orders that the report has in `state`."""
        return sorted(number for number in self.orders if rows[number]["state"] == state)


def report_rows(folder: Path) -> dict[str, dict[str, str]]:
    """orders.csv of a report, by order."""
    with (folder / "orders.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["order"]: row for row in csv.DictReader(file)}


def check_states(rows: dict[str, dict[str, str]], example: Example, *, ready: str = "posted") -> None:
    """States and problem codes as orders.csv tells them; a dry run has `ready` for posted."""
    assert set(rows) == set(example.orders)
    for number, order in example.orders.items():
        allowed = [ready if state == "posted" else state for state in order["state"].split("|")]
        assert rows[number]["state"] in allowed, (number, rows[number])
        if rows[number]["state"] == "blocked":
            codes = rows[number]["problem"].split()
            assert codes, number
            assert order.get("free") or order["problem"] in codes, (number, codes)


def check_totals(document: dict[str, Any], example: Example) -> None:
    """The rows of totals, as far as the example names them."""
    rows = {(row["currency"], row["basis"]): row for row in document["totals"]}
    for wanted in example.totals:
        row = rows[wanted["currency"], wanted["basis"]]
        for name, value in wanted.items():
            assert row[name] in value.split("|"), (name, row)


def check_mews(mews: Sandbox, example: Example, posted: list[str], generation: int = 1) -> None:
    """Every order of `posted` stands in Mews in this generation as the example says; all else comes to nothing."""
    live: dict[str, list[tuple[str, Item]]] = {}
    for identity, line, item in _items(mews):
        if identity.generation == generation and not identity.is_undo:
            live.setdefault(identity.number, []).append((line, item))
    assert sorted(live) == posted
    for number in posted:
        wanted = example.orders[number]
        lists = [wanted["items"], *([wanted["or"]] if "or" in wanted else [])]
        found = split_lines((line, _describe(item, mews)) for line, item in live[number])
        assert any(is_same(found, split_lines(map(_wanted, items))) for items in lists), (number, found)
        for _, item in live[number]:
            _check_item(item, wanted, Identity("", number, generation))
        _check_payments(mews, number, generation, wanted.get("payments", []))


def check_nothing_left(mews: Sandbox, up_to: int) -> None:
    """What is not cancelled of the generations up to this one adds up to zero: net, gross and payments."""
    sums: dict[str, Decimal] = {}
    for identity, _, item in _items(mews):
        if identity.generation <= up_to and item.canceled is None:
            for what, amount in (("net", item.amount.net), ("gross", item.amount.gross)):
                key = f"{identity.number} {what} {item.currency}"
                sums[key] = sums.get(key, Decimal(0)) + amount
    for identity, _, payment in _payments(mews):
        if identity.generation <= up_to:
            key = f"{identity.number} paid {payment.currency}"
            sums[key] = sums.get(key, Decimal(0)) + payment.amount.gross
    assert not any(sums.values()), sums


def split_lines(entries: Iterable[tuple[str, Described]]) -> list[Split]:
    """Entries by line: `p1.1` and `p1.2` are one line, `p1` and `p2` are two."""
    lines: dict[str, list[Described]] = {}
    for line, entry in entries:
        lines.setdefault(line.partition(".")[0], []).append(entry)
    return sorted((line[0], tuple(sorted(found))) for line, found in lines.items())


def is_same(found: list[Split], wanted: list[Split]) -> bool:
    """Whether both hold the same lines; `*` of a wanted line stands for any letter."""
    left = list(found)
    for letter, entries in sorted(wanted, key=lambda split: split[0] == "*"):
        fits = [one for one in left if one[1] == entries and letter in (one[0], "*")]
        if not fits:
            return False
        left.remove(fits[0])
    return not left


def _items(mews: Sandbox) -> Iterator[tuple[Identity, str, Item]]:
    for item in mews.items:
        parsed = parse_identifier(item.external_identifier)
        assert parsed is not None, item
        yield *parsed, item


def _payments(mews: Sandbox) -> Iterator[tuple[Identity, str, Payment]]:
    for payment in mews.payments:
        parsed = parse_identifier(payment.external_identifier)
        assert parsed is not None, payment
        yield *parsed, payment


def _describe(item: Item, mews: Sandbox) -> Described:
    basis = mews.world.enterprise.pricing.lower()
    return (
        "item" if item.product_id is None else "product",
        item.count,
        Decimal(item.unit.gross if basis == "gross" else item.unit.net),
        basis,
        tuple(sorted(code for code, _ in item.amount.taxes)),
        Decimal(item.amount.net),
        Decimal(item.amount.gross) - Decimal(item.amount.net),
        Decimal(item.amount.gross),
    )


def _wanted(item: dict[str, Any]) -> tuple[str, Described]:
    amounts = (Decimal(item[name]) for name in ("booked_net", "booked_tax", "booked_gross"))
    codes = tuple(sorted(item["codes"]))
    return item["line"], (item["kind"], item["count"], Decimal(item["unit"]), item["basis"], codes, *amounts)


def _check_item(item: Item, wanted: dict[str, Any], identity: Identity) -> None:
    if "consumption" in wanted:
        assert item.consumed.strftime("%Y-%m-%dT%H:%M:%SZ") == wanted["consumption"]
    if "account" in wanted:
        assert item.account_id == wanted["account"]
    marker, _, notes = (item.notes or "").partition("]")
    assert marker.startswith("[centra:")
    assert marker.endswith(identity.stem.removeprefix("centra::"))
    for text in wanted.get("notes", ()):
        assert text in notes


def _check_payments(mews: Sandbox, number: str, generation: int, wanted: list[dict[str, str]]) -> None:
    found = [
        (part, payment.type, Decimal(payment.amount.gross))
        for identity, part, payment in _payments(mews)
        if identity.number == number and identity.generation == generation and not identity.is_undo
    ]
    assert sorted(found) == sorted((row["part"], row["type"], Decimal(row["gross"])) for row in wanted)
