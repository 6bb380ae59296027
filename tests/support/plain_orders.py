"""Orders as a page takes them over from the plan: amounts of either sign, no decimals, products, two rules, shipping."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import numpy as np

from etl.model.plan import letters_of
from etl.report.facts import PackedOrders
from etl.report.packed_orders import OpenedEntries, OpenedRows, Texts, packed_orders
from etl.report.plain_detail import PlainDetail

JOINED = ("These rows are one order because they carry the order number ", ".")
PARTS = {"s": ("shipping", "over the goods' tax codes, or shipping.tax")}
SOURCE = ("orders.csv", ("orderNumber", "email"), ("sku", "qty", "price"))


def _order(number: str, *entries: tuple[str, str, int, str, list[str], list[str], int, int, str, str]) -> PlainDetail:
    lines = [(row, ("A-1", "2", "12.00")) for *_, row, _, _ in entries if row]
    groups = json.dumps([((number, "<b>é</b>@example.com"), lines)], ensure_ascii=False)
    listed = [[line, kind, count, unit, "gross", codes, what] for line, kind, count, unit, codes, what, *_ in entries]
    nets, rows, rules, names = map(list, zip(*(one[6:] for one in entries), strict=True))
    return PlainDetail(number, JOINED, SOURCE, groups, json.dumps(listed), nets, rows, rules, names, PARTS)


def plain_orders() -> list[PlainDetail]:
    """One of each kind."""
    first, second = "taxes.csv, row 2", "taxes.csv, row 3"
    return [
        _order(
            "1001",
            ("p1", "item", 2, "12.00", ["UK-S"], ['Cup & "saucer"', ""], 2000, 2, first, ""),
            ("p2", "product", 1, "0.05", [], ["prod-1"], 5, 3, second, "Spoon"),
            ("s1", "item", 1, "4.95", ["UK-S"], ["Shipping", ""], 413, 0, "", ""),
        ),
        _order("1002", ("p1", "item", 3, "-0.01", ["UK-S"], ["Cup", ""], -3, 2, first, "")),
        _order("1003", ("p1", "item", 7, "1200", ["JP-S", "JP-T"], ["Bowl", ""], 7000, 9, first, "")),
        _order("1004", ("p1", "item", 2147483647, "99999999999.99", [], ["All", ""], 2**53 - 1, 2, first, "")),
        _order("1005", ("p1", "item", 2147483647, "99999999999.99", [], ["All", ""], 2**53, 2, first, "")),
    ]


def packed_plain_orders(*, is_net: bool = False) -> list[PackedOrders]:
    """The same as columns, by their decimals; `is_net`: their units taken as being without tax, and their nets as gross."""
    by_digits: dict[int, list[PlainDetail]] = {}
    for one in plain_orders():
        by_digits.setdefault(len(json.loads(one.entries)[0][3].partition(".")[2]), []).append(one)
    return [_packed(digits, some, is_net=is_net) for digits, some in by_digits.items()]


def _packed(digits: int, orders: Sequence[PlainDetail], *, is_net: bool) -> PackedOrders:
    groups = [json.loads(one.groups)[0] for one in orders]
    lines = [line for _, rows in groups for line in rows]
    numbers = [one.number for one in orders]
    rows = OpenedRows(
        JOINED,
        SOURCE,
        numbers,
        [_texts(column) for column in zip(*(cells for cells, _ in groups), strict=True)],
        _starts(len(rows) for _, rows in groups),
        np.array([row for row, _ in lines]),
        [_texts(column) for column in zip(*(cells for _, cells in lines), strict=True)],
    )
    entries = [entry for one in orders for entry in json.loads(one.entries)]
    beside = [one for order in orders for one in zip(order.nets, order.rows, order.rules, order.names, strict=True)]
    letters = _texts([letters_of(entry[0]) for entry in entries])
    names = _texts([name or entry[6][0] for entry, (*_, name) in zip(entries, beside, strict=True)])
    taxes = [(" ".join(entry[5]), rule) for entry, (_, _, rule, _) in zip(entries, beside, strict=True)]
    distinct = list(dict.fromkeys(taxes))
    opened = OpenedEntries(
        digits,
        letters.texts,
        names.texts,
        distinct,
        PARTS,
        is_net,
        _starts(len(order.nets) for order in orders),
        letters.codes,
        np.array([int(entry[0].removeprefix(letters_of(entry[0]))) for entry in entries]),
        np.array([row for _, row, _, _ in beside]),
        np.array([entry[2] for entry in entries]),
        np.array([int(entry[3].replace(".", "")) for entry in entries]),
        np.array([net for net, *_ in beside]),
        names.codes,
        np.array([distinct.index(tax) for tax in taxes]),
    )
    data = packed_orders(rows, opened)
    return PackedOrders(numbers, lambda: data)


def _texts(cells: Iterable[str]) -> Texts:
    every = list(cells)
    distinct = list(dict.fromkeys(every))
    return Texts(distinct, np.array([distinct.index(cell) for cell in every]))


def _starts(sizes: Iterable[int]) -> np.ndarray:
    return np.concatenate(([0], np.cumsum(list(sizes))))
