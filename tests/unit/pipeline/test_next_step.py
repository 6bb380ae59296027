"""`next` says what is true: doing what it says sets free exactly the orders and the money that it named."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from builders import a_reference
from click.testing import CliRunner

from etl.cli import cli
from etl.errors import InputError
from etl.ledger.ledger import Ledger
from etl.ledger.records import Home
from etl.mapping.folder import read_mapping
from etl.model.catalogue import Catalogue
from etl.model.codes import CODES
from etl.model.reference import Account, Service, Strategy, TaxRate, dump_reference
from etl.pipeline.catalogue import write_catalogue
from etl.pipeline.causes import DECISIONS
from etl.pipeline.dry_run import DryRun
from etl.pipeline.dry_run import dry_run as job
from etl.pipeline.next_step import Step, next_step
from etl.pipeline.prepare import Export
from etl.settings import Settings

HEADER = "orderNumber,orderDate,currency,deliveryAddress.country,invoiceAddress.email,orderTotal,products.sku,products.qty,products.unitPrice,products.vatPercent"
ORDERS = """
1,2010-12-05,GBP,GB,a@example.com,100.00,A,1,100.00,17.5
2,2010-12-06,GBP,GB,a@example.com,50.00,A,1,50.00,17.5
3,2011-02-05,GBP,GB,a@example.com,30.00,A,1,30.00,20
4,2011-02-05,GBP,GB,b@example.com,70.00,A,1,70.00,20
5,2010-12-31,GBP,GB,a@example.com,1000.00,A,1,400.00,17.5
5,2010-12-31,GBP,GB,a@example.com,1000.00,B,1,600.00,5
6,2011-03-01,GBP,FR,a@example.com,5.00,A,1,5.00,0
7,2011-03-01,GBP,IE,a@example.com,6.00,A,1,6.00,21
8,2011-03-01,GBP,IE,a@example.com,6.50,A,1,6.00,21
"""
TOKENS = {"MEWS_PLATFORM_ADDRESS": "https://api.mews.com", "MEWS_CLIENT_TOKEN": "c", "MEWS_ACCESS_TOKEN": "a"}
TOML = """[source]
store = "shop"
timezone = "Europe/London"
prices_include_tax = true
[target]
service = "5e000000-0000-4000-a000-000000000001"
"""
TAXES = """country,vat_percent,valid_from,valid_before,accept_rate_difference,tax_codes
GB,17.5,,2011-01-04,,
GB,20,2011-01-04,,,
GB,5,,,,
*,0,,,,
"""
ACCOUNTS = """key_type,key,account
email,a@example.com,{a}
email,b@example.com,
"""
ADA = "ac000000-0000-4000-a000-000000000001"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.csv").write_text(HEADER + ORDERS)
    mappings = tmp_path / "mappings"
    mappings.mkdir()
    (mappings / "migration.toml").write_text(TOML)
    (mappings / "taxes.csv").write_text(TAXES)
    (mappings / "accounts.csv").write_text(ACCOUNTS.format(a=ADA))
    return tmp_path


def settings() -> Settings:
    return Settings(Path("mappings"), "ledger.sqlite")


def ask(*exports: str, environ: dict[str, str] | None = None, corrections: Iterable[str] = ()) -> Step:
    """`centra-mews next EXPORT...`."""
    paths, fixed = [Path(one) for one in exports], [Path(one) for one in corrections]
    with ExitStack() as stack:
        return next_step(stack, settings(), paths, environ or {}, lambda *_: None, fixed)


def remember_mews() -> None:
    """What preflight leaves behind."""
    shop = Service("5e000000-0000-4000-a000-000000000001", "Web shop", True, True)
    reference = a_reference(service=shop, accounts={ADA: Account(ADA, "Customer", "Ada", True)}, tax_country="GB")
    with Ledger.open("ledger.sqlite") as ledger:
        ledger.bind(Home(reference.platform, reference.enterprise_id, reference.service.id, "shop"))
        ledger.save_reference(dump_reference(reference))


async def planned() -> DryRun:
    with ExitStack() as stack:
        return await job(stack, settings(), Export([Path("orders.csv")]), None, report=None, progress=lambda *_: None)


def ready() -> tuple[int, Decimal]:
    """Ready orders and their money, by an independent command."""
    import asyncio

    document = asyncio.run(planned()).document
    return document["orders"]["ready"], sum((Decimal(row["planned"]) for row in document["totals"]), Decimal(0))


def fill(step: Step, value: str) -> None:
    """Writes the value into the last cell of the row that the step names, as a person would."""
    path = Path("mappings") / step.file
    lines = path.read_text().splitlines()
    assert step.row is not None
    line = lines[step.row - 1]
    assert line.endswith(","), f"{step} does not name an empty cell: {line}"
    lines[step.row - 1] = line + value
    path.write_text("\n".join(lines) + "\n")


def figures(step: Step) -> tuple[int, str]:
    return step.orders, " ".join(f"{currency} {amount}" for currency, amount in step.money)


def test_a_table_in_the_workbook_is_named_by_its_sheet(folder: Path) -> None:
    """The same step, where the person has to look for it."""
    remember_mews()
    first = ask("orders.csv")
    book = openpyxl.Workbook()
    sheets = {"taxes": book.worksheets[0], "accounts": book.create_sheet("accounts")}
    for name, sheet in sheets.items():
        sheet.title = name
        path = folder / "mappings" / f"{name}.csv"
        for line in path.read_text().splitlines():
            sheet.append(line.split(","))
        path.unlink()
    book.save(folder / "mappings" / "mapping.xlsx")
    step = ask("orders.csv")
    assert (step.file, step.row, figures(step)) == ("mapping.xlsx", first.row, figures(first))
    assert step.what == first.what.replace("taxes.csv row", "mapping.xlsx, sheet taxes row")


def test_every_step_unlocks_what_it_says(folder: Path) -> None:
    """Cell by cell, most money first, until nothing is left to decide."""
    remember_mews()
    answers = {"17.5 %": "UK-17.5%", "20 %": "UK-20%", "5 %": "UK-5%", "0 %": "exempt", "b@example.com": ADA}
    order = []
    for _ in range(6):
        step, before = ask("orders.csv"), ready()
        order.append((step.file, step.row, figures(step)))
        if step.row is None:
            assert "IE, 21 %, 2011: add a row" in step.what
            with Path("mappings/taxes.csv").open("a") as table:
                table.write("IE,21,,,yes,exempt\n")
        else:
            fill(step, next(answer for subject, answer in answers.items() if subject in step.what))
        after = ready()
        said = (step.orders, sum((amount for _, amount in step.money), Decimal(0)))
        if "with other decisions" in step.what:
            assert after == before
        else:
            assert (after[0] - before[0], after[1] - before[1]) == said
    assert order == [
        ("taxes.csv", 2, (2, "GBP 150.00")),
        ("taxes.csv", 4, (1, "GBP 1000.00")),
        ("taxes.csv", 3, (1, "GBP 30.00")),
        ("accounts.csv", 3, (1, "GBP 70.00")),
        ("taxes.csv", None, (1, "GBP 6.00")),
        ("taxes.csv", 5, (1, "GBP 5.00")),
    ]


def test_the_sentence_names_row_years_candidates_and_money(folder: Path) -> None:
    """As the issue that asked for it does."""
    remember_mews()
    assert ask("orders.csv").what == (
        "taxes.csv row 2, GB 17.5 %, 2010: fill in tax_codes (candidates UK-17.5%); unlocks 2 orders, GBP 150.00"
    )


def test_without_mews_the_cells_are_counted_all_the_same(folder: Path) -> None:
    """Before any token is there; candidates nobody knows yet."""
    step = ask("orders.csv")
    assert step.what == "taxes.csv row 2, GB 17.5 %, 2010: fill in tax_codes; unlocks 2 orders, GBP 150.00"
    assert not Path("ledger.sqlite").exists()


def test_with_tokens_and_no_reference_mews_is_asked_first(folder: Path) -> None:
    """The catalogue tells the candidates."""
    step = ask("orders.csv", environ=TOKENS)
    assert step.type == "centra-mews preflight orders.csv"
    assert step.orders == 8


def decided() -> None:
    """Every cell filled in, Ireland's row as well."""
    path = Path("mappings/taxes.csv")
    path.write_text(
        "country,vat_percent,valid_from,valid_before,tax_codes,accept_rate_difference\n"
        "GB,17.5,,2011-01-04,UK-17.5%,\nGB,20,2011-01-04,,UK-20%,\nGB,5,,,UK-5%,\n*,0,,,exempt,\nIE,21,,,exempt,yes\n"
    )
    accounts = Path("mappings/accounts.csv")
    accounts.write_text(accounts.read_text().replace("b@example.com,", f"b@example.com,{ADA}"))


def test_after_the_last_cell_comes_the_run_with_the_plan_id(folder: Path) -> None:
    """The command as it is to be typed; what only the export can mend stays out, and is said."""
    remember_mews()
    decided()
    import asyncio

    plan = asyncio.run(planned()).document["plan"]
    step = ask("orders.csv")
    assert step.type == f"centra-mews run orders.csv --expect {plan}"
    assert figures(step) == (7, "GBP 1261.00")
    assert "1 stay out until corrected" in step.what


def test_without_a_connection_the_last_step_is_to_connect(folder: Path) -> None:
    """No plan id without Mews's own words."""
    decided()
    step = ask("orders.csv")
    assert (step.file, step.type) == (".env", "centra-mews preflight orders.csv")


def test_a_row_that_is_missing_is_counted_over_its_days(folder: Path) -> None:
    """Orders of many days that want the same row are one step."""
    remember_mews()
    decided()
    path = Path("mappings/taxes.csv")
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith("GB,17.5")))
    step = ask("orders.csv")
    assert (step.file, step.row) == ("taxes.csv", None)
    assert "GB, 17.5 %, 2010: add a row" in step.what
    assert figures(step) == (3, "GBP 1150.00")


@pytest.mark.parametrize("exports", [(), ("orders.csv",)])
def test_in_an_empty_folder_it_says_where_to_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exports: tuple[str, ...]
) -> None:
    """inspect without an export, init with one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.csv").write_text(HEADER + ORDERS)
    step = ask(*exports)
    assert step.type == ("centra-mews init orders.csv" if exports else "centra-mews inspect EXPORT...")
    assert step.orders == (8 if exports else 0)


def test_a_fault_of_the_folder_is_the_step(folder: Path) -> None:
    """With its row, and everything that waits for it."""
    toml = Path("mappings/migration.toml")
    toml.write_text(TOML.replace('"Europe/London"', '"Europe/Londn"'))
    step = ask("orders.csv")
    assert (step.file, step.row, step.orders) == ("migration.toml", 3, 8)
    assert "Londn" in step.what


def test_the_service_is_chosen_from_what_mews_has(folder: Path) -> None:
    """First the tokens, then preflight, then one of the services by name and Id."""
    toml = Path("mappings/migration.toml")
    toml.write_text(TOML.replace("service = ", "# service = "))
    step = ask("orders.csv")
    assert (step.file, step.type, step.orders) == (".env", "centra-mews preflight orders.csv", 8)
    step = ask("orders.csv", environ=TOKENS)
    assert (step.file, step.type) == ("migration.toml", "centra-mews preflight orders.csv")
    services = (Service("s1", "Web shop", True, True), Service("s2", "Rooms", True, False))
    write_catalogue(Path("mappings"), Catalogue("Hotel", "UTC", "", {}, services))
    step = ask("orders.csv", environ=TOKENS)
    assert (step.file, step.row, step.type) == ("migration.toml", 5, "")
    assert "target.service (candidates Web shop (s1));" in step.what


def test_an_export_that_cannot_be_read_is_the_step(folder: Path) -> None:
    """No traceback, no error: the reason and what to type."""
    Path("orders.csv").write_text("")
    step = ask("orders.csv")
    assert "orders.csv" in step.what
    assert step.type == "centra-mews inspect orders.csv"


HOLD = "import os, sys; from etl.ledger.ledger import Ledger; Ledger.open('ledger.sqlite').take_lock('run'); "


@pytest.mark.parametrize("mews", [False, True])
def test_an_export_of_which_nothing_has_a_number_is_shown_to_init(folder: Path, *, mews: bool) -> None:
    """A second dump with names of its own: there is nothing to correct in its rows."""
    if mews:
        remember_mews()
        decided()
    (folder / "other.json").write_text(json.dumps([{"no": "7", "total": "5.00"}, {"no": "8", "total": "6.00"}]))
    step = ask("other.json", environ=TOKENS)
    assert step.type == "centra-mews init other.json"
    assert "None of the 2 rows of the export has an order number" in step.what


def test_a_dry_run_of_which_nothing_is_ready_leads_here(folder: Path) -> None:
    """It has no plan to post, and so many reasons that none of them is the next step."""
    remember_mews()
    (folder / "other.json").write_text(json.dumps([{"no": "7", "total": "5.00"}]))
    for export in ("orders.csv", "other.json"):
        said = " ".join(CliRunner().invoke(cli, ["dry-run", "--offline", export]).stderr.split())
        assert said.endswith(f"Next: Nothing is ready; this says what comes first: centra-mews next {export}")
    decided()
    assert "centra-mews next" not in CliRunner().invoke(cli, ["dry-run", "--offline", "orders.csv"]).stderr


def test_a_run_that_died_holds_nobody_up(folder: Path) -> None:
    """After kill -9 the step is the work, not to wait for the dead."""
    remember_mews()
    subprocess.run([sys.executable, "-c", f"{HOLD}os._exit(9)"], check=False)
    with Ledger.open("ledger.sqlite", read_only=True) as ledger:
        assert ledger.holder() is not None
    assert ask("orders.csv").what.startswith("taxes.csv row 2")


def test_while_a_run_is_at_work_it_is_waited_for(folder: Path) -> None:
    """Its progress is what `status` shows."""
    remember_mews()
    with subprocess.Popen(
        [sys.executable, "-c", f"{HOLD}print(flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        run.stdout.readline()
        step = ask("orders.csv")
        run.stdin.close()
    assert (step.type, str(run.pid) in step.what) == ("centra-mews status", True)


def test_the_document_has_the_keys_of_the_contract(folder: Path) -> None:
    """Money as text with its currency."""
    remember_mews()
    document = json.loads(json.dumps(ask("orders.csv").document()))
    assert {"command", "what", "file", "row", "orders", "money", "type"} <= document.keys()
    assert document["command"] == "next"
    assert document["money"] == [{"currency": "GBP", "amount": "150.00"}]


def test_every_decision_is_a_known_code() -> None:
    """A renamed code would fall among what no cell decides."""
    assert DECISIONS.keys() <= CODES.keys()


def test_a_mistyped_file_is_told_before_anything_else(folder: Path) -> None:
    """A step that rests on nothing would send its reader on."""
    (folder / "mappings" / "migration.toml").unlink()
    with pytest.raises(InputError, match="does not exist"):
        ask("odrers.csv")


def test_a_key_that_a_person_has_written_is_decided(folder: Path) -> None:
    """Orders with negative amounts wait for a decision; once `block` stands there, they stay out, as that says."""
    remember_mews()
    decided()
    export = Path("orders.csv")
    export.write_text(
        export.read_text().replace("GB,b@example.com,70.00,A,1,70.00", "GB,b@example.com,-70.00,A,-1,70.00")
    )
    step = ask("orders.csv")
    assert (step.file, step.column, step.candidates) == ("migration.toml", "target.rebates", ("allow", "block"))
    assert (step.orders, step.money) == (1, (("GBP", Decimal("-70.00")),))
    assert 'vouchers.policy = "spread"' in step.what
    toml = Path("mappings/migration.toml")
    toml.write_text(f'{TOML}rebates = "block"\n')
    assert "run orders.csv --expect" in ask("orders.csv").type


def test_cells_are_decided_before_mews_is_asked_where_the_catalogue_is_there(folder: Path) -> None:
    """One cell after the other with its candidates, then one comparison, not a comparison after each cell."""
    rate = TaxRate("UK-17.5%", "VAT", Strategy.RELATIVE, Decimal("0.175"))
    accounts = (Account(ADA, "Customer", "House", True, classifications=("PaymasterAccount",)),)
    services = (Service("5e000000-0000-4000-a000-000000000001", "Web shop", True, True),)
    write_catalogue(Path("mappings"), Catalogue("Hotel", "UTC", "GB", {rate.code: rate}, services, accounts=accounts))
    step = ask("orders.csv", environ=TOKENS)
    assert step.what.startswith("taxes.csv row 2, GB 17.5 %, 2010: fill in tax_codes (candidates UK-17.5%); unlocks 2")
    assert (step.column, step.candidates) == ("tax_codes", ("UK-17.5%",))
    decided()
    step = ask("orders.csv", environ=TOKENS)
    assert step.type == "centra-mews preflight orders.csv"
    Path("mappings/accounts.csv").unlink()
    step = ask("orders.csv", environ=TOKENS)
    assert (step.file, step.column, step.candidates) == ("migration.toml", "accounts.fallback", (ADA,))
    assert f"(candidates House ({ADA}))" in step.what


def test_a_service_that_takes_no_orders_is_the_step(folder: Path) -> None:
    """By the catalogue: preflight could only say so again."""
    services = (
        Service("s1", "Web shop", True, True),
        Service("5e000000-0000-4000-a000-000000000001", "Rooms", True, False),
    )
    write_catalogue(Path("mappings"), Catalogue("Hotel", "UTC", "GB", {}, services))
    step = ask("orders.csv", environ=TOKENS)
    assert (step.file, step.row, step.column, step.candidates) == ("migration.toml", 6, "target.service", ("s1",))
    assert "takes no orders" in step.what


def test_what_mews_said_of_these_very_cells_is_not_asked_again(folder: Path) -> None:
    """A wrong code is a cell to correct; only after a change of the mapping Mews is asked anew."""
    remember_mews()
    decided()
    taxes = Path("mappings/taxes.csv")
    taxes.write_text(taxes.read_text().replace("UK-20%", "UK-21%"))
    step = ask("orders.csv")
    assert (step.type, step.column) == ("centra-mews preflight orders.csv", "")
    assert "cells have changed" in step.what
    with Ledger.open("ledger.sqlite") as ledger:
        ledger.set_meta("reference_of", read_mapping(Path("mappings")).digest)
    step = ask("orders.csv")
    assert (step.file, step.row, step.column, step.type) == ("taxes.csv", 3, "tax_codes", "")


def test_a_likely_row_is_shown_with_what_it_says(folder: Path) -> None:
    """Its samples too, so that a person can say yes without looking it up."""
    header, *lines = (HEADER + ORDERS).splitlines()
    Path("orders.csv").write_text("\n".join([header.replace("products.sku", "Article"), *lines]))
    Path("mappings/columns.csv").write_text("header,field,sure\nArticle,products.sku,likely\n")
    step = ask("orders.csv", environ=TOKENS)
    assert step.what.startswith(
        "columns.csv row 2: Article holds products.sku (such as A, B): if that is right, write yes into sure; the run waits"
    )
    assert (step.file, step.row, step.column, step.candidates) == ("columns.csv", 2, "sure", ("yes",))


def test_a_status_names_its_row_and_what_it_may_mean(folder: Path) -> None:
    """The open row that init wrote; without one, init adds it."""
    remember_mews()
    decided()
    header, *lines = (HEADER + ORDERS).strip().splitlines()
    rows = [f"{header},status", *(f"{line},bezahlt" for line in lines if line)]
    Path("orders.csv").write_text("\n".join(rows))
    Path("mappings/values.csv").write_text("field,value,means\nstatus,bezahlt,\n")
    step = ask("orders.csv")
    assert (step.file, step.row, step.column) == ("values.csv", 2, "means")
    assert "(candidates Completed, Cancelled, Pending)" in step.what
    Path("mappings/values.csv").unlink()
    step = ask("orders.csv")
    assert (step.row, step.column) == (None, "")
    assert step.type == "centra-mews init orders.csv --store shop --timezone Europe/London"


def test_likely_rows_are_confirmed_one_by_one_and_never_again(folder: Path) -> None:
    """As many steps as rows; then Mews is asked for the candidates of the cells."""
    header, *lines = (HEADER + ORDERS).splitlines()
    renamed = header.replace("products.sku", "Article").replace("products.qty", "Count")
    Path("orders.csv").write_text("\n".join([renamed, *lines]))
    columns = Path("mappings/columns.csv")
    columns.write_text("header,field,sure\nArticle,products.sku,likely\nCount,products.qty,likely\n")
    for row, more in ((2, " (1 more row after it)"), (3, "")):
        step = ask("orders.csv", environ=TOKENS)
        assert (step.file, step.row, step.column) == ("columns.csv", row, "sure")
        assert more in step.what
        text = columns.read_text().splitlines()
        text[row - 1] = text[row - 1].replace("likely", step.candidates[0])
        columns.write_text("\n".join(text))
    assert ask("orders.csv", environ=TOKENS).type == "centra-mews preflight orders.csv"


def test_a_hotel_without_a_service_is_asked_to_set_one_up(folder: Path) -> None:
    """To ask Mews once more would change nothing by itself."""
    toml = Path("mappings/migration.toml")
    toml.write_text(TOML.replace("service = ", "# service = "))
    write_catalogue(Path("mappings"), Catalogue("Hotel", "UTC", "GB", {}, (Service("s2", "Rooms", True, False),)))
    step = ask("orders.csv", environ=TOKENS)
    assert "Mews has no active additional service; ask the hotel" in step.what
    assert step.type == "centra-mews preflight orders.csv"
