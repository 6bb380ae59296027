"""Files that are no exports: named as what they are, with the way out, and nothing of their content."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import InputError
from etl.reading.identify import open_export
from etl.staging.batch import Batch

SECRET = "s3cr3t-9f8e7d"
FILES = {
    "notes.json": ('// the export of May\n/* by Ann */\n[{"orderNumber": 1}]\n', "JSON with comments", "comments away"),
    "div.xls": (f"<div><table><tr><td>orderNumber</td><td>{SECRET}</td></tr></table></div>", "HTML page", "save as .xlsx"),
    "comment.xls": (f"<!-- export -->\n<table><tr><td>orderNumber {SECRET}</td></tr></table>", "HTML page", "save as .xlsx"),
    "page.csv": (f"<!DOCTYPE html><html><head><title>Log in {SECRET}</title></head></html>", "HTML page", "save as .xlsx"),
    "mhtml.xls": (f'MIME-Version: 1.0\nContent-Type: multipart/related; boundary="x"\n\n--x\nContent-Type: text/html\n{SECRET}', "web archive", "save as .xlsx"),
    "sheet.xls": (f'<?xml version="1.0"?>\n<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">{SECRET}</Workbook>', "SpreadsheetML", "save as .xlsx"),
    "orders.xml": (f'<?xml version="1.0"?>\n<orders><order id="{SECRET}"/></orders>', "XML document", "JSON or CSV"),
    "mail.eml": (f"Return-Path: <a@example.com>\nReceived: by x\nSubject: Orders {SECRET}\nDate: Mon\n\nHello", "e-mail message", "attachment"),
    "dump.sql": (f"-- MySQL dump 10.13\n\nCREATE TABLE `orders` (id int);\nINSERT INTO orders VALUES (1,'{SECRET}');\n", "SQL dump", "query"),
    "plain.sql": (f"INSERT INTO orders (orderNumber) VALUES ('{SECRET}');\n", "SQL dump", "query"),
    "key.pem": (f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n", "key or certificate", "Export"),
    "lfs.csv": ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "Git LFS", "git lfs pull"),
    ".env": (f"# Mews\nMEWS_CLIENT_TOKEN={SECRET}\nexport MEWS_ACCESS_TOKEN='{SECRET}'\n", "MEWS_CLIENT_TOKEN, MEWS_ACCESS_TOKEN", "Export"),
    "one.env": (f"TOKEN={SECRET}", "settings (TOKEN)", "Export"),
    "settings.toml": (f'[source]\nstore = "uk"\npassword = "{SECRET}"\n', "store, password", "Export"),
    "config.yml": (f"password: {SECRET}\nhost: x\n", "password, host", "Export"),
    "cal.ics": (f"BEGIN:VCALENDAR\nSUMMARY:{SECRET}\n", "calendar", "Export"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_the_refusal_names_the_thing_and_the_way_out(tmp_path: Path, name: str) -> None:
    """A complaint about a missing column named <div> helps nobody; a token on the screen harms."""
    content, what, hint = FILES[name]
    path = tmp_path / name
    path.write_text(content, "utf-8")
    with pytest.raises(InputError) as caught:
        open_export(path, lambda cells: "orderNumber" in cells)
    assert what in caught.value.message
    assert hint in caught.value.hint
    assert SECRET not in f"{caught.value.message} {caught.value.hint} {caught.value.place}"


@pytest.mark.parametrize(
    "content",
    [f"{SECRET}\n", f"{SECRET},x\n1,2\n", f"user;{SECRET}\n", f"a,b,c,{SECRET}=,e\n1,2,3,4,5\n", f"1,2,3,{SECRET}\n1,2,3,4\n",
     f'{{"token": "{SECRET}"}}', f'["{SECRET}"]', f'{{"token": "{SECRET}', f"MEWS_TOKEN {SECRET}\nother text\n"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["x.csv", "x.txt", "x.ndjson"])
def test_content_of_what_is_no_export_is_never_shown(tmp_path: Path, content: str, name: str) -> None:
    """Whatever somebody names by mistake, what stands in it does not reach a screen or a log."""
    path = tmp_path / name
    path.write_text(content, "utf-8")
    try:
        with Batch([path], open_export=open_export) as batch:
            facts = batch.load()
            shown = " ".join(f"{problem.message} {problem.value}" for problem in facts.unassigned)
            shown += " ".join(notice for file in facts.files for notice in file.notices)
            shown += " ".join(str(file.columns) for file in facts.files)
    except InputError as error:
        shown = f"{error.message} {error.hint} {error.place}"
    assert SECRET not in shown


def test_headers_of_a_foreign_table_are_shown(tmp_path: Path) -> None:
    """They are what columns.csv has to name."""
    path = tmp_path / "x.csv"
    path.write_text("Bestellnummer,Datum,Artikel,Menge\n1,2,3,4\n", "utf-8")
    with Batch([path], open_export=open_export) as batch, pytest.raises(InputError, match="Bestellnummer, Datum"):
        batch.load()


@pytest.mark.parametrize("first", ["orderNumber,note\n", "# dump of May\norderNumber,note\n", "orderNumber:,note=\n"])
def test_exports_that_look_a_little_alike_are_read(tmp_path: Path, first: str) -> None:
    """A word in the first lines makes no SQL dump and no settings of an export."""
    path = tmp_path / "x.csv"
    path.write_text(f"{first}1,insert into (the) box\n2,TOKEN=1\n", "utf-8")
    (export,) = open_export(path, lambda cells: "orderNumber" in cells)
    export.close()


def test_a_comment_among_lines_of_json_costs_itself_only(tmp_path: Path) -> None:
    """One value a line: the comment is a line that is no JSON, the orders below it are read."""
    path = tmp_path / "x.ndjson"
    path.write_text('// export\n{"orderNumber": "1"}\n{"orderNumber": "2"}\n', "utf-8")
    (export,) = open_export(path, lambda cells: "orderNumber" in cells)
    assert [number for number, record in export.records if isinstance(record, dict)] == [2, 3]
    export.close()
