"""What several runs of one plan need of a ledger on a server: orders in hand, turns, and the dead buried.

Rule: design section 10. On a file there is one writer, who has everything in hand: each method then says so at no cost.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Select, bindparam, select, update

from etl.ledger import leases, schema
from etl.ledger.faults import translated
from etl.ledger.holder import is_alive, this_process
from etl.ledger.records import RECOVERED_RUN
from etl.ledger.steps import Steps
from etl.ledger.store import LedgerStore
from etl.ledger.unit_of_work import SELECT_META, chunks
from etl.model.states import State

_UNFINISHED = (State.READY.value, State.IN_FLIGHT.value, State.UNKNOWN.value)
_IDLE = (State.READY.value, State.UNKNOWN.value)
_ORDERS, _WORKERS = schema.orders, schema.workers
_WORKER = select(_WORKERS.c.token).where(_WORKERS.c.token == bindparam("token"))


class LedgerSharing(LedgerStore):
    """Orders in hand, and turns."""

    def share_plan(self, plan_id: str) -> None:
        """Says which plan this run posts. Raises LedgerError `ledger.locked` where others post another one."""
        if self.is_shared:
            with self.transaction() as connection:
                leases.share_plan(connection, self._token, plan_id)

    def bury(self) -> bool:
        """What workers that are gone had under way is in doubt. Shape: whether `start_settling` has to follow.

        Their other orders are anybody's. Whoever buried somebody may have died before saying since when that settles.
        """
        if not self.is_shared:
            return False
        with self.transaction() as connection:
            self.verify_lock(connection)
            steps = Steps(connection, self._wall())
            self._writers.bury(connection, steps, this_process(), is_alive)
            steps.save()
            return steps.has_unsettled_orphans()

    def claim(self, numbers: Iterable[str]) -> dict[str, bool]:
        """Takes in hand what nobody has. Shape: by number, of those not in this worker's hand, whether others are at it.

        False: there is nothing to be done, or somebody else decided already.
        """
        if not self.is_shared:
            return {}
        wanted = list(dict.fromkeys(numbers))
        left = dict.fromkeys(wanted, False)
        with self.transaction() as connection:
            self.verify_lock(connection)
            for chunk in chunks(wanted):
                free = (
                    select(_ORDERS.c.number)
                    .where(_ORDERS.c.number.in_(chunk))
                    .where((_ORDERS.c.state != State.POSTED.value) | (_ORDERS.c.posted_run_id == RECOVERED_RUN))
                    .where(_ORDERS.c.claim.not_in(self._others()))
                    .order_by(_ORDERS.c.number)
                    .with_for_update(skip_locked=True)
                )
                taken = update(_ORDERS).where(_ORDERS.c.number.in_(free)).values(claim=self._token)
                for number in connection.scalars(taken.returning(_ORDERS.c.number)):
                    del left[number]
                for number in connection.scalars(
                    select(_ORDERS.c.number).where(_ORDERS.c.number.in_(list(left)), _ORDERS.c.state.in_(_UNFINISHED))
                ):
                    left[number] = True
        return left

    def let_go(self, kept: Iterable[str]) -> None:
        """Of what this worker has in hand and has not decided, only `kept` stays in it. Nothing of it is under way."""
        if not self.is_shared:
            return
        with self.transaction() as connection:
            self.verify_lock(connection)
            mine = select(_ORDERS.c.number).where(_ORDERS.c.claim == self._token, _ORDERS.c.state.in_(_IDLE))
            free = sorted(set(connection.scalars(mine)).difference(kept))
            for chunk in chunks(free):
                connection.execute(
                    update(_ORDERS)
                    .where(_ORDERS.c.number.in_(chunk), _ORDERS.c.claim == self._token, _ORDERS.c.state.in_(_IDLE))
                    .values(claim="")
                )

    def elsewhere(self, numbers: Iterable[str]) -> frozenset[str]:
        """Those of the orders that another worker has in hand."""
        if not self.is_shared:
            return frozenset()
        found: set[str] = set()
        for chunk in chunks(numbers):
            query = select(_ORDERS.c.number).where(_ORDERS.c.number.in_(chunk), _ORDERS.c.claim.in_(self._others()))
            with translated(self._where):
                found.update(self._read().scalars(query))
        return frozenset(found)

    def take_turn(self, name: str) -> bool:
        """Whether this worker alone may do what is done once for all; it may until it gives the turn back, or is gone."""
        if not self.is_shared:
            return True
        with self.transaction() as connection:
            self.verify_lock(connection)
            leases.serialize(connection, "turns")
            holder = connection.scalar(SELECT_META, {"key": f"turn:{name}"})
            if holder and holder != self._token and connection.scalar(_WORKER, {"token": holder}):
                return False
            Steps(connection, self._wall()).meta(f"turn:{name}", self._token)
        return True

    def give_turn(self, name: str) -> None:
        """Others may do it now."""
        if self.is_shared:
            with self.transaction() as connection:
                self.verify_lock(connection)
                Steps(connection, self._wall()).meta(f"turn:{name}", "")

    def is_at_work(self, token: str) -> bool:
        """Whether a worker has not left yet."""
        return self.is_shared and self._scalar(_WORKER, token=token) is not None

    def _others(self) -> Select[tuple[str]]:
        """What the other workers are known by."""
        return select(_WORKERS.c.token).where(_WORKERS.c.token != self._token)

    @property
    def token(self) -> str:
        """What this worker is known by."""
        return self._token
