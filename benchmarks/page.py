"""Seconds until the page of a year (25,897 orders of 20 lines) is open, has searched and shows an order, and to write it.

Needs a Chromium; the marks are 1.5 s to open and 0.3 s to search. `--report DIR` measures a page that is there instead.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from browser import chromium
from year_page import look_at, write_year

MARKS = {"opens": 1.5, "searches": 0.3}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--report", type=Path, help="a report folder to open, instead of a made-up year")
    given = options.parse_args().report
    if chromium() is None:
        print("page: no Chromium here, nothing measured")
        return
    with tempfile.TemporaryDirectory() as scratch:
        started, cpu = time.perf_counter(), time.process_time()
        page = given / "report.html" if given else write_year(Path(scratch) / "year")
        if not given:
            print(
                f"page: written in {time.perf_counter() - started:.1f} s, {time.process_time() - cpu:.1f} s of a core"
            )
        seen = look_at(page)
        print(f"page: {page.stat().st_size / 1e6:.1f} MB, {seen.shown}")
        for name, mark in MARKS.items():
            value = getattr(seen, name)
            print(f"page: {name} in {value:.2f} s (mark {mark:g} s{'' if value <= mark else ', MISSED'})")
        print(f"page: an order opens in {seen.opens_order:.2f} s")


if __name__ == "__main__":
    main()
