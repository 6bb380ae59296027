"""`next` where Mews refuses outlet bills for their age: the day to go on from, and no way into posting them one by one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from builders import a_line, an_order
from outlet_shop import outlet_context
from test_next_asks_how_it_was_paid import TOML, remember_the_outlet
from test_next_step import HEADER, ask, decided, folder

from etl.ledger.ledger import Ledger
from etl.model.kinds import OLD
from etl.transform.order import plan_order

__all__ = ["folder"]
WEEK = "P0Y0M7DT0H0M0S"
WORDS = "The time of closure is before the editable history interval of the outlet."


def history(folder: Path, kind: str, states: dict[str, str]) -> None:
    """Four bills, of 2008 to 2011, and what Mews said of them; the ledger's kind of old bills stands at `kind`."""
    decided()
    remember_the_outlet(accounting_interval=WEEK, operational_interval=WEEK)
    (folder / "mappings" / "migration.toml").write_text(TOML.replace("[outlet]\n", '[outlet]\npayments = "none"\n'))
    rows = [f"{at},{2007 + at}-05-05,GBP,IE,a@example.com,6.00,A,1,6.00,21" for at in range(1, 5)]
    (folder / "orders.csv").write_text(f"{HEADER}\n" + "\n".join(rows) + "\n")
    orders = [plan_order(an_order(a_line("6.00"), number=number), outlet_context()) for number in states]
    with Ledger.open("ledger.sqlite") as ledger:
        ledger.take_lock("run")
        ledger.record_plan("run-1", orders)
        with ledger.transaction() as connection:
            for number, state in states.items():
                words = WORDS if state == "rejected" else ""
                when = datetime(2007 + int(number), 5, 5, 11, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                connection.exec_driver_sql(
                    "UPDATE orders SET state = ?, message = ?, consumption = ? WHERE number = ?",
                    (state, words, when, number),
                )
            connection.exec_driver_sql(
                "INSERT INTO kinds (kind, state, refusals, number, run_id, message, request_id, updated_at) "
                "VALUES (?, ?, ?, '1', 'run-1', ?, 'r-1', '2026-03-01T00:00:00Z')",
                (OLD, kind, '{"x": 3}' if kind == "held" else "{}", WORDS),
            )


def test_a_held_history_goes_on_after_the_last_day_that_was_refused(folder: Path) -> None:
    """The date is told, and both options that are needed are in the command."""
    history(folder, "held", {"1": "rejected", "2": "rejected"})
    step = ask("orders.csv")
    assert "--from 2009-05-06 --expect sha256:" in step.type
    assert step.type.endswith(" --retry-rejected")
    assert "refused those up to 2009-05-05" in step.what
    assert "--from DATE and --retry-rejected go together" in step.what


def test_what_mews_refused_for_its_age_is_not_posted_one_by_one(folder: Path) -> None:
    """A later bill was taken, so the kind is proved and holds no more: the older ones stay where they are."""
    history(folder, "proved", {"1": "rejected", "3": "posted", "4": "posted"})
    step = ask("orders.csv")
    assert step.type.startswith("centra-mews reconcile")
    assert "refused bills up to 2008-05-05 and took those from 2010-05-05 on" in step.what
    assert "--from DATE --retry-rejected" in step.what


def test_what_is_younger_than_a_bill_that_was_taken_goes_on(folder: Path) -> None:
    """Only that: 2 is ready as well, and older than all that Mews took."""
    history(folder, "proved", {"1": "rejected", "3": "posted"})
    step = ask("orders.csv")
    assert " --from 2010-05-05 --expect sha256:" in step.type
    assert "--retry-rejected" not in step.type
    assert step.orders == 1
    assert "1 older one stays out" in step.what
