"""What of a batch counts as finished: posted by a plan that would be the same today, with nothing else to be said of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from builders import ACCOUNT, CATEGORY, OPEN, a_context, a_mapping, a_reference, an_order

from etl.ledger.remembered import PostedOrder, RememberedOrder
from etl.model.mapping import Mapping
from etl.model.plan import Basis, PlannedOrder, PlannedPayment, Verdict, plan_line
from etl.model.problem import Problem
from etl.model.reference import Pricing
from etl.pipeline import finished
from etl.pipeline.finished import Done, Finished, Memory, is_possible, key_of
from etl.transform.consumption import Window
from etl.transform.order import plan_order

CTX = a_context()
PLANNED = plan_order(an_order(), CTX)
CONSUMED = OPEN.start + timedelta(days=365)
POSTED = PostedOrder(
    number="1",
    currency="GBP",
    basis="gross",
    source_total="12.00",
    planned_total="12.00",
    rounding="0",
    account_id=ACCOUNT,
    consumption=CONSUMED.isoformat(),
    month="2001-01",
    line_count=1,
    facts={"by_codes": {"UK-20%": ["10.00", "2.00", "12.00"]}, "by_category": {CATEGORY: ["10.00", "2.00", "12.00"]}},
)


class Book:
    """A ledger that holds these orders, and what it was told to remember."""

    def __init__(self, held: dict[str, RememberedOrder] | None = None, posted: PostedOrder = POSTED) -> None:
        self.held, self.posted, self.kept, self.met = held or {}, posted, [], []

    @contextmanager
    def steps(self) -> Iterator[Book]:
        yield self

    def remember(self, key: str, rows: list[tuple[str, str, str, bytes]]) -> None:
        self.kept += rows

    def meet_again(self, run_id: str, numbers: list[str]) -> None:
        self.met.append((run_id, numbers))

    def remembered(self, numbers: list[str], key: str) -> dict[str, RememberedOrder]:
        return {number: self.held[number] for number in numbers if number in self.held}

    def posted_orders(self, numbers: list[str]) -> dict[str, PostedOrder]:
        return dict.fromkeys(numbers, self.posted)

    def lookup(self, numbers: list[str]) -> dict[str, Any]:
        return {number: replace(PLANNED, number=number) for number in numbers}

    def parts(self, numbers: Iterator[str]) -> dict[str, Any]:
        return {number: [f"parts of {number}"] for number in numbers}


class Rows:
    """A batch of orders by number, whose parts are the hashes of their rows."""

    def __init__(self, hashes: dict[str, str]) -> None:
        self._hashes = hashes

    def parts(self) -> Iterator[tuple[str, str]]:
        return iter(self._hashes.items())

    def rows_hash(self, parts: str) -> str:
        return parts

    def named(self, numbers: list[str]) -> list[Any]:
        return [an_order(number=number) for number in numbers]


def test_a_key_stands_for_all_but_cells_and_clock(monkeypatch):
    """Another program, recipe, mapping or hotel may plan otherwise: nothing that was remembered before counts."""
    mapping, reference = replace(a_mapping(), digest="a"), a_reference()
    keys = [key_of(mapping, reference), key_of(replace(mapping, digest="b"), reference)]
    keys.append(key_of(mapping, a_reference(pricing=Pricing.NET)))
    for name, other in (("__version__", "0.0.0"), ("RECIPE_VERSION", -1)):
        with monkeypatch.context() as patch:
            patch.setattr(finished, name, other)
            keys.append(key_of(mapping, reference))
    assert len(set(keys)) == len(keys)
    assert key_of(mapping, replace(reference, now=reference.now + timedelta(days=9))) == keys[0]


def test_what_counts_over_all_orders_leaves_them_to_the_rules():
    """How totals foot, words of the shop and control sums are found out over the whole file."""
    plain = a_mapping(source={"prices_include_tax": True})
    outlet = a_mapping(source={"prices_include_tax": True}, target={"route": "outlet"}, outlet={"outlet": "Shop"})
    others: list[Mapping] = [replace(plain, controls=(None,)), replace(plain, values=(None,)), outlet]  # type: ignore[arg-type]
    others += [a_mapping(source={"prices_include_tax": has_tax}) for has_tax in (False, "b2c")]
    assert [is_possible(one) for one in (plain, *others)] == [True, *(False for _ in others)]


def watched(order: PlannedOrder, hashes: dict[str, str] | None = None) -> list[str]:
    """The numbers that are kept of a plan of this one order."""
    book = Book()
    rows = Rows(hashes or {order.number: "rows"})
    assert list(Memory(book, rows, "key", "shop").watch([order])) == [order]
    return [row[0] for row in book.kept]


def test_what_is_kept_of_an_order_is_its_own():
    """Its rows, fingerprint and part of the plan id, wherever it stands among the others."""
    book, other = Book(), replace(PLANNED, number="9")
    memory = Memory(book, Rows({"1": "a", PLANNED.number: "b", "9": "c"}), "key", "shop")
    list(memory.watch([PLANNED, other]))
    assert book.kept == [
        (one.number, one.fingerprint, rows, plan_line(one, "shop")) for one, rows in ((PLANNED, "b"), (other, "c"))
    ]
    assert watched(PLANNED, {PLANNED.number: ""}) == []


@pytest.mark.parametrize(
    "more",
    [
        {"problems": (Problem("value.cut", "x"),)},
        {"rounding_causes": (("conversion", Decimal(0)),)},
        {"replaces": ("x",)},
        {"is_clamped": True},
        {"payments": (PlannedPayment("pay1", "Cash", Decimal(1)),)},
        {"create_customer": (("Email", "ann@example.com"),)},
        {"parent": "1"},
        {"number": f"{PLANNED.number}-R9"},
        {"verdict": Verdict.SKIPPED},
        {"basis": Basis.NET},
        {"fingerprint": ""},
        {"source_total": Decimal("12.01")},
    ],
    ids=lambda more: next(iter(more)),
)
def test_nothing_is_kept_of_an_order_of_which_more_is_to_be_said(more):
    """A rerun would take it for one that is finished, and its payment, notice or difference would be lost."""
    assert watched(PLANNED) == [PLANNED.number]
    assert watched(replace(PLANNED, **more), {PLANNED.number: "rows"}) == []


def test_orders_are_taken_over_in_their_places_and_checked_now_and_then(monkeypatch):
    """Those before, between and behind go to the rules in their order; so does one of other rows, or outside the window."""
    checked: list[str] = []
    monkeypatch.setattr(finished, "CHECK_EVERY", 2)
    monkeypatch.setattr(Finished, "_check", lambda self, number, *_: checked.append(number))
    window = Window(CONSUMED, CONSUMED + timedelta(days=1))
    held = {str(n): RememberedOrder("rows", b"%d" % n, CONSUMED.isoformat()) for n in range(2, 9)}
    held["4"] = held["4"]._replace(rows="other")
    held["6"] = held["6"]._replace(consumed=(CONSUMED - timedelta(seconds=1)).isoformat())
    held["7"] = held["7"]._replace(consumed="")
    book = Book(held)
    done = Finished(book, Rows({str(n): "rows" for n in range(1, 10)}), "key")  # type: ignore[arg-type]
    found = list(done.orders(a_context(window=window), lambda some: [number for number, _ in some]))
    taken = [one.number if isinstance(one, Done) else f"rules {one}" for one in found]
    assert taken == ["rules 1", "2", "3", "rules 4", "5", "rules 6", "rules 7", "8", "rules 9"]
    assert (checked, done.count, found[1].line) == (["2", "5"], 4, b"2")
    done.keep("run-2")
    assert book.met == [("run-2", ["2", "3", "5", "8"])]


def summed(posted: PostedOrder) -> tuple[int, int]:
    """How many orders are summed up, and how many are told by the rules, where the ledger says this of the one there is."""
    held = {"1": RememberedOrder("rows", b"1", CONSUMED.isoformat())}
    done = Finished(Book(held, posted), Rows({"1": "rows"}), "key")  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Finished, "_check", lambda *_: None)
        list(done.orders(CTX, lambda some: some))
    told: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finished, "needs_parts", lambda _: True)
        found = list(done.statuses(CTX, lambda *given: told.append(given)))
    assert [parts for _, _, parts in told] in ([], [["parts of 1"]])
    return sum(orders for _, orders in found) - len(told), len(told)


@pytest.mark.parametrize(
    "more",
    [
        {"facts": {"payments": [["pay1", "Cash", "1.00"]]}},
        {"facts": {"route": "outlet"}},
        {"facts": {"rounding_causes": [["conversion", "0.01"]]}},
        {"facts": {"now": {"verdict": "ready"}}},
        {"facts": {"charged": "another"}},
        {"facts": {"by_codes": {"UK-20%": ["10.005", "2.00", "12.005"]}}},
        {"facts": {"by_category": {CATEGORY: ["10.00", "2.01", "12.00"]}}},
        {"source_total": "12.01"},
        {"rounding": "0.01"},
        {"basis": "net"},
        {"currency": "XXX"},
    ],
    ids=lambda more: json.dumps(more)[:40],
)
def test_an_order_that_is_more_than_its_entries_is_told_by_the_rules(more):
    """What the run itself, or somebody meanwhile, found out of it would be missing in a sum."""
    assert summed(POSTED) == (1, 0)
    facts = {**POSTED.facts, **more.get("facts", {})}
    assert summed(POSTED._replace(**{**more, "facts": facts})) == (0, 1)


def test_facts_of_an_earlier_version_are_told_by_the_rules():
    """It kept no sums by accounting category."""
    facts = {name: value for name, value in POSTED.facts.items() if name != "by_category"}
    assert summed(POSTED._replace(facts=facts)) == (0, 1)
