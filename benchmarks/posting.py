"""How fast orders are posted, beside dlt and a plain script in the same run: `make bench-post`. Judges nothing.

Each contender posts the same orders to a light Mews without a limit, in a process of its own (`light_mews.py`). Seconds are those
between the second and the last request as the server saw them, CPU that of the contender's process while it posts. Of the
product they are measured around the whole of posting: intents and outcomes on disk, the first order's read-back and the looks
at Mews included, planning left out; the parts are what was at work at every tick of CPU. `--dlt` names a Python that has dlt.
`--limited` posts so many orders as outlet bills at 200/30s, planning included. `--write` writes docs/posting.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import environment_of, generate
from bench_page import table

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "posting.md"


@dataclass(frozen=True)
class Posted:
    """What one contender did. `seconds`: from its second request to its last; `cpu`: of its process, by `parts` where known.

    `server`: CPU seconds of the light Mews; it must not be what binds. `memory`: MiB of the whole command at most.
    """

    name: str
    orders: int
    requests: int
    seconds: float
    cpu: float
    load: float
    largest: int = 0
    whole: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)
    server: float = 0.0
    memory: int = 0

    @property
    def rate(self) -> float:
        """Orders a second."""
        return self.orders / self.seconds if self.seconds else 0.0

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        return (
            self.name,
            f"{self.orders:,}",
            f"{self.requests:,}",
            f"{self.rate:,.0f}",
            f"{1000 * self.cpu / self.orders:.2f} ms",
            f"{1000 * self.server / self.orders:.2f} ms",
            f"{self.orders / self.cpu:,.0f}",
            f"{self.load:.1f}",
        )


TITLES = (
    "posted by",
    "orders",
    "requests",
    "orders a second",
    "CPU an order",
    "the server's",
    "orders a CPU second",
    "load",
)


class Light:
    """A light Mews in a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, str(HERE / "light_mews.py"), str(HERE / "world.json")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self._line()

    def figures(self) -> dict[str, Any]:
        """What it has seen."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def light() -> Iterator[Light]:
    mews = Light()
    try:
        yield mews
    finally:
        mews.end()


def ours(name: str, folder: Path, export: Path, mapping: str) -> Posted:
    """`run` of the product, from a fresh ledger on this disk."""
    ledger = folder / f"{name.replace(' ', '-').replace('/', '-')}.sqlite"
    with light() as mews:
        known = ["--quiet", "--json", "--mappings", mapping, "--ledger", str(ledger)]
        command = [sys.executable, str(Path(__file__).resolve()), "--child", *known, "run", str(export)]
        load, begun = os.getloadavg()[0], time.monotonic()
        done = subprocess.run(
            command, env=environment_of(mews.url), cwd=folder, check=False, capture_output=True, text=True
        )
        whole = time.monotonic() - begun
        seen = mews.figures()
    if done.returncode not in (0, 3):
        raise SystemExit(f"{name}: exit code {done.returncode}\n{done.stderr}")
    told = json.loads(done.stderr.splitlines()[-1])
    document = json.loads(done.stdout)
    counted = document["orders"]
    # Generated orders may fall into the hour that the clocks skip: they are blocked, and nothing of them is sent.
    if not counted["posted"] == counted["read"] - counted["blocked"] == seen["orders"] == seen["distinct"]:
        raise SystemExit(
            f"{name}: {counted}, {document['problems']}, and Mews holds {seen['orders']} ({seen['distinct']} numbers)"
        )
    if counted["blocked"]:
        print(
            f"{name}: {counted['blocked']} of {counted['read']} blocked: {[one['code'] for one in document['problems']]}",
            flush=True,
        )
    return Posted(
        name,
        seen["orders"],
        seen["requests"],
        seen["seconds_after_first"],
        told["cpu"],
        load,
        seen["largest"],
        whole,
        told["parts"],
        seen["cpu"],
        told["memory"],
    )


def rival(name: str, kind: str, python: str, export: Path) -> Posted:
    """A contender of `rivals.py`."""
    with light() as mews:
        load = os.getloadavg()[0]
        command = [python, str(HERE / "rivals.py"), kind, mews.url, str(export)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        seen = mews.figures()
    told = json.loads(done.stdout.splitlines()[-1])
    return Posted(
        name, seen["orders"], seen["requests"], seen["seconds_after_first"], told["cpu"], load, server=seen["cpu"]
    )


def child(arguments: list[str]) -> None:
    """The product's command line, its posting measured: figures as the last line on stderr."""
    from sampler import Sampler

    from etl.cli import main as command
    from etl.pipeline import run as job

    post = job._load  # noqa: SLF001 - the part of a run that posts, and nothing else of it
    figures: dict[str, Any] = {}

    async def measured(*given: Any, **named: Any) -> Any:
        with Sampler() as sampler:
            done = await post(*given, **named)
        figures.update(cpu=sampler.cpu, wall=sampler.wall, parts=sampler.shares())
        return done

    job._load = measured  # noqa: SLF001
    sys.argv = ["centra-mews", *arguments]
    try:
        command()
    finally:
        figures["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps(figures), file=sys.stderr)


def parts(one: Posted) -> list[str]:
    """CPU an order by part, as a table."""
    rows = [f"| {name} | {1000 * seconds / one.orders:.3f} ms |" for name, seconds in one.parts.items()]
    return [f"CPU an order of {one.name}, by part:", "", "| part | CPU an order |", "| --- | ---: |", *rows, ""]


def page(posted: list[Posted], told: list[Posted], limited: Posted | None) -> str:
    """docs/posting.md."""
    lines = [
        "# Posting, measured",
        "",
        (
            "Written by `make bench-post`; nobody edits it. All contenders post the same orders of 5 lines to one kind of server, which has no "
            "limit, costs next to nothing and is a process of its own. Figures are of one run on one machine; hold on to the ratios. "
            "The product writes an intent before and an outcome after every request to a ledger on disk, reads its first order back and "
            "looks at Mews before and after; the others keep no ledger. Planning is left out, as is what the others read before they post."
        ),
        "",
        *table(TITLES, (one.cells for one in posted)),
        "",
    ]
    for one in told:
        lines += parts(one)
    if limited is not None:
        lines += [
            (
                f"At 200 requests in 30 s, {limited.orders:,} orders as outlet bills: {limited.seconds:.0f} s from the first to the last of "
                f"{limited.requests:,} requests, the largest of {limited.largest / 1_048_576:.1f} MiB; {limited.cpu:.0f} s of CPU for posting; the "
                f"whole command, planning included, {limited.whole:.0f} s and {limited.memory:,} MiB; load {limited.load:.1f}."
            ),
            "",
        ]
    lines += [
        f"Machine: {os.cpu_count()} cores, {platform.machine()}, {platform.system()}. Python {platform.python_version()}. {datetime.now(UTC):%Y-%m-%d}.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=3_000, help="0: bills alone")
    parser.add_argument("--bills", type=int, default=20_000)
    parser.add_argument("--limited", type=int, default=0, help="orders as bills at 200/30s")
    parser.add_argument("--dlt", default="", help="a Python that has dlt, pandas and httpx")
    parser.add_argument("--write", action="store_true", help="write docs/posting.md")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    posted: list[Posted] = []

    def add(one: Posted) -> Posted:
        print(
            " | ".join(one.cells),
            *(f"   {1000 * cpu / one.orders:.3f} ms {part}" for part, cpu in one.parts.items()),
            sep="\n",
            flush=True,
        )
        posted.append(one)
        return one

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export, many = folder / "orders.csv", folder / "many.csv"
        told = []
        if options.orders:
            generate(export, options.orders * 5)
            told.append(add(ours("centra-mews, orders/add", folder, export, str(HERE / "mapping"))))
            if options.dlt:
                add(rival("dlt, custom destination", "dlt", options.dlt, export))
            add(rival("pandas and httpx", "script", sys.executable, export))
        if options.bills:
            generate(many, options.bills * 5)
            told.append(add(ours("centra-mews, outlet bills", folder, many, str(HERE / "mapping-outlet"))))
        limited = None
        if options.limited:
            generate(many, options.limited * 5)
            rules = folder / "limited"
            rules.mkdir()
            for file in (HERE / "mapping-outlet").iterdir():
                text = file.read_text(encoding="utf-8").replace("100000/30s", "200/30s")
                (rules / file.name).write_text(text, encoding="utf-8")
            limited = ours("centra-mews, outlet bills at 200/30s", folder, many, str(rules))
            print(" | ".join(limited.cells), f"whole {limited.whole:.0f} s, {limited.memory} MiB", flush=True)
    if options.write:
        PAGE.write_text(page(posted, told, limited), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
    else:
        main()
