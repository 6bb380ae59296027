"""What is told of the files: amounts that are not read first, every row accounted for, every name, every unused row."""

from __future__ import annotations

from pathlib import Path

from etl.pipeline.sources import file_documents, file_names, problems_of_files, sections, texts
from etl.reading.identify import open_export
from etl.reading.options import ReadOptions
from etl.staging.batch import Batch

TEXT = """Export of 2011-03-31
orderNumber,orderDate,currency,status,orderTotal,giftWrap,odd,ipAddress,products.sku,products.qty,products.unitPrice
1,2011-03-05,GBP,paid,1.00,2.50,x,1.2.3.4,A,1,1.00
orderNumber,orderDate,currency,status,orderTotal,giftWrap,odd,ipAddress,products.sku,products.qty,products.unitPrice
x1,2011-03-05,GBP,paid,1.00,,x,,A,1,1.00
2,2011-03-05,GBP,paid,1.00,,x,,A,1,1.00
Total,,,,2.00,,,,,,
"""


def test_all_that_is_known_of_the_files_is_told(tmp_path: Path) -> None:
    """One list serves inspect, init, dry-run, run and the report."""
    path = tmp_path / "x.csv"
    path.write_text(TEXT)
    options = ReadOptions(
        columns={"Wrap": "shippingValue"}, values={"status": {"paid": "Completed", "open": "Pending"}}
    )
    with Batch([path], open_export=open_export, options=options) as batch:
        facts = batch.load()
        assert [order.status for order in batch.orders()] == ["Completed", "Completed"]
        notices = problems_of_files(facts, batch.unused_values())
    lines = texts(notices)
    assert lines[0] == "The column giftWrap is not read; it holds amounts of 2.50 in all, in 1 order."
    whole = "\n".join(lines)
    for words in (
        "the header is row 2",
        "row 4: the header is repeated",
        "row 7: a totals row, which agrees",
        "holds 5 rows: 2 of orders, 1 of no order, reported one by one, 1 of totals, 1 of headers that are repeated.",
        "Unknown columns, which are not read: odd.",
        "columns.csv names the header 'Wrap', which no file has.",
        "values.csv translates 'open' of status, which no order has.",
    ):
        assert words in whole
    assert {one.place.column for one in notices if one.code.startswith("column.")} == {"giftWrap", "odd"}
    assert not any(one.is_error for one in notices)
    (document,) = file_documents(facts.files)
    assert document["rows"] == sum(
        document[name] for name in ("rows_of_orders", "rows_unassigned", "rows_of_totals", "repeated_headers")
    )
    assert document["unread"] == [{"column": "giftWrap", "amount": "2.50", "orders": 1, "is_list": False}]
    named = {(row[1], row[2]) for section in sections(facts, notices) for row in section.rows if len(row) == 4}
    assert {("orderNumber", "used"), ("odd", "unknown"), ("ipAddress", "not migrated")} <= named
    assert len({name for name, _ in named}) == len(named) == 11


def test_files_are_called_by_as_many_folders_as_it_takes(tmp_path: Path) -> None:
    """Two of one name would be one in the ledger and on the certificate."""
    paths = [tmp_path / name for name in ("a/x/orders.csv", "b/x/orders.csv", "b/y/orders.csv", "c.csv")]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"orderNumber,products.sku,products.qty,products.unitPrice\n{number},A,1,1.00\n")
    with Batch(paths, open_export=open_export) as batch:
        facts = batch.load()
    names = file_names(facts.files)
    assert [names[path] for path in paths] == ["a/x/orders.csv", "b/x/orders.csv", "y/orders.csv", "c.csv"]
    assert [one["file"] for one in file_documents(facts.files)] == list(names.values())
