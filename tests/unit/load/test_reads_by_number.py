"""What is asked of a few hundred orders by number looks at these orders, however many others are posted."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.dialects import sqlite

from etl.ledger import remembered
from etl.ledger.ledger import Ledger


@pytest.mark.parametrize("query", [remembered._LINES, remembered._SUMS], ids=["lines", "sums"])
def test_posted_orders_are_found_by_their_numbers(query, tmp_path: Path) -> None:
    """By the index of states each lot would go through the whole history: a million lines took minutes for seconds."""
    with Ledger.open(str(tmp_path / "ledger.sqlite"), create=True):
        pass
    values = {"numbers": [str(number) for number in range(500)], "key": "key"}
    text = str(query.params(values).compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {text}")]
    assert [("number=?" in step, "state" in step) for step in plan] == [(True, False)] * 2, plan
