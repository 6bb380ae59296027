"""Where JSON keeps its orders: any envelope is opened, other tools' wrappers are refused by name, nothing ends a batch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from etl.errors import InputError
from etl.model.export import BROKEN, NUMBER, Records
from etl.reading.identify import open_export
from etl.reading.json_text import LONGEST

ORDERS: list[dict[str, Any]] = [{"orderNumber": "1", "products": [{"qty": "1"}]}, {"orderNumber": "2"}]


def is_header(cells: Sequence[str]) -> bool:
    return "orderNumber" in cells


def opened(path: Path, content: str | bytes) -> tuple[list[tuple[int, Any]], list[str]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (export,) = open_export(path, is_header)
    assert isinstance(export, Records)
    try:
        return list(export.records), list(export.notices)
    finally:
        export.close()


def keyed(orders: list[dict[str, Any]]) -> dict[str, Any]:
    return {order["orderNumber"]: order for order in orders}


@pytest.mark.parametrize(
    ("envelope", "where"),
    [
        ({"Orders": ORDERS}, ""),
        ({"data": {"orders": ORDERS}}, "data.orders"),
        ({"data": {"orders": {"edges": [{"node": order, "cursor": "x"} for order in ORDERS]}}}, "data.orders.edges"),
        ({"data": {"orders": {"nodes": ORDERS, "pageInfo": {"hasNextPage": "no"}}}}, "data.orders.nodes"),
        ({"status": "ok", "orders": keyed(ORDERS)}, ""),
        (keyed(ORDERS), ""),
        ({"result": {"page": {"items": ORDERS}}}, "result.page.items"),
        ([{"order": order} for order in ORDERS], "order"),
        ([[ORDERS[0]], [ORDERS[1]]], ""),
    ],
)
@pytest.mark.parametrize("layout", ["json", "ndjson"])
def test_orders_are_found_in_any_envelope(tmp_path: Path, envelope: Any, where: str, layout: str) -> None:
    """Whatever is around them, the same objects come out, and where they were found is told."""
    text = json.dumps(envelope, indent=1) if layout == "json" else json.dumps(envelope)
    records, notices = opened(tmp_path / f"x.{layout}", text)
    assert [record for _, record in records] == ORDERS
    assert any(where in notice for notice in notices) if where else True


@pytest.mark.parametrize(
    ("envelope", "path"),
    [
        (
            {"data": {"orders": {"nodes": ORDERS, "pageInfo": {"hasNextPage": True}}}},
            "data.orders.pageInfo.hasNextPage",
        ),
        ({"orders": ORDERS, "has_more": True}, "has_more"),
        ({"orders": ORDERS, "meta": {"next": "https://shop.example.com/orders?page=2"}}, "meta.next"),
        ({"@odata.nextLink": "https://shop.example.com/orders?$skip=100", "value": ORDERS}, "@odata.nextLink"),
    ],
)
@pytest.mark.parametrize("layout", ["json", "ndjson"])
def test_a_file_that_is_one_page_of_several_says_so(tmp_path: Path, envelope: Any, path: str, layout: str) -> None:
    """The rest of the history is in other answers: a clerk must know."""
    _, notices = opened(tmp_path / f"x.{layout}", json.dumps(envelope))
    assert any(f"{path} says that more orders follow" in notice for notice in notices)


@pytest.mark.parametrize("value", [False, None, "", "false", 0, {}, []])
def test_the_last_page_says_nothing(tmp_path: Path, value: Any) -> None:
    """No further page."""
    _, notices = opened(tmp_path / "x.json", json.dumps({"orders": ORDERS, "hasNextPage": value, "next": value}))
    assert notices == []


def test_an_order_is_not_taken_apart(tmp_path: Path) -> None:
    """An object that names its number last is one order, with all the lists and objects it holds."""
    order = {
        "returns": [{"orderNumber": "1", "returnId": "7"}],
        "meta": {"parent": {"orderNumber": "9"}},
        "orderNumber": "1",
    }
    records, _ = opened(tmp_path / "x.json", json.dumps(order))
    assert records == [(1, order)]


def test_many_orders_under_a_foreign_name_are_streamed(tmp_path: Path) -> None:
    """Long lists and long objects keyed by number are not held in memory, and nothing of them is lost."""
    orders = [{"orderNumber": str(number)} for number in range(3000)]
    for envelope in ({"rows": orders}, {"payload": keyed(orders)}, keyed(orders)):
        records, _ = opened(tmp_path / "x.json", json.dumps(envelope))
        assert [record for _, record in records] == orders


def test_lists_beside_the_orders_are_told(tmp_path: Path) -> None:
    """What stands in the envelope and is no order reaches nobody, so it is named."""
    _, notices = opened(tmp_path / "x.json", json.dumps({"data": {"orders": ORDERS, "refunds": [{"amount": 5}]}}))
    assert any("data.refunds (1 elements)" in notice for notice in notices)


AIRBYTE = {"type": "RECORD", "record": {"stream": "orders", "emitted_at": 1, "data": ORDERS[0]}}


@pytest.mark.parametrize(
    ("wrapper", "name"),
    [
        ({"type": "RECORD", "stream": "orders", "record": ORDERS[0]}, "Singer"),
        ({"type": "SCHEMA", "stream": "orders", "schema": {"properties": {}}}, "Singer"),
        (AIRBYTE, "Airbyte"),
        ({"_airbyte_ab_id": "x", "_airbyte_data": ORDERS[0]}, "Airbyte"),
        ({"payload": {"before": ORDERS[0], "after": ORDERS[1], "op": "u"}}, "Debezium"),
        ({"Item": {"orderNumber": {"N": "1"}}}, "DynamoDB"),
        ({"log": {"entries": [{"response": {"content": "x"}}]}}, "HTTP archive"),
        ({"errors": [{"message": "Not authorised"}], "data": None}, "Not authorised"),
    ],
)
@pytest.mark.parametrize("layout", ["json", "ndjson", "list"])
def test_wrappers_of_other_tools_are_refused_by_name(tmp_path: Path, wrapper: Any, name: str, layout: str) -> None:
    """Superseded versions of an order must not be read as orders of their own."""
    text = json.dumps([wrapper] if layout == "list" else wrapper, indent=1 if layout == "json" else None)
    with pytest.raises(InputError) as caught:
        opened(tmp_path / "x.json", text + ("\n" + json.dumps(wrapper) if layout == "ndjson" else ""))
    assert name in caught.value.message
    assert caught.value.hint


def test_half_a_character_costs_its_value_only(tmp_path: Path) -> None:
    """A lone surrogate is shown as an escape, in values and in names; what is left can be written anywhere."""
    records, _ = opened(tmp_path / "x.json", '[{"orderNumber": "1", "comment": "a\\ud83d", "b\\udc00": 1}]')
    (record,) = (record for _, record in records)
    assert record == {"orderNumber": "1", "comment": f"{BROKEN}a\\ud83d", "b\\udc00": f"{NUMBER}1"}
    json.dumps(record, ensure_ascii=False).encode()


@pytest.mark.parametrize("text", ['{"orderNumber": 1, "a": %s', "[%s", '{"orders": [%s'])
def test_absurd_depth_and_length_end_in_a_sentence(tmp_path: Path, text: str) -> None:
    """A hundred thousand brackets, or one text that never ends, are refused where they begin."""
    for filling in ("[" * 100_000, '{"a":' * 100_000, '"' + "x" * (4 * LONGEST)):
        with pytest.raises(InputError) as caught:
            opened(tmp_path / "x.json", text % filling)
        assert "character" in caught.value.message
        assert len(caught.value.message) < 1000


def test_an_endless_line_costs_its_row_only(tmp_path: Path) -> None:
    """A line beyond any order is skipped and told; the lines around it are read."""
    text = '{"orderNumber": "1"}\n{"comment": "' + "x" * (3 * LONGEST) + '"}\n{"orderNumber": "2"}\n'
    records, _ = opened(tmp_path / "x.ndjson", text)
    assert [row for row, _ in records] == [1, 2, 3]
    assert "longer than" in records[1][1]


@pytest.mark.parametrize("text", ["{}", "[]", '{"orders": []}', '{"data": {"orders": []}}'])
def test_no_orders_are_no_fault_of_an_envelope(tmp_path: Path, text: str) -> None:
    """An empty answer holds no order; an object without a number is given on, to be reported."""
    records, _ = opened(tmp_path / "x.json", text)
    assert [record for _, record in records] == ([{}] if text == "{}" else [])


@pytest.mark.parametrize(
    "wrap", [lambda orders: orders, lambda orders: {"orders": {str(at): one for at, one in enumerate(orders)}}]
)
def test_an_order_without_a_number_is_never_passed_over(tmp_path: Path, wrap: Any) -> None:
    """One whose number has another name comes out whole, also where returns in it look like records of their own."""
    lost = {"orderNo": "9", "orderDate": "2011-03-05", "products": [], "returns": [{"returnId": 1, "orderNumber": "9"}]}
    records, _ = opened(tmp_path / "x.json", json.dumps(wrap([ORDERS[0], lost, ORDERS[1]])))
    assert len(records) == 3
    assert "orderNo" in records[1][1]


def test_orders_of_unknown_names_get_the_number_that_they_stand_under(tmp_path: Path) -> None:
    """A document store keeps the number as the key only; lists that PHP keys by position are no orders."""
    order = {"fecha": "2011-03-05", "divisa": "GBP", "importe": "5,00", "lineas": [{"precio": "5,00"}]}
    records, notices = opened(tmp_path / "x.json", json.dumps({"pedidos": {"70001": order, "70002": order}}))
    assert [record["orderNumber"] for _, record in records if isinstance(record, dict)] == ["70001", "70002"]
    assert any("pedidos" in notice for notice in notices)
    for other in ({"1": order, "2": order}, {"70001": order, "total": order}, {"70001": {"a": 1}}):
        found, _ = opened(tmp_path / "x.json", json.dumps({"pedidos": other}))
        assert len(found) == 1
