"""The trace of the last `reconcile` in the ledger: what it found, and whether that still holds.

`next` reads it, so that it does not name a reconciliation again that was made and of which nothing has moved since.
"""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from typing import Any

from etl.errors import LedgerError
from etl.ledger.ledger import Ledger
from etl.ledger.records import dumps, loads

RECOVERED_AT = "recovered_at"
"""Where the ledger keeps when it was last completed from Mews, by this machine's clock."""
_KEY = "reconciled"
_REASONS_KEPT = 20


@dataclass(frozen=True, slots=True)
class Trace:
    """One reconciliation. `at`: Mews's time of the read-back, ISO UTC; `orders`: of the source; `reasons`: what is open.

    `mapping`: digest of the mapping folder, waivers included; `stand`: of the ledger that was compared; `page`: the report
    with the certificate, "" where none was asked for.
    """

    is_complete: bool
    at: str
    orders: int
    reasons: tuple[str, ...]
    mapping: str
    stand: str
    page: str = ""


def stand_of(ledger: Ledger) -> str:
    """A text that is another one as soon as a run began or the state of any order was written."""
    counts = {state.value: count for state, count in ledger.counts().items() if count}
    return dumps([counts, ledger.newest_change(), [run.run_id for run in ledger.runs()]])


def keep(url: str, trace: Trace) -> None:
    """Stores the trace. Effects: writes the ledger; where that can't be written, nothing happens."""
    kept = asdict(trace) | {"reasons": list(trace.reasons[:_REASONS_KEPT])}
    # A reconciliation only reads: a ledger on a read-only disk is compared all the same.
    with contextlib.suppress(LedgerError), Ledger.open(url, create=False) as ledger:
        ledger.set_meta(_KEY, dumps(kept))


def last_trace(ledger: Ledger, mapping: str) -> Trace | None:
    """The last reconciliation, if neither ledger nor mapping folder (`mapping`: its digest) has moved since."""
    kept: dict[str, Any] = loads(ledger.meta(_KEY), {})
    if not kept or kept["mapping"] != mapping or kept["stand"] != stand_of(ledger):
        return None
    return Trace(**{**kept, "reasons": tuple(kept["reasons"])})
