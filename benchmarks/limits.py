"""How much of the window is used, with what latency, by how many processes: `python benchmarks/limits.py`. Judges nothing.

Reads of the configuration against a real sandbox server that counts strictly and answers late. The share is what arrived
between the ends of the first and the last window that a process filled, of what these windows allow. CPU is that of the
clients alone, in shares of a core over their whole time, waiting included.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from etl.mews.clock import SystemClock
from etl.mews.http import http_client
from etl.mews.limiter import Limiter
from etl.mews.secrets import Tokens
from etl.mews.slot_file import FOLDER, shared_slots
from etl.mews.transport import Transport
from etl.sandbox.faults import parse_fault
from etl.sandbox.server import running_sandbox
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN
from etl.sandbox.world_file import load_world

CONCURRENCY = 8
CASES = [(200, "3", 0.0, 1), (200, "3", 0.1, 1), (200, "3", 0.0, 2)]
LONG = [(200, "30", 0.0, 1), (200, "30", 0.1, 1), (200, "30", 1.0, 1)]
WINDOWS = 5


async def client(url: str, count: int, seconds: str, beside: str) -> None:
    """Reads until the windows are over."""
    clock, tokens = SystemClock(), Tokens(CLIENT_TOKEN, ACCESS_TOKEN)
    store = shared_slots(url, tokens.key, clock=clock, beside=Path(beside))
    limiter = Limiter(count, Decimal(seconds), store=store, clock=clock)
    end = clock.monotonic() + WINDOWS * float(seconds) + 1
    async with http_client(100, CONCURRENCY) as http:
        transport = Transport(address=url, tokens=tokens, http=http, limiter=limiter, clock=clock)

        async def worker() -> None:
            while clock.monotonic() < end:
                await transport.send("configuration/get", {})

        began, cpu = time.monotonic(), time.process_time()
        await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    limiter.close()
    print((time.process_time() - cpu) / (time.monotonic() - began))


def measure(count: int, seconds: str, latency: float, processes: int) -> str:
    """One row of the table."""
    world = replace(load_world("gross-uk"), limit=(count, float(seconds)))
    faults = [parse_fault(f"slow:1:seconds={latency}:on=all")] if latency else []
    with tempfile.TemporaryDirectory() as folder, running_sandbox(world, faults=faults) as running:
        asked = [running.url, str(count), seconds]
        environment = {**os.environ, FOLDER: folder}
        clients = [
            subprocess.Popen(
                [sys.executable, __file__, *asked, f"{folder}/ledger-{number}"],
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(processes)
        ]
        cpu = sum(float(one.communicate()[0]) for one in clients)
        log = running.sandbox.requests("configuration/get", 200)
        refused = len(running.sandbox.requests(status=429))
    arrived = [(one.moment - log[0].moment).total_seconds() for one in log]
    last = (len(arrived) - 1) // count * count
    share = (last / count - 1) * float(seconds) / (arrived[last] - arrived[count])
    return f"| {count}/{seconds}s | {latency * 1000:.0f} ms | {processes} | {share:.1%} | {refused} | {cpu:.1%} |"


def main() -> None:
    """The table, on stdout; `--long` takes minutes more."""
    print("| limit | latency | processes, each with a ledger | of the window | 429 | of a core |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for case in CASES + (LONG if "--long" in sys.argv else []):
        print(measure(*case), flush=True)
    print(f"\nLoad {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    if len(sys.argv) == 5:
        asyncio.run(client(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))
    else:
        main()
