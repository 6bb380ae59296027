"""Rows a second from a file into staging, in CPU time of one core: `make bench-reading`, `AGAINST=folder` to compare.

The files are those of `generate.py` (17 columns, ten lines an order), as .csv, .xlsx and .json. Every measurement is a
process of its own, the best of `--rounds` counts; with `--against`, another checkout is measured in turn with this one,
so that what else the machine does meets both.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import generate
import xlsxwriter

HERE = Path(__file__).parents[1]
LOAD = """
import sys, time
from pathlib import Path
from etl.pipeline.prepare import Batch, open_export
with Batch([Path(sys.argv[1])], open_export=open_export) as batch:
    started = time.process_time()
    facts = batch.load()
    print(time.process_time() - started, facts.lines)
"""


def seconds(checkout: Path, export: Path) -> tuple[float, int]:
    """CPU seconds of one load by the code of a checkout, and the lines that it found."""
    command = [sys.executable, "-c", LOAD, str(export)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    taken, lines = done.stdout.split()
    return float(taken), int(lines)


def exports(folder: Path, rows: int) -> dict[str, Path]:
    """The same orders in every format; .csv also with the rows of orders scattered."""
    paths = {name: folder / name for name in ("together.csv", "scattered.csv", "orders.xlsx", "orders.json")}
    generate.write(paths["together.csv"], rows)
    generate.write(paths["scattered.csv"], rows, shuffled=True)
    with paths["together.csv"].open(encoding="utf-8", newline="") as stream:
        grid = list(csv.reader(stream))
    book = xlsxwriter.Workbook(paths["orders.xlsx"], {"constant_memory": True, "strings_to_numbers": True})
    sheet = book.add_worksheet()
    for at, cells in enumerate(grid):
        sheet.write_row(at, 0, cells)
    book.close()
    paths["orders.json"].write_text(json.dumps(_objects(grid[0], grid[1:])), encoding="utf-8")
    return paths


def _objects(header: list[str], rows: list[list[str]]) -> list[dict[str, object]]:
    """Order objects of flat rows; texts of an address stand under their dotted names, as they do in columns."""
    orders: dict[str, dict[str, object]] = {}
    for row in rows:
        named = dict(zip(header, row, strict=True))
        line = {name.removeprefix("products."): cell for name, cell in named.items() if name.startswith("products.")}
        own = {name: cell for name, cell in named.items() if not name.startswith("products.")}
        order = orders.setdefault(row[0], {**own, "products": []})
        order["products"].append(line)  # type: ignore[attr-defined]
    return list(orders.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path, help="another checkout")
    options = parser.parse_args()
    checkouts = [HERE, *([options.against.resolve()] if options.against else [])]
    with tempfile.TemporaryDirectory() as name:
        for format_, path in exports(Path(name), options.rows).items():
            taken = {checkout: [] for checkout in checkouts}
            for _ in range(options.rounds):
                for checkout in checkouts:
                    taken[checkout].append(seconds(checkout, path))
            for checkout in checkouts:
                best, lines = min(taken[checkout])
                print(f"{format_:<14} {lines / best:10,.0f} rows/s  {best:6.2f} s cpu  {checkout}", flush=True)


if __name__ == "__main__":
    main()
