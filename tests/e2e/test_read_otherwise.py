"""Posted orders met again through an edited mapping folder, another column, or after the customer was erased."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_run import Done
from small_shop import HEADER, SmallShop, check_counts, rows, write_export

pytestmark = pytest.mark.slow


def of(done: Done) -> dict[str, int]:
    check_counts(done.json)
    return {name: count for name, count in done.json["orders"].items() if count and name != "read"}


def messages(shop: SmallShop, export: Path) -> str:
    done = shop.shell.run("dry-run", export, "--report", shop.folder / "report")
    assert done.code == 3, done.err
    return (shop.folder / "report" / "problems.csv").read_text("utf-8-sig")


def toml(shop: SmallShop, before: str, after: str) -> None:
    path = shop.mapping / "migration.toml"
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after), "utf-8")


def test_what_the_source_is_read_through_is_named(shop: SmallShop) -> None:
    """[source] and columns.csv can change an order without the export; the edit is taken back, not Mews corrected."""
    export = shop.export(rows(2))
    assert of(shop.shell.run("run", export)) == {"posted": 2}
    toml(shop, 'timezone = "Europe/London"', 'timezone = "Europe/Berlin"')
    text = messages(shop, export)
    assert "consumption was 2024-05-01 09:00:00 UTC, is 2024-05-01 08:00:00 UTC" in text
    assert "source.timezone was Europe/London, is Europe/Berlin" in text
    toml(shop, 'timezone = "Europe/Berlin"', 'timezone = "Europe/London"\nimport_statuses = ["Archived"]')
    text = messages(shop, export)
    assert "the source skips the order now" in text
    assert "source.import_statuses was Completed Archived, is Archived" in text
    toml(shop, '\nimport_statuses = ["Archived"]', "")
    (shop.mapping / "columns.csv").write_text("header,field,sure\nproducts.sku,products.ean,yes\n", "utf-8")
    assert "columns.csv: products.sku was not there, is products.ean" in messages(shop, export)
    (shop.mapping / "columns.csv").unlink()
    assert of(shop.shell.run("dry-run", export)) == {"already_posted": 2}


def test_another_column_of_order_numbers_is_refused(shop: SmallShop) -> None:
    """Another number would post the history again; before anything is sent it may still be chosen."""
    header = [name.replace("orderNumber", "Receipt") for name in HEADER]
    lines = [{"Receipt": line.pop("orderNumber"), **line} for line in rows(2)]
    (shop.mapping / "columns.csv").write_text("header,field,sure\nReceipt,orderNumber,yes\n", "utf-8")
    export = write_export(shop.folder / "receipts.csv", lines, header=header)
    assert of(shop.shell.run("run", shop.export(rows(1)), "--limit", "0")) == {"ready": 1}
    assert of(shop.shell.run("run", export)) == {"posted": 2}
    own = shop.export(rows(2, first=2001))
    for command in ("dry-run", "run"):
        done = shop.shell.run(command, own)
        assert done.code == 2
        assert "receipt" in done.err
        assert "Traceback" not in done.err
    assert of(shop.shell.run("run", export)) == {"already_posted": 2}
    assert len(shop.held()) == 2


def test_an_erased_customer_alarms_nobody(shop: SmallShop) -> None:
    """The shop has to erase people; a SKU that lost its zeros is another article all the same."""
    lines = [line | {"products.sku": "0022469"} for line in rows(3)]
    assert of(shop.shell.run("run", shop.export(lines))) == {"posted": 3}
    again = [dict(line) for line in lines]
    for line, mail in zip(again, ("", "", "ANONYMIZED", "anonymized"), strict=False):
        line["invoiceAddress.email"] = mail
    again[4]["products.sku"] = "22469"
    done = shop.shell.run("run", shop.export(again, "again.csv"))
    assert (done.code, of(done)) == (3, {"already_posted": 2, "changed": 1})
    (erased,) = [one for one in done.json["problems"] if one["code"] == "account.erased"]
    assert (erased["examples"], erased["severity"]) == (["1001", "1002"], "notice")
