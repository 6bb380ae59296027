"""Every transition of an order, its parts and the customers of a run, by name; the only code that writes a state.

A `Steps` works within one transaction: it reads the parts concerned at the start, lets each step change them,
and writes what changed in few statements. A step that does not apply raises and changes nothing. By whom a step is
caused decides where it stands: `send_steps` (requests), `sight_steps` (what Mews shows), `plan_steps` (the plan, or a
person), `undo_steps`, `customer_steps`; `fact_steps` keeps what goes with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from etl.ledger.customer_steps import CustomerSteps
from etl.ledger.fact_steps import FactSteps
from etl.ledger.plan_steps import PlanSteps
from etl.ledger.send_steps import Intent, SendSteps
from etl.ledger.sight_steps import SightSteps
from etl.ledger.undo_steps import UndoSteps
from etl.ledger.unit_of_work import CHUNK, GIVE_UP, KindBusyError, NotReady, PartKey

__all__ = ["CHUNK", "GIVE_UP", "Intent", "KindBusyError", "NotReady", "PartKey", "Steps"]


class Steps(SendSteps, SightSteps, PlanSteps, UndoSteps, CustomerSteps, FactSteps):
    """All named transitions, within one transaction."""

    def orphan(self, living: Sequence[str] = ()) -> int:
        """IN_FLIGHT -> UNKNOWN for all that no living worker has in hand, customers too. Shape: how many requests."""
        return super().orphan(living) + self.orphan_customers(living)

    def has_unsettled_orphans(self) -> bool:
        """Whether of some orphans, customers too, nobody has said yet since when they settle."""
        return super().has_unsettled_orphans() or self.has_unsettled_customers()

    def start_settling(self, at: datetime) -> None:
        """Gives orphans, customers too, Mews's time at which they certainly had been sent, if at all."""
        # Their rows before those of parts, as everybody takes them.
        self.start_settling_customers(at)
        super().start_settling(at)
