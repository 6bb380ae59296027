"""The export's cells for a report from the ledger: only of files that are what the run read, by the run that read them."""

from __future__ import annotations

import gzip
import hashlib
from contextlib import ExitStack
from pathlib import Path

import pytest

from etl.ledger.records import RunRecord
from etl.pipeline.source_again import NEVER, Rows, SourceAgain

HEAD = "orderNumber,orderDate,products.sku,products.qty,products.unitPrice\n"


def written(path: Path, *rows: str) -> list[object]:
    """A file of these rows, as a run's record names it."""
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows), "utf-8")
    return [str(path), hashlib.sha256(path.read_bytes()).hexdigest(), False]


def run_of(run_id: str, *files: list[object], **source: object) -> RunRecord:
    """The record of a run that read these files."""
    reading = {"migration.toml": {f"source.{key}": value for key, value in source.items()}}
    return RunRecord(run_id, "run", mapping={"exports": [list(one) for one in files], "reading": reading})


def lines(rows: Rows) -> list[tuple[int, tuple[str, ...]]]:
    """Row and cells of the lines of an order."""
    return [(row, tuple(cells)) for file in rows.files for _, some in file.groups for row, cells in some]


def ask(runs: list[RunRecord], planned_by: dict[str, str]) -> dict[str, Rows]:
    """The rows of the orders, read by a fresh reader."""
    with ExitStack() as stack:
        return dict(SourceAgain(stack, runs, lambda *_: None).rows(planned_by))


def test_each_order_has_the_rows_of_its_own_run(tmp_path: Path) -> None:
    """An order that two exports hold shows those of the run whose plan the ledger holds."""
    may = written(tmp_path / "may.csv", "7,2024-05-01,CUP,1,2.00", "8,2024-05-02,CUP,2,2.00")
    june = written(tmp_path / "june.csv", "8,2024-05-02,CUP,3,2.00")
    found = ask([run_of("a", may), run_of("b", june)], {"7": "a", "8": "b"})
    assert lines(found["7"]) == [(2, ("CUP", "1", "2.00"))]
    assert lines(found["8"]) == [(2, ("CUP", "3", "2.00"))]


def test_a_nested_return_shows_the_rows_of_its_order(tmp_path: Path) -> None:
    """Its number is no number of the file."""
    file = written(tmp_path / "may.csv", "7,2024-05-01,CUP,1,2.00")
    assert lines(ask([run_of("a", file)], {"7-R1": "a"})["7-R1"]) == [(2, ("CUP", "1", "2.00"))]


def test_numbers_are_read_as_the_run_read_them(tmp_path: Path) -> None:
    """The mapping folder may be gone or another one; the run's own record says how numbers are written."""
    file = written(tmp_path / "may.csv", "#7,2024-05-01,CUP,1,2.00")
    assert lines(ask([run_of("a", file, order_number="#{number}")], {"7": "a"})["7"])
    assert not lines(ask([run_of("a", file)], {"7": "a"})["7"])


@pytest.mark.parametrize("lacking", ["changed", "gone"])
def test_what_is_no_longer_the_file_is_not_shown(tmp_path: Path, lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells of another version beside the entries of this one would be a lie."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "may.csv"
    file = written(path, "7,2024-05-01,CUP,1,2.00")
    if lacking == "gone":
        path.unlink()
    else:
        path.write_text(HEAD + "7,2024-05-01,CUP,1,9.00\n", "utf-8")
    found = ask([run_of("a", file)], {"7": "a"})["7"]
    assert found.files == ()
    assert found.why_not == "may.csv is not here as the run read it, so no cells are shown."


def test_the_working_folder_is_looked_in_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ledger and export are carried to another machine, or the folder was renamed."""
    file = written(tmp_path / "may.csv", "7,2024-05-01,CUP,1,2.00")
    moved = tmp_path / "archive"
    moved.mkdir()
    (tmp_path / "may.csv").rename(moved / "may.csv")
    monkeypatch.chdir(moved)
    assert lines(ask([run_of("a", file)], {"7": "a"})["7"])


def test_a_ledger_of_an_older_program_knows_names_and_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are enough where the files lie in the working folder."""
    _, digest, _ = written(tmp_path / "may.csv", "7,2024-05-01,CUP,1,2.00")
    monkeypatch.chdir(tmp_path)
    run = RunRecord("a", "run", sources={"may.csv": digest}, mapping={"digest": "sha256:x"})
    assert lines(ask([run], {"7": "a"})["7"])


def test_orders_of_no_run_are_said(tmp_path: Path) -> None:
    """What recover found, no run has read."""
    assert ask([], {"7": "recovered"})["7"].why_not == NEVER


def test_a_packed_file_is_known_by_its_packed_bytes(tmp_path: Path) -> None:
    """The hash of a run's record is that of the file on disk."""
    plain = written(tmp_path / "may.csv", "7,2024-05-01,CUP,1,2.00")
    path = tmp_path / "may.csv.gz"
    path.write_bytes(gzip.compress(Path(str(plain[0])).read_bytes()))
    file: list[object] = [str(path), hashlib.sha256(path.read_bytes()).hexdigest(), False]
    assert lines(ask([run_of("a", file)], {"7": "a"})["7"]) == [(2, ("CUP", "1", "2.00"))]
