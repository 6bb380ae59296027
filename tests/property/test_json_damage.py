"""JSON orders in any vocabulary and envelope, one of them damaged: read exactly as written, blocked, or told by name."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from etl.model.order import Order
from etl.model.place import Place
from etl.reading.identify import open_export
from etl.staging.batch import Batch
from etl.staging.facts import BatchFacts

money = st.decimals(min_value=Decimal("0.01"), max_value=9999, places=2)
line_data = st.tuples(st.sampled_from(["CUP", "0071", "MUG"]), st.integers(1, 99), money)
order_data = st.tuples(money, st.lists(line_data, min_size=1, max_size=3), st.booleans())
batches = st.dictionaries(st.integers(1, 10**9), order_data, min_size=2, max_size=4)


def get_orders(number: int, data: Any) -> dict[str, Any]:
    shipping, lines, has_total = data
    order = {
        "orderId": str(number), "orderStatus": 4, "orderDate": "2011-06-15 12:00:00", "orderCurrency": "GBP",
        "orderStore": "b2c", "deliveryCountry": "GB", "shippingValue": float(shipping), "voucherValue": 0,
        "products": [{"lineId": at, "sku": sku, "qty": qty, "price": float(price), "taxPercent": 20}
                     for at, (sku, qty, price) in enumerate(lines)],
    }  # fmt: skip
    return order | ({"grandTotalValue": float(total_of(data))} if has_total else {})


def create_order(number: int, data: Any) -> dict[str, Any]:
    shipping, lines, has_total = data
    order = {
        "orderNumber": number, "status": "Completed", "orderDate": "2011-06-15 12:00:00", "currency": "GBP",
        "storeType": "b2c", "deliveryAddress": {"country": "GB"}, "shippingValue": float(shipping), "voucherValue": 0,
        "products": [{"sku": sku, "qty": qty, "unitPrice": float(price), "vatPercent": 20} for sku, qty, price in lines],
    }  # fmt: skip
    return order | ({"orderTotal": float(total_of(data))} if has_total else {})


def integration(number: int, data: Any) -> dict[str, Any]:
    shipping, lines, has_total = data
    total = {"value": float(total_of(data))} if has_total else {}
    return {
        "number": number, "status": "COMPLETED", "orderDate": "2011-06-15 12:00:00",
        "grandTotal": {**total, "currency": {"code": "GBP"}}, "store": {"type": "DIRECT_TO_CONSUMER"},
        "totals": {"shipping": {"value": float(shipping)}}, "shippingAddress": {"country": {"code": "GB"}},
        "lines": [{"id": at, "productNumber": sku, "quantity": qty, "unitPrice": {"value": float(price)}, "taxPercent": 20}
                  for at, (sku, qty, price) in enumerate(lines)],
    }  # fmt: skip


def total_of(data: Any) -> Decimal:
    shipping, lines, _ = data
    return sum((qty * price for _, qty, price in lines), shipping)


WRAPS = [
    json.dumps,
    lambda orders: json.dumps({"status": "ok", "orders": orders}, indent=1),
    lambda orders: json.dumps({"data": {"orders": {"edges": [{"node": order} for order in orders]}}}),
    lambda orders: json.dumps({"orders": {f"x{at}": order for at, order in enumerate(orders)}}),
    lambda orders: "\n".join(map(json.dumps, orders)),
]
JUNK = ["#N/A", "1,2,3", "zwölf", {"odd": 1}, [1, 2], True, "--", float("nan"), "5\ud83d"]


def slots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every member of an object."""
    if isinstance(value, dict):
        return [one for key, part in value.items() for one in [(*path, key), *slots(part, (*path, key))]]
    if isinstance(value, list):
        return [one for at, part in enumerate(value) for one in [(*path, at), *slots(part, (*path, at))]]
    return []


def changed(order: Any, path: tuple[Any, ...], change: Any) -> Any:
    """A copy of the order with one member changed: `change` gives (key, value) or None to leave it out."""
    if isinstance(order, list):
        parts = list(order)
        parts[path[0]] = (
            changed(order[path[0]], path[1:], change) if len(path) > 1 else change(path[0], order[path[0]])[1]
        )
        return parts
    pairs = []
    for key, value in order.items():
        if key != path[0]:
            pairs.append((key, value))
        elif len(path) > 1:
            pairs.append((key, changed(value, path[1:], change)))
        else:
            pairs.append(change(key, value))
    return dict(pairs)


def staged(text: str) -> tuple[BatchFacts, dict[str, Order]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.json"
        path.write_text(text)
        with Batch([path], open_export=open_export) as batch:
            facts = batch.load()
            return facts, {order.number: order for order in batch.orders()}


def said(order: Order) -> tuple[Any, ...]:
    lines = tuple(replace(line, place=Place(), line_id="") for line in order.lines)
    return (order.number, order.status, order.currency, order.delivery_country, order.store_type, order.order_date, lines,
            order.shipping, order.order_total, order.voucher_value)  # fmt: skip


def checked(text: str, number: str, plain: dict[str, Order]) -> tuple[BatchFacts, Order | None]:
    """What became of the damaged order, once all others are as they were."""
    facts, orders = staged(text)
    for other, order in plain.items():
        if other != number:
            assert said(orders[other]) == said(order)
            assert orders[other].is_readable
    assert len(orders) + facts.unassigned_count == len(plain)
    (file,) = facts.files
    assert file.rows == file.rows_of_orders + file.unassigned
    return facts, orders.get(number)


vocabularies = st.sampled_from([get_orders, create_order, integration])


@settings(max_examples=40, deadline=None)
@given(data=batches, write=vocabularies, wrap=st.sampled_from(WRAPS), other=vocabularies, rewrap=st.sampled_from(WRAPS))
def test_every_vocabulary_and_envelope_says_the_same(data, write, wrap, other, rewrap) -> None:
    """Undamaged orders are never touched: what was written is what is read."""
    _, first = staged(wrap([write(*pair) for pair in data.items()]))
    _, second = staged(rewrap([other(*pair) for pair in data.items()]))
    assert [said(order) for order in first.values()] == [said(order) for order in second.values()]
    for number, (shipping, lines, has_total) in data.items():
        order = first[str(number)]
        assert not [problem for problem in order.problems if problem.is_error]
        assert (order.shipping, order.order_total) == (shipping, total_of(data[number]) if has_total else None)
        assert [(line.sku, line.qty, line.unit_price) for line in order.lines] == list(lines)


@settings(max_examples=40, deadline=None)
@given(data=batches, write=vocabularies, wrap=st.sampled_from(WRAPS), draw=st.data())
def test_a_name_that_is_damaged_costs_its_order_or_is_told(data, write, wrap, draw) -> None:
    """A misspelt name: the order is as it was, blocked, or the name stands among the unknown ones; no other changes."""
    orders = [write(*pair) for pair in data.items()]
    _, plain = staged(wrap(orders))
    at = draw.draw(st.integers(0, len(orders) - 1))
    path = draw.draw(st.sampled_from([path for path in slots(orders[at]) if isinstance(path[-1], str)]))
    rename = draw.draw(st.sampled_from([str.upper, str.title, lambda name: name + "x", lambda name: "q" + name[1:]]))
    orders[at] = changed(orders[at], path, lambda key, value: (rename(key), value))
    number = str(list(data)[at])
    facts, order = checked(wrap(orders), number, plain)
    if order is None:
        assert facts.unassigned_count == 1
    elif order.is_readable and said(order) != said(plain[number]):
        unknown = {name.rpartition(".")[2] for name, _ in facts.files[0].columns.unknown}
        parents = {part for name, _ in facts.files[0].columns.unknown for part in name.split(".")}
        assert rename(path[-1]) in unknown | parents


KEPT_FROM_JUNK = {"products", "lines", "comment"}
READ_STRICTLY = {
    "shippingValue", "grandTotalValue", "orderTotal", "qty", "quantity", "price", "unitPrice", "orderDate", "deliveryCountry",
    "country", "orderCurrency", "currency", "orderStatus", "status", "taxPercent", "vatPercent", "value",
}  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(data=batches, write=vocabularies, wrap=st.sampled_from(WRAPS), junk=st.sampled_from(JUNK), draw=st.data())
def test_a_value_that_is_damaged_blocks_its_order(data, write, wrap, junk, draw) -> None:
    """What holds no amount, date, country, currency, status or quantity is named with its column; no other order changes."""
    orders = [write(*pair) for pair in data.items()]
    _, plain = staged(wrap(orders))
    at = draw.draw(st.integers(0, len(orders) - 1))
    path = draw.draw(st.sampled_from([path for path in slots(orders[at]) if path[-1] in READ_STRICTLY]))
    orders[at] = changed(orders[at], path, lambda key, _: (key, junk))
    _, order = checked(wrap(orders), str(list(data)[at]), plain)
    assert order is not None
    assert not order.is_readable
    assert any(problem.place.column for problem in order.problems if problem.is_error)


@settings(max_examples=40, deadline=None)
@given(data=batches, write=vocabularies, wrap=st.sampled_from(WRAPS), draw=st.data())
def test_a_list_that_is_damaged_blocks_its_order(data, write, wrap, draw) -> None:
    """Lines under a name that nobody knows, or lines that are none: never what is left as the whole."""
    orders = [write(*pair) for pair in data.items()]
    _, plain = staged(wrap(orders))
    at = draw.draw(st.integers(0, len(orders) - 1))
    name = "lines" if write is integration else "products"
    damage = draw.draw(
        st.sampled_from(
            [
                lambda key, value: ("varor", value),
                lambda key, value: (key, [*value, 7]),
                lambda key, value: (key, "none"),
                lambda key, value: (key, [{}, {"odd": {"price": 3}}, *value]),
                lambda key, value: (key, [[line] for line in value]),
            ]
        )
    )
    orders[at] = changed(orders[at], (name,), damage)
    _, order = checked(wrap(orders), str(list(data)[at]), plain)
    assert order is not None
    # An orderTotal that foots exactly proves what was not read to be no part of the order; it is told all the same.
    assert not order.is_readable or "column.unread" in {problem.code for problem in order.problems}


@settings(max_examples=40, deadline=None)
@given(data=batches, write=vocabularies, wrap=st.sampled_from(WRAPS), draw=st.data())
def test_a_name_that_is_there_twice_blocks_its_order(data, write, wrap, draw) -> None:
    """Two values under one name, in one object: nobody knows which is meant."""
    orders = [write(*pair) for pair in data.items()]
    _, plain = staged(wrap(orders))
    at = draw.draw(st.integers(0, len(orders) - 1))
    keys = [key for key in orders[at] if key in READ_STRICTLY]
    key = draw.draw(st.sampled_from(keys))
    marked = [*orders[:at], {"\0twice": 0, **orders[at]}, *orders[at + 1 :]]
    text = wrap(marked).replace(json.dumps("\0twice") + ": 0", f"{json.dumps(key)}: 1")
    _, order = checked(text, str(list(data)[at]), plain)
    assert order is not None
    assert not order.is_readable
