"""The plan of an export in this process, against a sandbox whose clock stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

import httpx

from etl.mapping.folder import read_mapping
from etl.mews.api import MewsReader
from etl.mews.limiter import Limiter
from etl.mews.secrets import Tokens
from etl.mews.slots import MemorySlots
from etl.mews.transport import Transport
from etl.pipeline.connect import Link
from etl.pipeline.planning import Span
from etl.pipeline.prepare import Export, Prepared, open_batch, plan_export, reference_online
from etl.sandbox.core import Sandbox
from etl.sandbox.inprocess import SandboxTransport
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN
from etl.sandbox.world_file import load_world

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
ADDRESS = "http://127.0.0.1:1"


class StillClock:
    """A machine whose time stands still."""

    def monotonic(self) -> float:
        return 0.0

    def wall(self) -> datetime:
        return NOW


async def _no_wait(_: float) -> None:
    await asyncio.sleep(0)


def planned(
    stack: ExitStack,
    exports: Sequence[Path],
    mapping_folder: Path,
    world: str,
    *,
    is_fast: bool = False,
    is_sent: bool = False,
    opened: int = 1000,
) -> Prepared:
    """The plan of the exports against a sandbox of that world; it lives as long as `stack`.

    `is_fast`: as a dry run makes it, plain orders by columns, `opened` of which keep their entries; `is_sent`: as a run makes it.
    """
    mapping = read_mapping(mapping_folder)
    export = Export(exports)
    batch, facts = stack.enter_context(open_batch(export, mapping, lambda *_: None))
    mews = Sandbox(replace(load_world(world), limit=None), clock=lambda: NOW, rng=Random(1))

    async def reference() -> Prepared:
        wire = SandboxTransport(mews, clock=lambda: NOW, sleep=_no_wait)
        clock = StillClock()
        async with httpx.AsyncClient(transport=wire) as http:
            limiter = Limiter(10**6, Decimal(1), store=MemorySlots(), clock=clock, sleep=_no_wait)
            tokens = Tokens(CLIENT_TOKEN, ACCESS_TOKEN)
            transport = Transport(address=ADDRESS, tokens=tokens, http=http, limiter=limiter, clock=clock)
            reader = MewsReader(transport, enterprise_id=mapping.settings.target.enterprise_id or None)
            link = Link(ADDRESS, reader, None, limiter, clock)
            return await reference_online(link, mapping, batch, Span())

    known = asyncio.run(reference())
    how = {"is_fast": is_fast, "is_sent": is_sent, "opened": opened}
    return plan_export(stack, batch, facts, mapping, known, span=Span(), progress=lambda *_: None, **how)
