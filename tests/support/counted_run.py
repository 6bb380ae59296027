"""A run with its orders counted by what the ledger says at its end, as the command does from the same ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from etl.errors import ExitCode
from etl.ledger.ledger import Ledger
from etl.ledger.standing import standing
from etl.load.poster import Poster
from etl.load.result import LoadResult
from etl.model.plan import PlannedOrder
from etl.model.status import ReportState


@dataclass(slots=True)
class CountedResult(LoadResult):
    """`counts`: each order that the run was given, in the standing that the ledger gives it."""

    counts: Counter[ReportState] = field(default_factory=Counter)

    @property
    def exit_code(self) -> ExitCode:
        """What the run's orders and its end say."""
        if self.stop is not None:
            return self.stop.exit_code
        if self.is_interrupted:
            return ExitCode.INTERRUPTED
        is_odd = self.duplicated or any(count for state, count in self.counts.items() if state.needs_attention)
        return ExitCode.ATTENTION if is_odd else ExitCode.DONE


async def run_counted(
    poster: Poster, ledger: Ledger, orders: Iterable[PlannedOrder], store: str, run_id: str, **options: Any
) -> CountedResult:
    """One run of these orders, and where each of them stands afterwards."""
    batch = list(orders)
    result = await poster.run(iter(batch), **options)
    rows = ledger.lookup([order.number for order in batch])
    counts = Counter(standing(rows.get(order.number), order, store, run_id) for order in batch)
    return CountedResult(**{one.name: getattr(result, one.name) for one in fields(LoadResult)}, counts=counts)
