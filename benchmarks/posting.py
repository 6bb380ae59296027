"""How fast orders are posted, beside dlt and a plain script in the same run: `make bench-post`. Judges nothing.

Each contender posts the same orders to a light Mews without a limit, in a process of its own (`light_mews.py`), by turns, in several
rounds; the middle one of each is told, with the slowest and the fastest. Seconds are those
between the second and the last request as the server saw them, CPU that of the contender's process while it posts. Of the
product they are measured around the whole of posting: intents and outcomes on disk, the first order's read-back and the looks
at Mews included, planning left out; the parts are what was at work at every tick of CPU. `--dlt` names a Python that has dlt.
`--limited` posts so many orders as outlet bills at 200/30s, planning included, to a server that counts and answers 429. `--write` writes docs/posting.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import environment_of, generate
from bench_page import table

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "posting.md"
ORDERS = "centra-mews, orders/add"
BILLS = "centra-mews, outlet bills"
DLT, PIPELINE = "dlt, its load step alone", "dlt, its pipeline"
LIMIT = "200/30s"
"""With `--limited`; the server answers 429 beyond it."""


@dataclass(frozen=True)
class Posted:
    """What one contender did. `seconds`: from its second request to its last; `cpu`: of its process, by `parts` where known.

    `job`: CPU seconds of the whole, from the export to the last answer, without what a command costs that has nothing to do.
    `server`: CPU seconds of the light Mews; it must not be what binds. `memory`: MiB of the whole command at most.
    `asked`: requests of any kind, `refused` of them with 429.
    """

    name: str
    orders: int
    requests: int
    seconds: float
    cpu: float
    load: float
    job: float = 0.0
    largest: int = 0
    whole: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)
    server: float = 0.0
    memory: int = 0
    asked: int = 0
    refused: int = 0

    @property
    def rate(self) -> float:
        """Orders a second."""
        return self.orders / self.seconds if self.seconds else 0.0

    @property
    def milliseconds(self) -> float:
        """CPU an order."""
        return 1000 * self.cpu / self.orders

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of the table of one run."""
        return row([self])


TITLES = (
    "posted by",
    "orders",
    "requests",
    "orders a second",
    "CPU an order",
    "from the export",
    "the server's",
    "orders a CPU second",
    "load",
)


def row(runs: list[Posted]) -> tuple[str, ...]:
    """The row of the table of several runs of one contender: the middle one, and from which to which."""
    rates, costs = sorted(one.rate for one in runs), sorted(one.milliseconds for one in runs)
    loads = sorted(one.load for one in runs)
    rate, cost = (values[len(values) // 2] for values in (rates, costs))
    first = runs[0]
    jobs = sorted(1000 * one.job / one.orders for one in runs)
    return (
        first.name,
        f"{first.orders:,}",
        f"{first.requests:,}",
        f"{rate:,.0f}" + _span(f"{rates[0]:,.0f}", f"{rates[-1]:,.0f}"),
        f"{cost:.2f} ms" + _span(f"{costs[0]:.2f}", f"{costs[-1]:.2f}"),
        f"{jobs[len(jobs) // 2]:.2f} ms" + _span(f"{jobs[0]:.2f}", f"{jobs[-1]:.2f}") if jobs[0] else "",
        f"{1000 * sum(one.server for one in runs) / sum(one.orders for one in runs):.2f} ms",
        f"{1000 / cost:,.0f}",
        f"{loads[0]:.1f}" + (f" to {loads[-1]:.1f}" if len(loads) > 1 else ""),
    )


def _span(low: str, high: str) -> str:
    return "" if low == high else f" ({low} to {high})"


def middle(runs: list[Posted]) -> Posted:
    """The run that cost neither least nor most."""
    return sorted(runs, key=lambda one: one.cpu)[len(runs) // 2]


class Light:
    """A light Mews in a process of its own."""

    def __init__(self, limit: str) -> None:
        command = [sys.executable, str(HERE / "light_mews.py"), str(HERE / "world.json"), *([limit] if limit else [])]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self._line()

    def figures(self, later: int = 0) -> dict[str, Any]:
        """What it has seen, before so many seconds pass in it at once."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{later}\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def light(limit: str = "") -> Iterator[Light]:
    """`limit`: N/S, beyond which it answers 429."""
    mews = Light(limit)
    try:
        yield mews
    finally:
        mews.end()


def run_child(mews: Light, folder: Path, export: Path, mapping: str) -> subprocess.CompletedProcess[str]:
    """`run` of the product as a process that measures itself, from a fresh ledger on this disk."""
    ledger = Path(tempfile.mkdtemp(dir=folder)) / "ledger.sqlite"
    known = ["--quiet", "--json", "--mappings", mapping, "--ledger", str(ledger)]
    command = [sys.executable, str(Path(__file__).resolve()), "--child", *known, "run", str(export)]
    return subprocess.run(
        command, env=environment_of(mews.url), cwd=folder, check=False, capture_output=True, text=True
    )


def figures_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What it measured: the last line that it wrote to stderr."""
    return json.loads(done.stderr.splitlines()[-1])


def ours(name: str, folder: Path, export: Path, mapping: str, limit: str = "") -> Posted:
    """`run` of the product, from a fresh ledger on this disk."""
    with light(limit) as mews:
        load, begun = os.getloadavg()[0], time.monotonic()
        done = run_child(mews, folder, export, mapping)
        whole = time.monotonic() - begun
        seen = mews.figures()
    if done.returncode not in (0, 3):
        raise SystemExit(f"{name}: exit code {done.returncode}\n{done.stderr}")
    told = figures_of(done)
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
        told["job"] - start(folder, mapping),
        seen["largest"],
        whole,
        told["parts"],
        seen["cpu"],
        told["memory"],
        seen["asked"],
        seen["refused"],
    )


def rival(name: str, kind: str, python: str, export: Path) -> list[Posted]:
    """A contender of `rivals.py`; dlt twice: its load step, and with what comes before it in a pipeline that is given ready bodies."""
    with light() as mews:
        load = os.getloadavg()[0]
        command = [python, str(HERE / "rivals.py"), kind, mews.url, str(export)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        seen = mews.figures()
    told = json.loads(done.stdout.splitlines()[-1])
    if seen["orders"] != seen["distinct"]:
        raise SystemExit(f"{name}: {seen['orders']} orders, {seen['distinct']} numbers")
    one = Posted(
        name,
        seen["orders"],
        seen["requests"],
        seen["seconds_after_first"],
        told["cpu"],
        load,
        told["job"],
        server=seen["cpu"],
    )
    if "pipe_cpu" not in told:
        return [one]
    return [one, replace(one, name=PIPELINE, seconds=told["pipe_wall"], cpu=told["pipe_cpu"])]


@cache
def start(folder: Path, mapping: str) -> float:
    """CPU seconds of a run of three orders: what a command costs before it has anything to do."""
    tiny = folder / "tiny.csv"
    generate(tiny, 3, lines_per_order=1)
    costs = []
    for _ in range(3):
        with light() as mews:
            costs.append(figures_of(run_child(mews, folder, tiny, mapping))["job"])
    return min(costs)


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
        figures["job"] = time.process_time()
        figures["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps(figures), file=sys.stderr)


def parts(one: Posted) -> list[str]:
    """CPU an order by part, as a table."""
    rows = [f"| {name} | {1000 * seconds / one.orders:.3f} ms |" for name, seconds in one.parts.items()]
    return [f"CPU an order of {one.name}, by part:", "", "| part | CPU an order |", "| --- | ---: |", *rows, ""]


def page(posted: dict[str, list[Posted]], told: list[str], limited: Posted | None, dlt: str, note: str) -> str:
    """docs/posting.md. `posted`: the runs by contender; `told`: those whose parts are known; `dlt`: what it ran on; `note`: on this run."""
    lines = [
        "# Posting, measured",
        "",
        (
            "Written by `make bench-post`; nobody edits it. All contenders post the same orders of 5 lines to one kind of server, which has no "
            "limit, costs next to nothing and is a process of its own, by turns, in several rounds: the table has the middle run of each, and "
            "the range. Load is that of the whole machine as a run began: above its count of cores, seconds are shared with others, and CPU "
            "costs more, too. Hold on to the ratios within this page."
        ),
        "",
        (
            "What is compared is not the same work. This program writes an intent to the disk before each request and the outcome after it, "
            "checks the editable window and the rate limit before each byte, reads its first order back, and reads all items back at its end "
            "(in its CPU, not in its orders a second). dlt, with a custom destination that posts, keeps after each batch of 100 orders how far "
            "its file has got, the script of pandas and httpx keeps nothing; neither reads anything back. Started again after a crash, dlt "
            "posts again what it had posted of a batch under way, the script everything; neither was tried here. `CPU an order` is that of "
            "posting: of dlt its load step alone, or with extracting and normalising, without which nothing gets into that step, both given "
            "ready bodies (its pipeline's orders a second count from the first body to the last answer); of the script grouping by pandas and "
            "posting; of this program all but reading and planning. `from the export` is the CPU of the whole job, from the file on disk to the last answer, with "
            "dlt's extracting and normalising, the script's reading, and this program's reading, planning, recording and looks at Mews, less "
            "what loading a program costs (of this one: a run of three orders, the cheapest of three)."
        ),
        "",
        *table(TITLES, (row(runs) for runs in posted.values())),
        "",
    ]
    for name in told:
        lines += parts(middle(posted[name]))
    if limited is not None:
        lines += [
            (
                f"At 200 requests in 30 s, {limited.orders:,} orders as outlet bills: {limited.seconds:.0f} s from the second to the last of "
                f"{limited.requests:,} requests, the largest of {limited.largest / 1_048_576:.1f} MiB; {limited.cpu:.0f} s of CPU for posting; the "
                f"whole command, planning included, {limited.whole:.0f} s and {limited.memory:,} MiB; {limited.refused} of {limited.asked:,} "
                f"requests of any kind were answered 429; load {limited.load:.1f}."
            ),
            "",
        ]
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("httpx", "httpx-aiohttp", "aiohttp", "SQLAlchemy", "pandas")
    )
    lines += [
        (
            f"Machine: {os.cpu_count()} cores, {platform.machine()}, {platform.system()}. Python {platform.python_version()}, "
            f"SQLite {sqlite3.sqlite_version}, {versions}{dlt}. {datetime.now(UTC):%Y-%m-%d}. {note}".rstrip()
        ),
        "",
    ]
    return "\n".join(lines)


def dlt_version(python: str) -> str:
    """dlt and httpx of that Python, for the page; nothing where there is none."""
    if not python:
        return ""
    asked = "import dlt, httpx, pandas; print(f'dlt {dlt.__version__} (httpx {httpx.__version__}, pandas {pandas.__version__})')"
    return ", " + subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=3_000, help="0: bills alone")
    parser.add_argument("--bills", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3, help="of orders/add; bills are posted once")
    parser.add_argument("--limited", type=int, default=0, help="orders as bills at 200/30s")
    parser.add_argument("--dlt", default="", help="a Python that has dlt, pandas and httpx")
    parser.add_argument("--note", default="", help="a sentence about this run, for the page")
    parser.add_argument("--write", action="store_true", help="write docs/posting.md")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    posted: dict[str, list[Posted]] = {}

    def add(one: Posted) -> None:
        print(
            " | ".join(one.cells),
            *(f"   {1000 * cpu / one.orders:.3f} ms {part}" for part, cpu in one.parts.items()),
            sep="\n",
            flush=True,
        )
        posted.setdefault(one.name, []).append(one)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export, many = folder / "orders.csv", folder / "many.csv"
        told = [ORDERS] if options.orders else []
        if options.orders:
            generate(export, options.orders * 5)
        for _ in range(options.rounds if options.orders else 0):
            add(ours(ORDERS, folder, export, str(HERE / "mapping")))
            rivals = rival(DLT, "dlt", options.dlt, export) if options.dlt else []
            for one in (*rivals, *rival("pandas and httpx", "script", sys.executable, export)):
                add(one)
        if options.bills:
            generate(many, options.bills * 5)
            told.append(BILLS)
            add(ours(BILLS, folder, many, str(HERE / "mapping-outlet")))
        limited = None
        if options.limited:
            generate(many, options.limited * 5)
            rules = folder / "limited"
            rules.mkdir()
            for file in (HERE / "mapping-outlet").iterdir():
                text = file.read_text(encoding="utf-8").replace("100000/30s", LIMIT)
                (rules / file.name).write_text(text, encoding="utf-8")
            limited = ours("centra-mews, outlet bills at 200/30s", folder, many, str(rules), LIMIT.removesuffix("s"))
            told_of = (
                f"whole {limited.whole:.0f} s, {limited.memory} MiB, {limited.refused} of {limited.asked} requests 429"
            )
            print(" | ".join(limited.cells), told_of, flush=True)
    if options.write:
        PAGE.write_text(page(posted, told, limited, dlt_version(options.dlt), options.note), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
    else:
        main()
