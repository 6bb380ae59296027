"""Speed and memory of whole commands: `make bench`. Prints figures; judges nothing.

dry-run on 100,000 generated lines (also with the rows of orders scattered), run on 2,000 orders against the sandbox
without a request limit, and where ../shared/data is present the whole real year.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from etl.sandbox.server import running_sandbox
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN

HERE = Path(__file__).parent
YEAR = HERE.parents[1] / "shared" / "data" / "online-retail-2010-2011.csv.gz"


def generate(path: Path, lines: int, *, lines_per_order: int = 10, shuffled: bool = False) -> int:
    """Writes an export in a process of its own: the peak memory of a command counts that of who started it."""
    call = f"print(generate.write(pathlib.Path({str(path)!r}), {lines}, lines_per_order={lines_per_order}, shuffled={shuffled}))"
    done = subprocess.run(
        [sys.executable, "-c", f"import generate, pathlib; {call}"],
        cwd=HERE,
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout)


def bare_pass(path: Path) -> float:
    """CPU seconds of a process that does nothing but read the rows with `csv.reader`: what a command is held against."""
    script = (
        "import csv, gzip, sys, time; path = sys.argv[1]; start = time.process_time(); "
        "file = (gzip.open if path.endswith('.gz') else open)(path, 'rt', newline='', encoding='utf-8'); "
        "count = sum(1 for _ in csv.reader(file)); print(time.process_time() - start)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True)
    return float(done.stdout)


def measure(url: str, folder: Path, *arguments: str, plan: str = "") -> tuple[float, float, float, int]:
    """Wall seconds, CPU seconds, peak MiB and exit code of one command. `plan`: "rules" leaves columns out."""
    environment = {
        "PATH": os.environ["PATH"],
        "MEWS_PLATFORM_ADDRESS": url,
        "MEWS_CLIENT_TOKEN": CLIENT_TOKEN,
        "MEWS_ACCESS_TOKEN": ACCESS_TOKEN,
        "CENTRA_MEWS_PLAN": plan,
    }
    command = [sys.executable, "-m", "etl", "--quiet", "--mappings", str(HERE / "mapping"), *arguments]
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode


def show(name: str, count: int, unit: str, figures: tuple[float, float, float, int]) -> None:
    wall, cpu, peak, code = figures
    print(
        f"{name:<38} {count:>9,} {unit:<6} {wall:8.2f} s wall {cpu:8.2f} s cpu {count / wall:10,.0f} {unit}/s "
        f"{peak:7.0f} MiB  exit {code}",
        flush=True,
    )


def both_ways(name: str, export: Path, lines: int, url: str, folder: Path) -> None:
    """A dry run by columns and by the rules, as passes of `csv.reader` over the same file in the same run."""
    passes = bare_pass(export)
    for plan in ("columns", "rules"):
        ledger = folder / f"{export.name}-{plan}.sqlite"
        figures = measure(url, folder, "--ledger", str(ledger), "dry-run", str(export), plan=plan)
        show(f"{name}, by {plan}", lines, "lines", figures)
        print(f"{'':<38} {figures[1] / passes:9,.1f} passes of csv.reader, {lines / figures[1]:,.0f} lines per CPU s")


def starts(folder: Path) -> None:
    """CPU of commands that answer at once, beside a Python that does nothing."""
    for name, call in (("python -c pass", ["-c", "pass"]), ("--help", ["-m", "etl", "--help"])):
        process = subprocess.Popen([sys.executable, *call], cwd=folder, stdout=subprocess.DEVNULL)
        usage = os.wait4(process.pid, 0)[2]
        process.returncode = 0
        print(f"{name:<38} {usage.ru_utime + usage.ru_stime:8.3f} s cpu", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--lines-per-order", type=int, default=5)
    parser.add_argument("--orders", type=int, default=2_000)
    parser.add_argument("--year", action="store_true", help="also the whole real year")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_sandbox(str(HERE / "world.json")) as mews:
            for shuffled in (False, True):
                export = folder / f"export-{shuffled}.csv"
                generate(export, options.lines, lines_per_order=options.lines_per_order, shuffled=shuffled)
                title = f"dry-run, rows {'scattered' if shuffled else 'together'}"
                both_ways(title, export, options.lines, mews.url, folder)
            if options.year and YEAR.exists():
                both_ways("dry-run, the whole real year", YEAR, 539_719, mews.url, folder)
            show(
                "status", 1, "ledger", measure(mews.url, folder, "--ledger", "export-False.csv-rules.sqlite", "status")
            )
        starts(folder)
        export = folder / "run.csv"
        orders = generate(export, options.orders * 5, lines_per_order=5)
        with running_sandbox(str(HERE / "world.json")) as mews:
            figures = measure(mews.url, folder, "--ledger", "run.sqlite", "run", str(export))
            show("run, 5 lines an order, with sandbox", orders, "orders", figures)
            held = len(mews.sandbox.orders)
        print(f"the sandbox holds {held:,} orders, {len(mews.sandbox.duplicates())} twice")


if __name__ == "__main__":
    main()
