"""Every transition of an order, its parts and the customers of a run, by name; the only code that writes a state.

A `Steps` works within one transaction: it reads the parts concerned at the start, lets each step change them,
and writes what changed in few statements. A step that does not apply raises and changes nothing. By whom a step is
caused decides where it stands: `send_steps` (requests), `sight_steps` (what Mews shows), `plan_steps` (the plan, or a
person), `undo_steps`, `customer_steps`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from etl.load import versions
from etl.load.customer_steps import CustomerSteps
from etl.load.plan_steps import PlanSteps
from etl.load.records import Correction, LedgerOrder
from etl.load.send_steps import Intent, SendSteps
from etl.load.sight_steps import SightSteps
from etl.load.undo_steps import UndoSteps
from etl.load.unit_of_work import CHUNK, GIVE_UP, NotReady, PartKey

__all__ = ["CHUNK", "GIVE_UP", "Intent", "NotReady", "PartKey", "Steps"]


class Steps(SendSteps, SightSteps, PlanSteps, UndoSteps, CustomerSteps):
    """All named transitions, within one transaction."""

    def execute(self, statement: Any, rows: list[dict[str, Any]]) -> None:
        """One statement over many rows of facts, within the same transaction; no state may be in it."""
        self._connection.execute(statement, rows)

    def read_orders(self, numbers: Sequence[str]) -> dict[str, LedgerOrder]:
        """The orders of these numbers, as this transaction sees them."""
        return versions.read_orders(self._connection, numbers)

    def keep_versions(self, new: list[dict[str, Any]], met: list[dict[str, Any]]) -> None:
        """Stores the contents of orders that are `new` to the ledger, and of those that were `met` before."""
        versions.keep_versions(self._connection, new, are_new=True)
        versions.keep_versions(self._connection, met, are_new=False)

    def keep_corrections(self, found: Mapping[str, Sequence[Correction]], run_id: str) -> None:
        """Stores which version of an order took the place of which."""
        versions.keep_corrections(self._connection, found, run_id)

    def run(self, statement: Any) -> None:
        """One statement within the same transaction; no state of an order or part may be in it."""
        self._connection.execute(statement)

    def rows(self, query: Any) -> Sequence[Any]:
        """What a query sees within the same transaction."""
        return self._connection.execute(query).all()
