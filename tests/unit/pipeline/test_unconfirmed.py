"""Likely rows: shown with samples, refused where real accounts are charged."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import ExitCode, MappingError
from etl.mapping.folder import read_mapping
from etl.pipeline.prepare import Export, open_batch
from etl.pipeline.unconfirmed import likely_rows, refuse_unconfirmed

SETTINGS = (
    '[source]\nstore = "shop"\ntimezone = "Europe/London"\nprices_include_tax = true\n[target]\nservice = "eid:X"\n'
)


def write(folder: Path, sure: str) -> Path:
    """A mapping folder with rows of that certainty, and an export beside it."""
    tables = {
        "migration.toml": SETTINGS,
        "taxes.csv": "country,vat_percent,valid_from,valid_before,tax_codes\n",
        "columns.csv": f"header,field,sure\nNr,orderNumber,{sure}\nNote,-,{sure}\n",
        "values.csv": f"field,value,means,sure\nstatus,paid,Completed,{sure}\n",
        "orders.csv": "Nr,status,Note\n7,paid,a\n7,paid,b\n8,paid,\n",
    }
    for name, text in tables.items():
        (folder / name).write_text(text, "utf-8")
    return folder / "orders.csv"


def test_likely_rows_are_named_with_samples_and_refused(tmp_path: Path) -> None:
    """A person can only confirm what he sees."""
    export = write(tmp_path, "likely")
    mapping = read_mapping(tmp_path)
    with open_batch(Export([export]), mapping, lambda *_: None) as (_, facts):
        rows = likely_rows(mapping, facts)
    assert [(row["place"], row["says"], row["samples"]) for row in rows] == [
        ("columns.csv, row 2", "Nr holds orderNumber", ["7", "8"]),
        ("columns.csv, row 3", "Note is not migrated", ["a", "b"]),
        ("values.csv, row 2", "status paid means Completed", ["paid"]),
    ]
    with pytest.raises(MappingError, match="3 rows are likely") as refused:
        refuse_unconfirmed(mapping)
    assert refused.value.exit_code is ExitCode.USAGE
    assert "values.csv, row 2" in refused.value.message


@pytest.mark.parametrize("sure", ["yes", "proved", ""])
def test_what_is_sure_goes(tmp_path: Path, sure: str) -> None:
    """A person's word, or the footing of the orders; a row without a word is a person's."""
    write(tmp_path, sure)
    mapping = read_mapping(tmp_path)
    assert mapping.likely == ()
    refuse_unconfirmed(mapping)
