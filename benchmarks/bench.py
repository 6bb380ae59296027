"""Speed and memory of whole commands, as ratios within one run: `make bench`. Judges nothing.

A ratio holds CPU seconds of a command (user and system, less those of one on three rows: its start) against those of a
bare `csv.reader` over the same file, measured right before and after it: that is the same on a busy machine and on a quiet
one. `--write` writes docs/benchmarks.md with a plot. Dry runs of generated lines by columns and by the rules, with odd
orders, with scattered rows, with the report; run against the sandbox without a request limit; and where ../shared/data is
present the whole real year.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path

from etl.sandbox.server import running_sandbox
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
YEAR = HERE.parents[1] / "shared" / "data" / "online-retail-2010-2011.csv.gz"
YEAR_LINES = 539_719
STATUS, HELP = "status", "--help"
_NUMBERS = count(1)


@dataclass(frozen=True)
class Run:
    """What one command took: seconds, MiB at its peak, exit code."""

    wall: float
    cpu: float
    peak: float
    code: int


@dataclass(frozen=True)
class Measured:
    """A command over `lines` lines. `start`: its CPU seconds on three rows; `bare`: those of csv.reader over its file."""

    name: str
    lines: int
    run: Run
    start: float
    bare: float

    @property
    def work(self) -> float:
        """CPU seconds without the start."""
        return max(0.001, self.run.cpu - self.start)

    @property
    def passes(self) -> float:
        """The work in passes of csv.reader."""
        return self.work / self.bare

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        return (
            self.name,
            f"{self.lines:,}",
            f"{self.passes:.1f}",
            f"{self.lines / self.work:,.0f}",
            f"{self.start:.1f} s",
            f"{self.run.wall:.1f} s",
            f"{self.run.peak:.0f} MiB",
        )


TITLES = ("dry-run of", "lines", "passes of csv.reader", "lines a CPU second", "start", "time", "peak memory")


class Bench:
    """Runs commands in `folder` against the Mews at `url`."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.tiny = folder / "tiny.csv"
        generate(self.tiny, 3, lines_per_order=3)

    def run(self, *arguments: str, plan: str = "", ledger: str = "") -> Run:
        """One command. `plan`: "rules" leaves columns out."""
        environment = {**environment_of(self.url), "CENTRA_MEWS_PLAN": plan}
        known = ["--mappings", str(HERE / "mapping"), "--ledger", ledger or f"ledger-{next(_NUMBERS)}.sqlite"]
        command = [sys.executable, "-m", "etl", "--quiet", *known, *arguments]
        started = time.monotonic()
        process = subprocess.Popen(command, env=environment, cwd=self.folder, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - started
        return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode)

    def dry_run(self, name: str, export: Path, lines: int, *more: str, plan: str = "") -> Measured:
        """A dry run with a ledger of its own, held against csv.reader before and after it."""
        starts = [self.run("dry-run", str(self.tiny), plan=plan).cpu]
        bare = [bare_pass(export)]
        done = self.run("dry-run", str(export), *more, plan=plan)
        bare.append(bare_pass(export))
        starts.append(self.run("dry-run", str(self.tiny), plan=plan).cpu)
        # The quicker of both: what others do on the machine makes a start longer, and would make the work look less.
        found = Measured(name, lines, done, min(starts), min(bare))
        print(" | ".join(found.cells), f"| exit {done.code}", flush=True)
        return found


def environment_of(url: str) -> dict[str, str]:
    """Of a command that goes to the Mews at `url`, and nothing else of this process's."""
    return {
        "PATH": os.environ["PATH"],
        "MEWS_PLATFORM_ADDRESS": url,
        "MEWS_CLIENT_TOKEN": CLIENT_TOKEN,
        "MEWS_ACCESS_TOKEN": ACCESS_TOKEN,
    }


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table whose columns are figures, but for the first."""
    rule = ("---", *(["---:"] * (len(titles) - 1)))
    return [f"| {' | '.join(row)} |" for row in (titles, rule, *rows)]


def generate(path: Path, lines: int, *, lines_per_order: int = 5, shuffled: bool = False, odd: float = 0) -> int:
    """Writes an export in a process of its own: the peak memory of a command counts that of who started it."""
    options = f"lines_per_order={lines_per_order}, shuffled={shuffled}, odd={odd}"
    call = f"print(generate.write(pathlib.Path({str(path)!r}), {lines}, {options}))"
    done = subprocess.run(
        [sys.executable, "-c", f"import generate, pathlib; {call}"],
        cwd=HERE,
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout)


def bare_pass(path: Path) -> float:
    """CPU seconds of a process that does nothing but read the rows with `csv.reader`, the better of two passes."""
    script = (
        "import csv, gzip, sys, time; path = sys.argv[1]; opener = gzip.open if path.endswith('.gz') else open\n"
        "for _ in range(2):\n"
        "    start = time.process_time(); file = opener(path, 'rt', newline='', encoding='utf-8')\n"
        "    count = sum(1 for _ in csv.reader(file)); print(time.process_time() - start)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True)
    return min(map(float, done.stdout.split()))


def dry_runs(bench: Bench, lines: int, large: Sequence[int]) -> Iterator[Measured]:
    """The dry runs of the table."""
    folder = bench.folder
    plain, share = folder / "plain.csv", {}
    generate(plain, lines)
    yield bench.dry_run("plain orders of 5 lines", plain, lines)
    yield bench.dry_run("plain orders of 5 lines, by the rules", plain, lines, plan="rules")
    yield bench.dry_run("plain orders of 5 lines, with the report", plain, lines, "--report", str(folder / "report"))
    for odd in (5, 20):
        share[odd] = folder / f"odd-{odd}.csv"
        generate(share[odd], lines, odd=odd / 100)
        yield bench.dry_run(f"5 lines an order, {odd} % odd orders", share[odd], lines)
    scattered = folder / "scattered.csv"
    generate(scattered, lines, shuffled=True)
    yield bench.dry_run("plain orders of 5 lines, rows scattered", scattered, lines)
    for size in large:
        generate(scattered, size, shuffled=True)
        yield bench.dry_run("plain orders of 5 lines, rows scattered", scattered, size)
    if YEAR.exists():
        yield bench.dry_run("a real year, 21 lines an order", YEAR, YEAR_LINES)


def starts(bench: Bench) -> list[tuple[str, float]]:
    """CPU seconds of commands that answer at once, beside a Python that does nothing."""
    bench.run("dry-run", str(bench.tiny), ledger="known.sqlite")
    calls = {"python -c pass": ["-c", "pass"], HELP: ["-m", "etl", "--help"]}
    found = []
    for name, call in calls.items():
        process = subprocess.Popen([sys.executable, *call], cwd=bench.folder, stdout=subprocess.DEVNULL)
        usage = os.wait4(process.pid, 0)[2]
        process.returncode = 0
        found.append((name, usage.ru_utime + usage.ru_stime))
    return [*found, (STATUS, bench.run("status", ledger="known.sqlite").cpu)]


def posting(folder: Path, orders: int) -> str:
    """A run against a sandbox of its own, in a sentence."""
    export = folder / "run.csv"
    generate(export, orders * 5)
    with running_sandbox(str(HERE / "world.json")) as mews:
        done = Bench(mews.url, folder).run("run", str(export))
        held, twice = len(mews.sandbox.orders), len(mews.sandbox.duplicates())
    return (
        f"run of {orders:,} orders of 5 lines, 32 at once: {done.wall:.1f} s, {orders / done.wall:,.0f} orders a second, "
        f"{done.peak:.0f} MiB, exit code {done.code}; the sandbox holds {held:,} orders, {twice} twice."
    )


def plot(measured: Sequence[Measured]) -> str:
    """The passes as bars, in SVG."""
    height, left, widest = 26, 330, 380
    most = max(one.passes for one in measured)
    rows = []
    for at, one in enumerate(measured):
        y = at * height
        wide = widest * one.passes / most
        name = f"{one.name}, {one.lines:,}"
        rows.append(f'<text x="{left - 8}" y="{y + 17}" text-anchor="end">{name}</text>')
        rows.append(f'<rect x="{left}" y="{y + 4}" width="{wide:.1f}" height="{height - 8}" fill="#3b6ea5"/>')
        rows.append(f'<text x="{left + wide + 6:.1f}" y="{y + 17}">{one.passes:.1f}</text>')
    size = f'viewBox="0 0 {left + widest + 60} {len(measured) * height + 4}"'
    style = 'font-family="sans-serif" font-size="12"'
    title = "<title>CPU of dry runs in passes of csv.reader over the same file</title>"
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{title}{"".join(rows)}</svg>\n'


def page(measured: Sequence[Measured], started: Sequence[tuple[str, float]], posted: str, load: float) -> str:
    """docs/benchmarks.md."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("SQLAlchemy", "pydantic", "httpx", "structlog"))
    return "\n".join(
        [
            "# Benchmarks",
            "",
            (
                "Written by `make bench`; nobody edits it. Figures are of one run, on one machine, and no promise. What to hold on to "
                "are the passes: CPU seconds of the command, without its start, in passes of a bare `csv.reader` over the same file "
                "in the same run."
            ),
            "",
            *table(TITLES, (one.cells for one in measured)),
            "",
            "![CPU of dry runs in passes of csv.reader](benchmarks.svg)",
            "",
            (
                "Odd orders are with a voucher, cancelled, without an amount of shipping, with a total that does not foot, returns, "
                "with lines taken back or without names, in equal parts."
            ),
            "",
            f"A {posted}",
            "",
            "CPU of what answers at once: " + ", ".join(f"`{name}` {cpu:.2f} s" for name, cpu in started) + ".",
            "",
            (
                f"Machine: {os.cpu_count()} cores, {platform.machine()}, {platform.system()}; load {load:.1f} when it began. "
                f"Python {platform.python_version()}, {versions}. {datetime.now(UTC):%Y-%m-%d}."
            ),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--large", type=int, nargs="*", default=[1_000_000], help="sizes for memory, rows scattered")
    parser.add_argument("--orders", type=int, default=2_000)
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md and its plot")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    load = os.getloadavg()[0]
    print(" | ".join(TITLES))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_sandbox(str(HERE / "world.json")) as mews:
            bench = Bench(mews.url, folder)
            measured = list(dry_runs(bench, options.lines, options.large))
            started = starts(bench)
        posted = posting(folder, options.orders)
    print(posted, *(f"{name}: {cpu:.3f} s CPU" for name, cpu in started), sep="\n")
    if options.write:
        (DOCS / "benchmarks.md").write_text(page(measured, started, posted, load), encoding="utf-8")
        (DOCS / "benchmarks.svg").write_text(plot(measured), encoding="utf-8")


if __name__ == "__main__":
    main()
