"""How far back Mews takes outlet bills, as far as what it refused and took so far tells. Pure.

Rule: design sections 7.1 and 9: no window is documented for outlet bills, so bills older than that of orders are a kind.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta

from etl.model.kinds import OLD, is_named_by
from etl.model.status import OrderStatus, ReportState
from etl.transform.consumption import local_day


@dataclass(slots=True)
class Reach:
    """Adds up order by order. Days are local ones of `timezone`, as `--from` takes them; an order is consumed on its day or later.

    `refused`: the last day of bills that Mews refused for their age, `aged` how many; `taken`: the first day of those it took.
    """

    timezone: str
    refused: date | None = None
    taken: date | None = None
    aged: int = 0
    _ready: Counter[date] = field(default_factory=Counter)

    def add(self, status: OrderStatus) -> None:
        """Counts an order."""
        if status.consumption is None or status.is_accepted:
            return
        day = local_day(status.consumption, self.timezone)
        if status.state is ReportState.REJECTED and is_named_by(OLD, status.message):
            self.refused, self.aged = max(self.refused or day, day), self.aged + 1
        elif status.state.is_in_mews:
            self.taken = min(self.taken or day, day)
        elif status.state is ReportState.READY:
            self._ready[day] += 1

    def start(self, *, is_held: bool) -> date | None:
        """The day from which on orders may be sent; None where Mews refused none for its age.

        While the kind `is_held`, the day after the last that was refused, else the first that was taken after it.
        """
        if self.refused is None:
            return None
        after = self.refused + timedelta(days=1)
        return after if is_held or self.taken is None else max(after, self.taken)

    def ready_before(self, start: date | None) -> int:
        """How many orders are ready that are older."""
        return sum(count for day, count in self._ready.items() if day < start) if start else 0
