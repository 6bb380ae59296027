"""Look-ups by ids of which Mews may refuse one, and with it the whole request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from etl.errors import MewsError

REFUSED_REQUESTS = 40
"""So many refused requests are spent on finding the ids that Mews does not know."""
REFUSED = "mews.refused"
"""Code of a request that Mews refused for what stands in it."""


@dataclass(slots=True)
class Refusals:
    """Counts refused requests, over as many look-ups as it is given to."""

    most: int = REFUSED_REQUESTS
    count: int = 0

    def take(self, error: MewsError) -> None:
        """Counts one. Raises it again where it is none, or one too many: then not the ids are to blame."""
        self.count += 1
        if error.code != REFUSED or self.count > self.most:
            raise error


async def read_by_ids(
    ids: Iterable[str], size: int, read: Callable[[list[str]], Awaitable[None]], refusals: Refusals
) -> None:
    """Has `read` read all ids, at most `size` at once; a batch that Mews refuses is halved until the bad id is alone.

    An id that Mews refuses is left out, as one that it has nothing for. Raises MewsError for every other fault, and
    for more refusals than `refusals` allows.
    """
    unique = list(dict.fromkeys(ids))
    waiting = [unique[start : start + size] for start in range(0, len(unique), size)]
    while waiting:
        batch = waiting.pop()
        try:
            await read(batch)
        except MewsError as error:
            refusals.take(error)
            half = len(batch) // 2
            waiting += [part for part in (batch[:half], batch[half:]) if half]
