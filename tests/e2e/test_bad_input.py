"""The worst that people feed: every fault names its place, the rest of the batch goes on, the counts add up."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from cli_run import Done
from small_shop import HEADER, SmallShop, check_counts, row, rows, write_export

pytestmark = pytest.mark.slow

OpenShop = Callable[..., SmallShop]

# Order number: the line, the code, the column and value that must be named.
BAD: dict[int, tuple[dict[str, str], str, str, str]] = {
    2001: (row(2001, price="twelve"), "value.invalid", "products.unitPrice", "twelve"),
    2002: (row(2002, price="NaN"), "value.invalid", "products.unitPrice", "NaN"),
    2003: (row(2003, price="inf"), "value.invalid", "products.unitPrice", "inf"),
    2004: (row(2004, price="1e3"), "value.invalid", "products.unitPrice", "1e3"),
    2005: (row(2005, price="-12.00"), "price.negative", "", ""),
    2006: (row(2006, price="1.23456"), "price.decimals", "", ""),
    2007: (row(2007, price="١٢"), "value.invalid", "products.unitPrice", "١٢"),
    2008: (row(2008, qty="0"), "quantity.zero", "", ""),
    2009: (row(2009, qty="1.5"), "value.invalid", "products.qty", "1.5"),
    2010: (row(2010, qty=""), "value.missing", "products.qty", ""),
    2011: (row(2011, orderDate="2024-02-30 10:00:00"), "value.invalid", "orderDate", "2024-02-30 10:00:00"),
    2012: (row(2012, orderDate="2024-03-31 01:30:00"), "date.nonexistent", "orderDate", "2024-03-31 01:30:00"),
    2013: (row(2013, orderDate=""), "date.missing", "", ""),
    2014: (row(2014, orderDate="0000-00-00 00:00:00"), "date.missing", "", ""),
    2015: (row(2015, country="UK"), "country.invalid", "deliveryAddress.country", "UK"),
    2016: (row(2016, currency="GBX"), "currency.invalid", "currency", "GBX"),
    2017: (row(2017, status="Complete"), "status.unknown", "status", "Complete"),
    2018: (row(2018, email="ann at example"), "value.invalid", "invoiceAddress.email", "ann at example"),
    2019: (row(2019, sku="CUP\x00"), "value.invalid", "products.sku", ""),
    2020: (row(2020, orderTotal="12.01"), "total.mismatch", "", ""),
    2021: (row(2021, vatPercent="20 or 5 percent"), "value.invalid", "products.vatPercent", "20 or 5 percent"),
    2022: (row(2022, price="9" * 60), "", "", ""),
    2023: (row(2023, country=""), "country.missing", "", ""),
}


@pytest.fixture(scope="module")
def bad(open_module_shop: OpenShop) -> tuple[SmallShop, dict[str, Done]]:
    """A batch of two good orders among every fault there is, run whole."""
    shop = open_module_shop()
    lines = [row(1001), *[line for line, *_ in BAD.values()], row(1002)]
    lines += [row(2901), row(2901, currency="EUR"), row("", price="1.00"), row("12A"), row("1.5E+3")]
    export = write_export(shop.folder / "orders.csv", lines)
    return shop, {
        "inspect": shop.shell.run("inspect", export),
        "dry": shop.shell.run("dry-run", export, "--report", shop.folder / "dry"),
        "run": shop.shell.run("run", export, "--report", shop.folder / "run"),
    }


def problems(shop: SmallShop) -> dict[str, list[dict[str, str]]]:
    """problems.csv of the dry run by order."""
    found: dict[str, list[dict[str, str]]] = {}
    with (shop.folder / "dry" / "problems.csv").open(encoding="utf-8-sig", newline="") as file:
        for line in csv.DictReader(file):
            found.setdefault(line["order"], []).append(line)
    return found


def test_the_rest_of_the_batch_goes_on(bad: tuple[SmallShop, dict[str, Done]]) -> None:
    """Faults block their own order only; nothing is dropped, nothing crashes."""
    shop, done = bad
    for name, one in done.items():
        assert one.code == 3, (name, one.err)
        assert "Traceback" not in one.err
        assert one.json["lines"]["unassigned"] == 3
    for name, state in (("dry", "ready"), ("run", "posted")):
        document = done[name].json
        check_counts(document)
        assert document["orders"]["read"] == len(BAD) + 3
        assert document["orders"][state] == 2, document["problems"]
        assert document["orders"]["blocked"] == len(BAD) + 1
    assert done["inspect"].json["orders"]["read"] == len(BAD) + 3
    assert shop.held() == {"1001": 1, "1002": 1}


@pytest.mark.parametrize("number", BAD)
def test_every_fault_names_its_place(bad: tuple[SmallShop, dict[str, Done]], number: int) -> None:
    """File, row, column, order and value, and what to do: a person finds the cell without searching."""
    shop, _ = bad
    _, code, column, value = BAD[number]
    found = [line for line in problems(shop)[str(number)] if line["severity"] == "error"]
    if not code:
        assert found
        return
    (problem,) = [line for line in found if line["code"] == code]
    assert problem["hint"]
    if column:
        assert Path(problem["file"]).name == "orders.csv"
        assert problem["row"] == str(list(BAD).index(number) + 3)
        assert problem["column"] == column
        assert value in problem["value"]


def test_rows_without_a_number_are_told_one_by_one(bad: tuple[SmallShop, dict[str, Done]]) -> None:
    """A line that belongs to no order would otherwise be money that vanished."""
    shop, _ = bad
    lines = [line for line in problems(shop).get("", []) if line["code"].startswith(("order.number", "value."))]
    first = len(BAD) + 6
    assert [int(line["row"]) for line in lines] == [first, first + 1, first + 2]


def test_contradictions_block_the_order(bad: tuple[SmallShop, dict[str, Done]]) -> None:
    """Two currencies on one order: nobody may choose."""
    shop, _ = bad
    assert "order.conflict" in {line["code"] for line in problems(shop)["2901"]}


def test_a_corrected_attention_file_goes_in_again(bad: tuple[SmallShop, dict[str, Done]]) -> None:
    """attention.csv holds whole orders in the export's own columns: fix a cell, feed it, done."""
    shop, _ = bad
    path = shop.folder / "dry" / "attention.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["orderNumber"] in ("2001", "2015")]
    assert len(lines) == 2
    for line in lines:
        line["products.unitPrice"] = "7.00"
        line["deliveryAddress.country"] = "GB"
    write_export(shop.folder / "fixed.csv", lines, header=list(lines[0]))
    done = shop.shell.run("run", shop.folder / "fixed.csv")
    assert done.code == 0, done.err
    assert done.json["orders"]["posted"] == 2


# Files as a whole


def good_csv(folder: Path) -> bytes:
    return write_export(folder / "good.csv", rows(2)).read_bytes()


def empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def header_only(path: Path) -> Path:
    path.write_text(",".join(HEADER) + "\n", "utf-8")
    return path


def directory(path: Path) -> Path:
    path.mkdir()
    return path


def missing(path: Path) -> Path:
    return path


def no_columns(path: Path) -> Path:
    path.write_text("a,b,c\n1,2,3\n", "utf-8")
    return path


def protected_workbook(path: Path) -> Path:
    """The container that Excel writes around an encrypted workbook: an OLE file with a stream EncryptedPackage."""
    path = path.with_suffix(".xlsx")
    sector = 512
    header = bytearray(sector)
    header[:8] = bytes.fromhex("d0cf11e0a1b11ae1")
    header[24:34] = bytes.fromhex("3e000300feff09000600")
    header[44:48] = (1).to_bytes(4, "little")
    header[48:52] = (1).to_bytes(4, "little")
    header[56:60] = (4096).to_bytes(4, "little")
    header[60:64] = header[68:72] = (0xFFFFFFFE).to_bytes(4, "little")
    header[76:sector] = b"\xff" * (sector - 76)
    header[76:80] = (0).to_bytes(4, "little")
    fat = bytearray(b"\xff" * sector)
    fat[0:4] = (0xFFFFFFFD).to_bytes(4, "little")
    fat[4:8] = (0xFFFFFFFE).to_bytes(4, "little")
    entries = bytearray()
    for name, kind, child in (("Root Entry", 5, 1), ("EncryptionInfo", 2, -1), ("EncryptedPackage", 2, -1)):
        entry = bytearray(128)
        text = (name + "\0").encode("utf-16-le")
        entry[: len(text)] = text
        entry[64:66] = len(text).to_bytes(2, "little")
        entry[66:68] = bytes([kind, 1])
        entry[68:80] = b"\xff" * 8 + (child & 0xFFFFFFFF).to_bytes(4, "little")
        if name == "EncryptionInfo":
            entry[72:76] = (2).to_bytes(4, "little")
        entry[116:120] = (0xFFFFFFFE).to_bytes(4, "little")
        entries += entry
    path.write_bytes(header + fat + entries.ljust(sector, b"\0"))
    return path


def truncated_workbook(path: Path) -> Path:
    book = openpyxl.Workbook()
    book.active.append(HEADER)
    path = path.with_suffix(".xlsx")
    book.save(path)
    path.write_bytes(path.read_bytes()[:-200])
    return path


def truncated_gzip(path: Path) -> Path:
    path = path.with_suffix(".csv.gz")
    path.write_bytes(gzip.compress(good_csv(path.parent))[:-12])
    return path


def broken_json(path: Path) -> Path:
    path = path.with_suffix(".json")
    path.write_text('[{"orderNumber": 1, "products": [{"qty": 1', "utf-8")
    return path


def random_bytes(path: Path) -> Path:
    path.write_bytes(bytes(range(256)) * 40)
    return path


def undecidable_numbers(path: Path) -> Path:
    return write_export(path, [row(1001 + n, price=f"{n},234", shippingValue="0") for n in range(1, 4)])


@pytest.mark.parametrize(
    "make",
    [
        empty,
        directory,
        missing,
        no_columns,
        protected_workbook,
        truncated_workbook,
        truncated_gzip,
        broken_json,
        random_bytes,
        undecidable_numbers,
    ],
)
def test_a_file_that_cannot_be_read_is_code_2_with_its_name(shop: SmallShop, make: Callable[[Path], Path]) -> None:
    """One sentence that names the file, before anything is sent."""
    path = make(shop.folder / "broken.csv")
    good = write_export(shop.folder / "good.csv", rows(2))
    for command in (["inspect", path], ["run", good, path]):
        done = shop.shell.run(*command)
        assert done.code == 2, (command, done.out[:500], done.err)
        assert path.name in done.err
        assert "Traceback" not in done.err
        assert "Next:" in done.err
    assert not shop.held()


def test_the_protected_workbook_is_called_so(shop: SmallShop) -> None:
    """The person needs to hear of the password, not of zip files."""
    path = protected_workbook(shop.folder / "secret.csv")
    assert "password" in shop.shell.run("inspect", path).err


# Files that look odd and are fine, or only in part


def wrong_extension(folder: Path) -> Path:
    book = openpyxl.Workbook()
    book.active.append(HEADER)
    for line in rows(2):
        book.active.append(list(line.values()))
    book.save(folder / "book.xlsx")
    return (folder / "book.xlsx").rename(folder / "orders.csv")


def repeated_header(folder: Path) -> Path:
    text = good_csv(folder).decode()
    header = text.splitlines()[0]
    middle = text.splitlines()
    middle.insert(3, header)
    path = folder / "twice.csv"
    path.write_text("\n".join(middle) + "\n" + header + "\n", "utf-8")
    return path


def embedded_newlines(folder: Path) -> Path:
    lines = rows(2)
    lines[0]["products.itemText.product"] = "Cup\nwith a\r\nnew line"
    lines[2]["comment"] = 'said "hello",\nand left'
    return write_export(folder / "lines.csv", lines)


def byte_order_mark(folder: Path) -> Path:
    path = folder / "bom.csv"
    path.write_bytes(good_csv(folder).decode().encode("utf-16"))
    return path


def blank_rows(folder: Path) -> Path:
    path = folder / "blank.csv"
    path.write_text(good_csv(folder).decode().replace("\n", "\n\n") + ",,,,\n\n", "utf-8")
    return path


@pytest.mark.parametrize("make", [wrong_extension, repeated_header, embedded_newlines, byte_order_mark, blank_rows])
def test_odd_files_hold_the_same_two_orders(shop: SmallShop, make: Callable[[Path], Path]) -> None:
    """The bytes decide, not the name; a header in the middle is no order."""
    done = shop.shell.run("dry-run", make(shop.folder))
    assert done.code == 0, done.err
    assert done.json["orders"]["ready"] == done.json["orders"]["read"] == 2
    check_counts(done.json)


def test_a_header_without_rows_is_an_empty_batch(shop: SmallShop) -> None:
    """Nothing to do is no fault, but it is said."""
    done = shop.shell.run("dry-run", header_only(shop.folder / "header.csv"))
    assert done.code in (0, 2), done.err
    assert "Traceback" not in done.err
    if done.code == 0:
        assert done.json["orders"]["read"] == 0


def test_ragged_rows_block_their_order_only(shop: SmallShop) -> None:
    """A row with cells missing or too many is not shifted into other columns in silence."""
    text = good_csv(shop.folder).decode().splitlines()
    text.append("1003,2024-05-01")
    text.append(",".join([*row(1004).values(), "spare", "cells"]))
    path = shop.folder / "ragged.csv"
    path.write_text("\n".join(text) + "\n", "utf-8")
    done = shop.shell.run("dry-run", path, "--report", shop.folder / "dry")
    assert done.code == 3, done.err
    orders = done.json["orders"]
    assert (orders["read"], orders["ready"], orders["blocked"]) == (4, 2, 2)
    found = problems(shop)
    assert found["1003"][0]["row"] == "6"
    assert found["1004"][0]["row"] == "7"


def test_an_undecodable_byte_is_one_orders_problem_at_most(shop: SmallShop) -> None:
    """A stray byte of another encoding does not refuse a history of a million rows without a reason."""
    path = shop.folder / "bytes.csv"
    path.write_bytes(good_csv(shop.folder) + ",".join(row(1003, product="Caf\u00e9").values()).encode("cp1252") + b"\n")
    done = shop.shell.run("dry-run", path)
    assert done.code in (0, 3), done.err
    check_counts(done.json)
    assert done.json["orders"]["read"] == 3
