"""Rows without an order number, over all runs of a ledger: those of the newest reading of each file."""

from __future__ import annotations

from typing import Any

from etl.ledger.records import RunRecord
from etl.model.place import Place
from etl.model.problem import Problem
from etl.pipeline.source_again import EXPORTS
from etl.pipeline.source_files import ROWS_KEPT, row_documents, sources_of

PLANNERS = frozenset({"r0", "r1", "r2"})
"""Runs of which each has read some order last, unless a test says otherwise."""


def lost(file: str, row: int) -> Problem:
    """One row that belongs to no order."""
    return Problem("order.number_missing", "", Place(f"exports/{file}", "", row, "orderNumber"), "x", "No number.")


def a_run(run_id: str, **unassigned: int) -> RunRecord:
    """A run that met so many such rows in each file."""
    files = {f"{name}.csv": count for name, count in unassigned.items()}
    summary: dict[str, Any] = {
        "sources": [{"file": name, "rows": 9, "rows_unassigned": count} for name, count in files.items()],
        "lines": {"unassigned": sum(files.values())},
        "unassigned_rows": row_documents(lost(name, row) for name, count in files.items() for row in range(count)),
    }
    return RunRecord(run_id, "run", summary=summary, sources=dict.fromkeys(files, "sha"))


def test_a_file_that_is_read_again_replaces_its_own_rows_only() -> None:
    """The row of a.csv got its number; that of b.csv did not."""
    sources = sources_of([a_run("r1", a=1, b=2), a_run("r2", a=0)], PLANNERS)
    assert (sources.unassigned, sources.rows) == (2, (lost("b.csv", 0), lost("b.csv", 1)))
    sources = sources_of([a_run("r1", a=1, b=2), a_run("r2", a=3)], PLANNERS)
    assert (sources.unassigned, len(sources.rows)) == (5, 5)


def test_all_are_counted_where_the_first_ones_are_kept() -> None:
    """A ledger does not grow with a damaged file."""
    sources = sources_of([a_run("r1", a=ROWS_KEPT + 5)], PLANNERS)
    assert (sources.unassigned, len(sources.rows)) == (ROWS_KEPT + 5, ROWS_KEPT)


def test_a_run_that_kept_no_rows_is_counted() -> None:
    """Ledgers from before hold the counts alone."""
    run = RunRecord("r1", "run", summary={"lines": {"unassigned": 3}}, sources={"a.csv": "sha"})
    assert (sources_of([run], PLANNERS).unassigned, sources_of([run], PLANNERS).rows) == (3, ())


def a_reading(run_id: str, start: str, end: str, *, sha: str = "sha", code: int | None = 0) -> RunRecord:
    """A run over a.csv that was narrowed to these dates."""
    span = {"from": start or None, "to": end or None} if start or end else None
    return RunRecord(run_id, "run", exit_code=code, summary={"narrowed": span}, sources={"a.csv": sha})


def test_only_what_no_run_has_read_is_told_as_narrowed() -> None:
    """The certificate's "only orders dated .. were read" holds over all runs of the same bytes."""
    first, second = a_reading("r1", "2011-01-01", "2011-02-01"), a_reading("r2", "2011-02-01", "")
    both = (("2011-01-01", "2011-02-01"), ("2011-02-01", ""))
    assert sources_of([first, second], PLANNERS).narrowed == both
    whole = a_reading("r0", "", "", code=3)
    assert sources_of([whole, first], PLANNERS).narrowed == sources_of([first, whole], PLANNERS).narrowed == ()
    assert sources_of([a_reading("r0", "", "", sha="other"), second], PLANNERS).narrowed == both[1:]
    assert sources_of([a_reading("r0", "", "", code=130), first], PLANNERS).narrowed == both[:1]
    assert sources_of([a_reading("r0", "", "", code=None), first], PLANNERS).narrowed == both[:1]


def a_batch(run_id: str, **files: int) -> RunRecord:
    """A run over orders.csv of these folders; it met so many rows without a number in each."""
    paths = {folder: f"/exports/{folder}/orders.csv" for folder in files}
    names = {folder: f"{folder}/orders.csv" if len(files) > 1 else "orders.csv" for folder in files}
    summary: dict[str, Any] = {
        "sources": [{"file": names[one], "rows": 9, "rows_unassigned": count} for one, count in files.items()],
        "lines": {"unassigned": sum(files.values())},
        "unassigned_rows": row_documents(
            Problem("order.number_missing", "", Place(paths[one], "", row, "orderNumber"))
            for one, count in files.items()
            for row in range(count)
        ),
    }
    exports = {EXPORTS: [[path, f"sha of {one}", False] for one, path in paths.items()]}
    return RunRecord(
        run_id, "run", summary=summary, sources={names[one]: f"sha of {one}" for one in files}, mapping=exports
    )


def test_files_of_one_name_are_told_apart_by_their_folders() -> None:
    """A shop that exports by month: January read again clears none of February's rows, and both are named."""
    both = a_batch("r1", jan=1, feb=2)
    assert [(one.file, one.sha256) for one in sources_of([both], PLANNERS).files] == [
        ("feb/orders.csv", "sha of feb"), ("jan/orders.csv", "sha of jan")
    ]  # fmt: skip
    again = sources_of([both, a_batch("r2", jan=0)], PLANNERS)
    assert ([one.file for one in again.files], again.unassigned) == (["feb/orders.csv", "orders.csv"], 2)
    assert {row.place.file for row in again.rows} == {"/exports/feb/orders.csv"}
    assert sources_of([a_batch("r0", jan=5), both], PLANNERS).unassigned == 3
    assert sources_of([both, a_batch("r2", jan=0, feb=0)], PLANNERS).unassigned == 0


def test_a_workbook_has_the_rows_of_all_its_sheets() -> None:
    """The certificate names a file once."""
    summary = {"sources": [{"file": "a.xlsx", "rows": rows, "format": "xlsx"} for rows in (5, 7)]}
    (one,) = sources_of([RunRecord("r1", "run", summary=summary, sources={"a.xlsx": "sha"})], PLANNERS).files
    assert (one.rows, one.format) == (12, "xlsx")


def test_another_month_of_the_same_name_clears_nothing() -> None:
    """Each month in a folder and a run of its own: a row of January that belongs to no order stays until January is read again."""
    january, february = a_batch("r1", jan=1), a_batch("r2", feb=0)
    found = sources_of([january, february], PLANNERS)
    assert (found.unassigned, [one.file for one in found.files]) == (1, ["jan/orders.csv", "feb/orders.csv"])
    assert {row.place.file for row in found.rows} == {"/exports/jan/orders.csv"}
    mended = sources_of([january, february, a_batch("r3", jan=0)], PLANNERS)
    assert (mended.unassigned, [one.run_id for one in mended.files]) == (0, ["r2", "r3"])


def test_a_mended_copy_elsewhere_replaces_the_file_whose_orders_it_has_all_read() -> None:
    """Nobody has to put it back where it lay."""
    found, mended = a_batch("r1", jan=1), a_batch("r2", mended=0)
    assert sources_of([found, mended], {"r2"}).unassigned == 0
    assert sources_of([found, mended], {"r1", "r2"}).unassigned == 1


def test_the_same_bytes_elsewhere_are_the_same_file() -> None:
    """A copy on another machine."""
    found, copied = a_batch("r1", jan=1), a_batch("r2", copy=1)
    copied.sources["orders.csv"] = found.sources["orders.csv"]
    assert sources_of([found, copied], PLANNERS).unassigned == 1
