"""The job of `status`: what the ledger holds, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from etl.ledger.glance import RATE_OVER, glance
from etl.model.ledger_place import is_server, shown
from etl.model.states import State
from etl.pipeline.meter import read_progress, words
from etl.pipeline.workers import Worker, workers_of

RUNS_SHOWN = 10


def status(ledger_url: str) -> dict[str, Any]:
    """The `status --json` document. Raises LedgerError where there is no ledger."""
    now = datetime.now(UTC)
    seen = glance(ledger_url, now)
    workers = _workers(ledger_url)
    living = [one for one in workers if not one.is_gone]
    holder = (living[0].host, living[0].pid) if living else seen.holder
    standing = read_progress(seen.progress) if holder else None
    rate = round(seen.answered / RATE_OVER.total_seconds(), 2)
    ready = seen.counts.get(State.READY, 0)
    last = seen.runs[-1] if seen.runs else None
    home = seen.home
    return {
        "command": "status",
        "ledger": shown(ledger_url),
        "home": None
        if home is None
        else {
            "platform": home["platform"],
            "enterprise_id": home["enterprise_id"],
            "service_id": home["service_id"],
            "store": home["store"],
        },
        "orders": _by_state(seen.counts),
        "different": seen.counts.get(State.DIFFERENT, 0),
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
            for one in seen.runs[-RUNS_SHOWN:]
        ],
        "holder": None if holder is None else {"host": holder[0], "pid": holder[1]},
        "workers": [one.document() for one in living],
        "gone": [one.document() for one in workers if one.is_gone],
        "rate_per_second": rate,
        "seconds_left": round(ready / rate) if rate and holder else None,
        "progress": None
        if standing is None
        else {
            **standing.document(),
            "words": words(standing, now),
            "seconds_old": round((now - standing.at).total_seconds()),
        },
        "last_errors": [
            {"order": one.number, "state": one.state.value, "code": one.code, "message": one.message}
            for one in seen.faults
        ],
        "exit_code": 0,
    }


def _workers(ledger_url: str) -> list[Worker]:
    """Everybody who has a lease of a ledger on a server; a file has one holder, whom the glance saw."""
    if not is_server(ledger_url):
        return []
    from etl.ledger.ledger import Ledger

    with Ledger.open(ledger_url, create=False, read_only=True) as ledger:
        return workers_of(ledger)


def _by_state(counts: Mapping[State, int]) -> dict[str, int]:
    """Counts by the states of design section 7; `posted` holds every order known to be in Mews."""
    found = {state.value: count for state, count in sorted(counts.items()) if count and state is not State.DIFFERENT}
    if counts.get(State.DIFFERENT):
        found[State.POSTED.value] = found.get(State.POSTED.value, 0) + counts[State.DIFFERENT]
    return found


def _ended(exit_code: int | None) -> str:
    return "did not come to its end" if exit_code is None else f"ended with exit code {exit_code}"
