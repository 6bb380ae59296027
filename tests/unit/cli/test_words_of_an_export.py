"""What `inspect` and `init` say of an export: one of a thing is no plural, figures are grouped, and the step fits the folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from etl.cli import cli

HEADER = "Order No,Order Date,Currency,Country,Status,Order Total,SKU,Qty,Price,VAT %\n"
ROWS = "".join(f"{n},2024-03-01,GBP,GB,Completed,1500.00,A,1,1500.00,20\n" for n in (*range(1, 31), 40))


def typed(*words: str) -> str:
    """What the command says, on one line."""
    result = CliRunner().invoke(cli, words, env={"COLUMNS": "80"})
    return " ".join(result.stderr.split())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.csv").write_text(HEADER + ROWS + "41,2024-03-01,GBP,GB,Odd,1500.00,A,1,1500.00,20\n")
    return tmp_path


def test_one_is_no_plural_and_sums_are_grouped(folder: Path) -> None:
    said = typed("inspect", "orders.csv")
    assert "9 numbers are missing in 1 gap, first" in said
    assert "1 of them waits for the meaning of 1 word." in said
    assert "GBP 48,000.00 0.00 0.00 48,000.00" in said
    said = typed("init", "orders.csv", "--store", "shop", "--timezone", "Europe/London")
    assert " 1 order 1,500.00 GBP" in said


def test_a_second_export_adds_its_names_to_the_folder_that_is_there(folder: Path) -> None:
    """The shop is named in it already."""
    assert "init orders.csv --store NAME --timezone ZONE" in typed("inspect", "orders.csv")
    typed("init", "orders.csv", "--store", "shop", "--timezone", "Europe/London")
    other = [
        {"number": n, "date_created": "2024-03-01", "currency": "GBP", "total": "5.00"}
        | {"line_items": [{"sku": "A", "quantity": 1, "price": "5.00", "tax_rate": "20"}]}
        for n in range(1, 31)
    ]
    (folder / "other.json").write_text(json.dumps(other))
    said = typed("inspect", "other.json")
    assert "Next: Add the names of this export to the mapping folder; what stands there stays" in said
    assert said.endswith("init other.json")
