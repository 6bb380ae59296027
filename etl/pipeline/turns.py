"""What several runs of one plan do one after the other, or once for all: taking the plan in, and the canary.

Rule: design section 10. Alone, or on a file, every turn is ours at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import simplejson

from etl.errors import LedgerError, StoppedError
from etl.ledger.ledger import Ledger
from etl.ledger.lock import LockLost

BEGIN = "begin"
CANARY = "canary"
POLL = 0.5
_VERDICT = "canary_of"

Sleep = Callable[[float], Awaitable[None]]


@asynccontextmanager
async def in_turn(
    ledger: Ledger, name: str, sleep: Sleep, is_over: Callable[[], bool] = lambda: False
) -> AsyncIterator[bool]:
    """Waits until no other run is within, or until `is_over`. Shape: whether it had to wait."""
    waited = False
    while not (is_mine := ledger.take_turn(name)) and not is_over():
        waited = True
        # One that died within gives nothing back; what it had under way settles once this run begins.
        ledger.bury()
        await sleep(POLL)
    try:
        yield waited
    except BaseException:
        # Why it ended is what is to be told; the turn ends with the lease.
        with suppress(LedgerError):
            ledger.give_turn(name)
        raise
    if is_mine:
        with suppress(LockLost):
            ledger.give_turn(name)


def keep_verdict(ledger: Ledger, plan_id: str, stop: StoppedError | None) -> None:
    """The canary of one run is that of all that are at work with it."""
    if ledger.is_shared:
        said = {
            "plan": plan_id,
            "worker": ledger.token,
            "message": stop.message if stop else "",
            "hint": stop.hint if stop else "",
        }
        ledger.set_meta(_VERDICT, simplejson.dumps(said))


def verdict_of_others(ledger: Ledger, plan_id: str, *, waited: bool) -> tuple[bool, StoppedError | None]:
    """Shape: whether another run of this plan looked at its first orders, and why nobody goes on, if so.

    `waited`: this run stood waiting for it, so that its word counts also where it has ended since.
    """
    found = simplejson.loads(ledger.meta(_VERDICT) or "{}") if ledger.is_shared else {}
    is_known = found.get("plan") == plan_id and found["worker"] != ledger.token
    if not is_known or not (waited or ledger.is_at_work(found["worker"])):
        return False, None
    if not found["message"]:
        return True, None
    return True, StoppedError(found["message"], code="run.canary", hint=found["hint"])
