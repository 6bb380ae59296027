"""Orders as a page takes them over from the plan: amounts of either sign, no decimals, products, two rules, shipping."""

from __future__ import annotations

import json

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
