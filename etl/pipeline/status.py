"""The job of `status`: what the ledger holds, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from etl.load.ledger import Ledger
from etl.model.states import State

ERRORS_SHOWN = 10
RUNS_SHOWN = 10
RATE_OVER = timedelta(seconds=60)
IN_DOUBT = (State.REJECTED, State.UNKNOWN, State.DIFFERENT)


def status(ledger_url: str) -> dict[str, Any]:
    """The `status --json` document. Raises LedgerError where there is no ledger."""
    with Ledger.open(ledger_url, create=False, read_only=True) as ledger:
        counts = ledger.counts()
        holder = ledger.holder()
        runs = [run for run in ledger.runs() if run.command in ("run", "undo")]
        now = datetime.now(UTC)
        rate = round(ledger.posted_between(now - RATE_OVER, now) / RATE_OVER.total_seconds(), 2)
        ready = counts.get(State.READY, 0)
        last = runs[-1] if runs else None
        home = ledger.home()
        return {
            "command": "status",
            "ledger": ledger_url,
            "home": None
            if home is None
            else {
                "platform": home.platform,
                "enterprise_id": home.enterprise_id,
                "service_id": home.service_id,
                "store": home.store,
            },
            "orders": _by_state(counts),
            "different": counts.get(State.DIFFERENT, 0),
            "run": None
            if last is None
            else {
                "run_id": last.run_id,
                "started": last.started,
                "state": "running" if holder and last.exit_code is None else _ended(last.exit_code),
                "exit_code": last.exit_code,
                "plan": last.plan_id,
            },
            "runs": [
                {"run_id": one.run_id, "command": one.command, "started": one.started, "exit_code": one.exit_code}
                for one in runs[-RUNS_SHOWN:]
            ],
            "holder": None if holder is None else {"host": holder.holder.host, "pid": holder.holder.pid},
            "rate_per_second": rate,
            "seconds_left": round(ready / rate) if rate and holder else None,
            "last_errors": [
                {"order": order.number, "state": order.state.value, "code": order.code, "message": order.message}
                for order in islice(ledger.orders(IN_DOUBT), ERRORS_SHOWN)
            ],
            "exit_code": 0,
        }


def _by_state(counts: Mapping[State, int]) -> dict[str, int]:
    """Counts by the states of design section 7; `posted` holds every order known to be in Mews."""
    found = {state.value: count for state, count in sorted(counts.items()) if count and state is not State.DIFFERENT}
    if counts.get(State.DIFFERENT):
        found[State.POSTED.value] = found.get(State.POSTED.value, 0) + counts[State.DIFFERENT]
    return found


def _ended(exit_code: int | None) -> str:
    return "did not finish" if exit_code is None else f"ended with exit code {exit_code}"
