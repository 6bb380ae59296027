"""`next` after a command that did not come to its end: what it stopped for comes before what is ready."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_next_step import ask, decided, folder, remember_mews

from etl.ledger.ledger import Ledger
from etl.ledger.records import RunRecord
from etl.pipeline.reconciled import RECOVERED_AT
from etl.pipeline.source_again import EXPORTS

__all__ = ["folder"]
STARTED = "2026-03-01T11:00:00.000000Z"


@pytest.fixture
def ready(folder: Path) -> Path:
    """Seven orders that are ready."""
    remember_mews()
    decided()
    return folder


def end(command: str, exit_code: int | None, **stop: str) -> None:
    """The last command ended so."""
    with Ledger.open("ledger.sqlite") as ledger:
        ledger.save_run(
            RunRecord("r1", command, started=STARTED, exit_code=exit_code, summary={"stopped": stop or None})
        )


def test_a_ledger_that_lacks_orders_is_completed_first(ready: Path) -> None:
    """The same run again would stop again."""
    end("run", 2, code="ledger.incomplete", message="Mews holds 3 orders", hint="Use the right ledger, or recover.")
    step = ask("orders.csv")
    assert step.type == "centra-mews recover"
    assert "Mews holds 3 orders. Use the right ledger" in step.what
    with Ledger.open("ledger.sqlite") as ledger:
        ledger.set_meta(RECOVERED_AT, "2026-03-01T11:10:00.000000Z")
    assert ask("orders.csv").type.startswith("centra-mews run")


@pytest.mark.parametrize("exit_code", [None, 130])
def test_an_undo_that_was_cut_off_is_repeated(ready: Path, exit_code: int | None) -> None:
    """Half of its orders stand there still."""
    end("undo", exit_code)
    step = ask("orders.csv")
    assert "give the same undo again" in step.what
    assert step.type == "centra-mews undo --help"


def test_why_a_run_stopped_is_told_before_the_next_one(ready: Path) -> None:
    """Of a first order that did not come back as planned, nobody should post more without having looked."""
    end("run", 1, code="run.first_order", message="Order 1 was booked otherwise.", hint="Look at it in Mews.")
    step = ask("orders.csv")
    assert "The last run stopped: Order 1 was booked otherwise. Look at it in Mews" in step.what
    assert step.type.startswith("centra-mews run orders.csv --expect")


def test_after_a_good_end_nothing_is_told_of_it(ready: Path) -> None:
    """Runs and undos that came to their end."""
    for command in ("run", "undo"):
        end(command, 0)
        assert "stopped" not in ask("orders.csv").what


def test_a_ledger_that_lacks_orders_comes_before_empty_cells(folder: Path) -> None:
    """Whoever is called at night completes the ledger; no cell of the mapping helps him."""
    remember_mews()
    end("run", 2, code="ledger.incomplete", message="Mews holds 3 orders", hint="Use the right ledger, or recover.")
    assert ask("orders.csv").type == "centra-mews recover"
    assert ask().type == "centra-mews recover"


def test_the_files_of_the_last_run_are_found_where_they_lay(ready: Path) -> None:
    """Exports lie in a folder of their own often enough, and nobody should have to look up at night what it was."""
    (ready / "exports").mkdir()
    (ready / "orders.csv").rename(ready / "exports" / "orders.csv")
    with Ledger.open("ledger.sqlite") as ledger:
        lay = [str(ready / "exports" / "orders.csv"), "0" * 64, False]
        ledger.save_run(
            RunRecord("r1", "run", started=STARTED, sources={"orders.csv": "0" * 64}, mapping={EXPORTS: [lay]})
        )
    assert ask().type.startswith("centra-mews run exports/orders.csv --expect")
    (ready / "exports" / "orders.csv").rename(ready / "orders.csv")
    assert ask().type.startswith("centra-mews run orders.csv --expect"), "or in the working folder"
    (ready / "orders.csv").unlink()
    assert ask().type == "centra-mews next EXPORT..."


def test_rows_of_no_order_are_not_looked_for_among_the_orders(ready: Path) -> None:
    """attention.csv holds whole orders; the command would not even write it."""
    header, first, *_ = (ready / "orders.csv").read_text().splitlines()
    lines = [f"{header},status", f"{first},Cancelled", f",{first.partition(',')[2]},Completed", ""]
    (ready / "orders.csv").write_text("\n".join(lines))
    step = ask("orders.csv")
    assert "attention.csv" not in step.what
    assert "1 row has no readable order number" in step.what
    assert (step.file, step.type) == ("problems.csv", "centra-mews dry-run orders.csv --report dry-run")
