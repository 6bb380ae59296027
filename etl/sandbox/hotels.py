"""One server, many access tokens: a Mews as a group of hotels meets it, with a limit for each token.

Every token reaches a hotel of its own: the same world, with orders, requests, faults and an enterprise id of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from html import escape
from pathlib import Path
from random import Random
from typing import Protocol
from uuid import UUID

from etl.sandbox.core import Answer, Sandbox, steady_clock
from etl.sandbox.faults import Fault
from etl.sandbox.world import World


class Mews(Protocol):
    """What a server asks of a sandbox, or of several behind one address."""

    @property
    def largest_body(self) -> int:
        """Bytes of a request that are kept."""
        ...

    @property
    def clock(self) -> Callable[[], datetime]:
        """The machine's time."""
        ...

    def handle(
        self, path: str, body: bytes, arrived: datetime | None = None, *, method: str = ..., content_type: str = ...
    ) -> Answer:
        """The answer to one request."""
        ...

    def settle(self, now: datetime | None = None) -> int:
        """Carries out what is due."""
        ...

    def next_due(self) -> datetime | None:
        """When something is due next."""
        ...

    def page(self) -> str:
        """The page that shows what was posted."""
        ...


class Hotels:
    """All hotels of a world with several access tokens, by token; `all` in the order of the tokens."""

    def __init__(
        self,
        world: World,
        clock: Callable[[], datetime] | None = None,
        rng: Random | None = None,
        state_path: str | Path | None = None,
        *,
        faults: Iterable[Fault] = (),
        seed: int = 0,
    ) -> None:
        self.clock = clock or steady_clock()
        self.largest_body = world.largest_body
        source, given = rng or Random(), tuple(faults)  # noqa: S311 - ids, not secrets
        self._by_token: Mapping[str, Sandbox] = {
            each.access_token: Sandbox(
                each,
                self.clock,
                source if not number else Random(source.getrandbits(64)),  # noqa: S311
                state_path if not number or state_path is None else f"{state_path}.{number + 1}",
                faults=given,
                seed=seed + number,
            )
            for number, each in enumerate(worlds(world))
        }
        self.all = tuple(self._by_token.values())

    def handle(
        self,
        path: str,
        body: bytes,
        arrived: datetime | None = None,
        *,
        method: str = "POST",
        content_type: str = "application/json",
    ) -> Answer:
        """The answer of the hotel whose access token the request has; the first one refuses what has none of them."""
        hotel = self.all[0]
        if len(self.all) > 1:
            hotel = self._by_token.get(_token(body), hotel)
        return hotel.handle(path, body, arrived, method=method, content_type=content_type)

    def settle(self, now: datetime | None = None) -> int:
        """Commit what is due by `now` in every hotel; the count of requests that were carried out."""
        return sum(each.settle(now) for each in self.all)

    def next_due(self) -> datetime | None:
        """When the next delayed commit of any hotel lands."""
        return min((due for each in self.all if (due := each.next_due()) is not None), default=None)

    def page(self) -> str:
        """The page of the hotel; of several a row for each: what it holds, and how it answered."""
        if len(self.all) == 1:
            return self.all[0].page()
        rows = "".join(
            f"<tr><td>{escape(each.world.enterprise.name)}<td>{len(each.orders)}<td>{len(each.outlets.bills)}"
            f"<td>{len(each.duplicates())}<td>{sum(each.statuses.values())}<td>{each.statuses[429]}\n"
            for each in self.all
        )
        head = "<tr><th>Hotel<th>Orders<th>Outlet bills<th>Duplicates<th>Requests<th>Answered 429\n"
        title = escape(f"Sandbox {self.all[0].world.name}: {len(self.all)} hotels")
        return f'<!doctype html><meta charset="utf-8"><title>{title}</title><h1>{title}</h1>\n<table>\n{head}{rows}</table>\n'

    def close(self) -> None:
        """Close the state files."""
        for each in self.all:
            each.close()


def worlds(world: World) -> Iterable[World]:
    """The world of each of its tokens, the first as it is."""
    yield replace(world, access_tokens=())
    for number, token in enumerate(world.access_tokens, 2):
        enterprises = [
            replace(each, id=str(UUID(int=UUID(each.id).int + (number << 16))), name=f"{each.name} {number}")
            for each in world.enterprises.values()
        ]
        yield replace(world, access_token=token, access_tokens=(), enterprises={each.id: each for each in enterprises})


def _token(body: bytes) -> str:
    """The access token of a request, "" where none can be read."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    token = found.get("AccessToken") if isinstance(found, dict) else None
    return token if isinstance(token, str) else ""
