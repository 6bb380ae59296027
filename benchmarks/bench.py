"""Speed and memory of whole commands, as ratios within one run: `make bench`. Judges nothing.

A ratio holds CPU seconds of a command (user and system, less those of the same command on three rows: its start) against those
of a bare `csv.reader` over the same file, measured right before and after it: that is the same on a busy machine and on a quiet
one. `--write` writes docs/benchmarks.md with a plot (`bench_page.py`). Dry runs of generated lines by columns and by the rules,
with odd orders, with scattered rows, with the report, of sizes that tell what memory grows with; a run over a history that is
posted; conversion between tax bases; run against the sandbox without a request limit; and where ../shared/data is present the
whole real year. `--only WORD` measures some rows, and the page keeps the others with their dates.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

from bench_page import CONVERSION, MEMORY, PASSES, POSTING, REPORT, STARTS, Book, Row

from etl.sandbox.server import running_sandbox
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN

HERE = Path(__file__).parent
YEAR = HERE.parents[1] / "shared" / "data" / "online-retail-2010-2011.csv.gz"
YEAR_LINES = 539_719
BARE, STATUS, HELP = "python -c pass", "status", "--help"
SMALL = 200_000
"""Lines of exports that are kept for other rows."""
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
    def cells(self) -> list[str]:
        """The row of the table, without its name."""
        return [
            f"{self.lines:,}",
            f"{self.passes:.1f}",
            f"{self.lines / self.work:,.0f}",
            f"{self.start:.1f} s",
            f"{self.run.cpu:.1f} s",
            f"{self.run.wall:.1f} s",
            f"{self.run.peak:.0f} MiB",
        ]


@dataclass(frozen=True)
class Posted:
    """Where a history was posted to, and the ledger that knows it."""

    url: str
    ledger: str


class Bench:
    """Runs commands in `folder` against the Mews at `url`."""

    def __init__(
        self, url: str, folder: Path, exports: Exports, stack: ExitStack, mapping: Path = HERE / "mapping"
    ) -> None:
        self.url, self.folder, self.exports, self._stack, self._mapping = url, folder, exports, stack, mapping
        self._posted: dict[Path, Posted] = {}
        self.tiny = folder / "tiny.csv"
        generate(self.tiny, 3, lines_per_order=3)

    def run(self, *arguments: str, plan: str = "", ledger: str = "") -> Run:
        """One command. `plan`: "rules" leaves columns out."""
        environment = {**environment_of(self.url), "CENTRA_MEWS_PLAN": plan}
        known = ["--mappings", str(self._mapping), "--ledger", ledger or f"ledger-{next(_NUMBERS)}.sqlite"]
        command = [sys.executable, "-m", "etl", "--quiet", *known, *arguments]
        started = time.monotonic()
        process = subprocess.Popen(command, env=environment, cwd=self.folder, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - started
        return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode)

    def dry_run(self, export: Path, lines: int, *more: str, plan: str = "") -> Measured:
        """A dry run with a ledger of its own, held against csv.reader before and after it."""
        return self.measured(export, lines, "dry-run", *more, plan=plan)

    def without_tax(self, pricing: str) -> Bench:
        """The same for prices without tax, in an enterprise with that pricing."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        mapping = Path(shutil.copytree(HERE / "mapping", folder / "mapping"))
        settings = mapping / "migration.toml"
        text = settings.read_text("utf-8")
        settings.write_text(text.replace("prices_include_tax = true", "prices_include_tax = false"), "utf-8")
        world = folder / "world.json"
        world.write_text(json.dumps(json.loads((HERE / "world.json").read_text("utf-8")) | {"pricing": pricing}))
        mews = self._stack.enter_context(running_sandbox(str(world)))
        return Bench(mews.url, self.folder, self.exports, self._stack, mapping)

    def posted(self, export: Path) -> Posted:
        """A light Mews that holds the orders of an export, posted once. Raises SystemExit where they can't be."""
        from posting import light  # which measures by what is here

        if export not in self._posted:
            mews = self._stack.enter_context(light())
            ledger = f"posted-{next(_NUMBERS)}.sqlite"
            there = Bench(mews.url, self.folder, self.exports, self._stack)
            for _ in range(2):
                # The second run still looks back at what the first has sent; those after it have no reason to.
                done = there.run("run", str(export), ledger=ledger)
                if done.code not in (0, 3):
                    raise SystemExit(f"the run of {export.name} ended with exit code {done.code}")
                mews.figures(later=3600)
            self._posted[export] = Posted(mews.url, ledger)
        return self._posted[export]

    def measured(self, export: Path, lines: int, command: str, *more: str, plan: str = "") -> Measured:
        """A command held against csv.reader and its own start on three rows, both before and after it."""
        return held_against(
            export,
            lines,
            lambda: self.run(command, str(self.tiny), *more, plan=plan),
            lambda: self.run(command, str(export), *more, plan=plan),
        )

    def again(self, export: Path, lines: int, command: str) -> Measured:
        """A command over orders that are all posted; its start is that over three rows that are posted as well."""

        def once(its: Path) -> Run:
            there = self.posted(its)
            other = Bench(there.url, self.folder, self.exports, self._stack)
            return other.run(command, str(its), ledger=there.ledger)

        self.posted(self.tiny)
        self.posted(export)
        return held_against(export, lines, lambda: once(self.tiny), lambda: once(export))


def held_against(export: Path, lines: int, start: Callable[[], Run], whole: Callable[[], Run]) -> Measured:
    """A command, its start on a few rows, and csv.reader over its file. Raises SystemExit where it fails."""
    starts = [start().cpu]
    bare = [bare_pass(export)]
    done = whole()
    if done.code not in (0, 3):
        raise SystemExit(f"{export.name}: exit code {done.code}")
    bare.append(bare_pass(export))
    starts.append(start().cpu)
    # The quicker of both: what others do on the machine makes a start longer, and would make the work look less.
    return Measured(lines, done, min(starts), min(bare))


def environment_of(url: str) -> dict[str, str]:
    """Of a command that goes to the Mews at `url`, and of this process's own what says which program is measured."""
    return {
        **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
        "MEWS_PLATFORM_ADDRESS": url,
        "MEWS_CLIENT_TOKEN": CLIENT_TOKEN,
        "MEWS_ACCESS_TOKEN": ACCESS_TOKEN,
    }


def generate(
    path: Path,
    lines: int,
    *,
    lines_per_order: int = 5,
    shuffled: bool = False,
    odd: float = 0,
    net: bool = False,
) -> int:
    """Writes an export in a process of its own: the peak memory of a command counts that of who started it."""
    options = f"lines_per_order={lines_per_order}, shuffled={shuffled}, odd={odd}, net={net}"
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


class Exports:
    """Generated exports in `folder`, each made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, lines: int, *, shuffled: bool = False, odd: int = 0, net: bool = False) -> Path:
        """One of orders of 5 lines, `odd` percent of them odd; `net`: of prices without tax."""
        path = self._folder / f"export-{lines}-{shuffled}-{odd}-{net}.csv"
        if not path.exists():
            generate(path, lines, shuffled=shuffled, odd=odd / 100, net=net)
        return path

    def drop(self, path: Path) -> None:
        """Makes room: a million lines are 130 MB."""
        path.unlink(missing_ok=True)


def planning(bench: Bench, lines: int, how: str) -> Measured:
    """A dry run of plain orders; `how` says what is special of it, in the words of the table."""
    odd = int(found[1]) if (found := re.search(r"(\d+) % odd", how)) else 0
    net = re.search(r"without tax into (gross|net)", how)
    if net:
        bench = bench.without_tax(net[1].title())
    export = bench.exports.of(lines, shuffled="scattered" in how, odd=odd, net=bool(net))
    report = ["--report", str(bench.folder / f"report-{next(_NUMBERS)}")] if "report" in how else []
    done = bench.dry_run(export, lines, *report, plan="rules" if "by the rules" in how else "")
    if lines > SMALL:
        bench.exports.drop(export)
    return done


def year(bench: Bench, *, has_report: bool) -> Measured:
    """A dry run of the real year."""
    more = ["--report", str(bench.folder / "report-year")] if has_report else []
    return bench.dry_run(YEAR, YEAR_LINES, *more)


def again(bench: Bench, lines: int, command: str) -> Measured:
    """A command over a history that a run has posted, to a light Mews: it finds everything done."""
    return bench.again(bench.exports.of(lines), lines, command)


def begun(bench: Bench, lines: int, plan: str) -> Measured:
    """A run that plans and records all orders and sends one, each to a sandbox of its own. `plan` as of `Bench.run`."""
    export = bench.exports.of(lines)

    def once(its: Path) -> Run:
        with running_sandbox(str(HERE / "world.json")) as mews:
            there = Bench(mews.url, bench.folder, bench.exports, ExitStack())
            return there.run("run", str(its), "--limit", "1", plan=plan)

    return held_against(export, lines, lambda: once(bench.tiny), lambda: once(export))


def conversion(bench: Bench, precision: int | None) -> list[str]:
    """Distinct lines, and how many of them are converted a CPU second; in a process of its own, whose memory is not ours."""
    call = [sys.executable, str(HERE / "conversion.py"), "none" if precision is None else str(precision)]
    done = subprocess.run(call, cwd=bench.folder, check=True, capture_output=True, text=True)
    return done.stdout.split()


def start(bench: Bench, name: str) -> list[str]:
    """CPU seconds of a command that answers at once, the quickest of three."""
    if name == STATUS:
        bench.run("dry-run", str(bench.tiny), ledger="known.sqlite")
        return [f"{min(bench.run('status', ledger='known.sqlite').cpu for _ in range(3)):.2f} s"]
    call = ["-c", "pass"] if name == BARE else ["-m", "etl", "--help"]
    found = []
    for _ in range(3):
        process = subprocess.Popen([sys.executable, *call], cwd=bench.folder, stdout=subprocess.DEVNULL)
        usage = os.wait4(process.pid, 0)[2]
        process.returncode = 0
        found.append(usage.ru_utime + usage.ru_stime)
    return [f"{min(found):.2f} s"]


def posting(bench: Bench, orders: int) -> list[str]:
    """A run against a sandbox of its own, which looks at all that it is sent."""
    export = bench.exports.of(orders * 5)
    with running_sandbox(str(HERE / "world.json")) as mews:
        done = Bench(mews.url, bench.folder, bench.exports, ExitStack()).run("run", str(export))
        held, twice = len(mews.sandbox.orders), len(mews.sandbox.duplicates())
    return [
        f"{orders:,}",
        f"{orders / done.wall:,.0f}",
        f"{done.wall:.1f} s",
        f"{done.peak:.0f} MiB",
        f"{held:,}",
        f"{twice}",
    ]


@dataclass(frozen=True)
class Job:
    """A row of a table. `is_long`: only where asked for."""

    section: str
    name: str
    do: Callable[[Bench], Measured | list[str]]
    is_long: bool = False


def jobs(part: int = 1) -> Iterator[Job]:
    """All rows, in the order of their tables. `part`: of generated exports a so many-th of the lines."""
    plain = "dry-run, orders of 5 lines"
    yield Job(PASSES, plain, partial(planning, lines=100_000 // part, how=""))
    for how in (
        "with the report",
        "5 % odd",
        "5 % odd, with the report",
        "20 % odd",
        "20 % odd, with the report",
        "rows scattered",
        "5 % odd, prices without tax into gross ones",
        "5 % odd, prices without tax into net ones",
    ):
        yield Job(PASSES, f"{plain}, {how}", partial(planning, lines=100_000 // part, how=how))
    yield Job(PASSES, f"{plain}, by the rules", partial(planning, lines=20_000 // part, how="by the rules"))
    if YEAR.exists():
        yield Job(PASSES, "dry-run, a real year of 21 lines an order", partial(year, has_report=False))
        yield Job(PASSES, f"dry-run, a real year of 21 lines an order{REPORT}", partial(year, has_report=True))
    for size in (200_000, 1_000_000, 5_000_000):
        for how in ("", "with the report", "rows scattered", "rows scattered, with the report"):
            name = f"memory, {size // part:,} lines" + (f", {how}" if how else "")
            is_long = size > 1_000_000
            yield Job(MEMORY, name, partial(planning, lines=size // part, how=how), is_long)
    for size in (100_000, 1_000_000):
        name = f"begun, a run of {size // part:,} lines of which one order is sent"
        yield Job(PASSES, name, partial(begun, lines=size // part, plan=""), size > SMALL)
    name = f"begun, a run of {20_000 // part:,} lines of which one order is sent, by the rules"
    yield Job(PASSES, name, partial(begun, lines=20_000 // part, plan="rules"))
    for size in (50_000, 1_000_000):
        for command in ("dry-run", "run"):
            name = f"again, a {command} of {size // part:,} lines that are all posted"
            yield Job(PASSES, name, partial(again, lines=size // part, command=command), size > SMALL)
    for precision in (None, 0, 4):
        told = "none" if precision is None else precision
        yield Job(CONVERSION, f"conversion, TaxPrecision {told}", partial(conversion, precision=precision))
    for name in (BARE, HELP, STATUS):
        yield Job(STARTS, name, partial(start, name=name))
    yield Job(POSTING, "run against the sandbox, 32 at once", partial(posting, orders=500 // part))


def measure(wanted: Iterable[Job], tell: Callable[[Job, list[str], float | None], None]) -> None:
    """Does the jobs one after the other."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, mews = Path(name), stack.enter_context(running_sandbox(str(HERE / "world.json")))
        bench = Bench(mews.url, folder, Exports(folder), stack)
        for job in wanted:
            try:
                found = job.do(bench)
            except SystemExit as why:
                # The other rows count all the same; this one keeps what it had.
                print(f"{job.name}: not measured, {why}", flush=True)
                continue
            if isinstance(found, Measured):
                tell(job, found.cells, found.passes)
            else:
                tell(job, found, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="rows whose name holds this; the others stay as they were measured")
    parser.add_argument(
        "--long", action="store_true", help="also five million lines, and a million posted: half an hour"
    )
    parser.add_argument(
        "--write", action="store_true", help="write docs/benchmarks.md, its plot, and figures of docs/scale.md"
    )
    parser.add_argument("--part", type=int, default=1, help="a so many-th of the lines: whether all rows come about")
    options = parser.parse_args()
    if options.write and options.part != 1:
        parser.error("--part is for a look, not for the page")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    every = list(jobs(options.part))
    wanted = [job for job in every if options.only in job.name and (options.long or not job.is_long)]
    book = Book.read()

    def tell(job: Job, cells: list[str], passes: float | None) -> None:
        print(" | ".join([job.name, *cells]), flush=True)
        book.rows[job.name] = Row(cells, passes, f"{datetime.now(UTC):%Y-%m-%d %H:%M}", f"{os.getloadavg()[0]:.1f}")
        if options.write:
            # After every row: what was measured stays, whatever ends this.
            book.write([(job.section, job.name) for job in every])

    measure(wanted, tell)


if __name__ == "__main__":
    main()
