"""Many properties at once, each at the limit of its own token: `python benchmarks/portfolio.py`. Judges nothing.

One sandbox server with an access token, a hotel and a limit for each property; the limit is scaled down so that it binds. First one
property alone, then all others through the same command, `centra-mews portfolio FILE run`. CPU is that of the portfolio's processes,
and beside it the sandbox's; memory is the sum of their proportional set sizes at its highest, looked at every few seconds.
`--write` puts a paragraph into docs/scale.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil
from generate import write

from etl.mews.slot_file import FOLDER
from etl.sandbox.core import Sandbox
from etl.sandbox.server import RunningSandbox, running_sandbox
from etl.sandbox.world_file import load_world

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "scale.md"
MARKS = ("<!-- bench-portfolio -->", "<!-- end of bench-portfolio -->")
LOOK = 0.5
MEMORY_EVERY = 6
"""Every how many looks memory is added up, which costs a millisecond a process."""


@dataclass
class Cost:
    """What a tree of processes took: `cpu` seconds, `memory` bytes at its highest, and how many there were at once."""

    cpu: float = 0.0
    memory: int = 0
    processes: int = 0

    def look(self, top: psutil.Process, *, with_memory: bool) -> None:
        """Adds what can be seen now; a process that has ended counts with the one that waited for it."""
        cpu, memory, count = 0.0, 0, 0
        for one in [top, *_children(top)]:
            try:
                times = one.cpu_times()
                cpu += times.user + times.system + times.children_user + times.children_system
                memory += one.memory_full_info().pss if with_memory else 0
                count += 1
            except psutil.Error:
                continue
        self.cpu, self.memory, self.processes = (
            max(self.cpu, cpu),
            max(self.memory, memory),
            max(self.processes, count),
        )


def _children(top: psutil.Process) -> list[psutil.Process]:
    try:
        return top.children(recursive=True)
    except psutil.Error:
        return []


@dataclass
class Whole:
    """The rehearsal: `seconds` and costs of all beside `alone`; `doubles` and `lost` orders; `refused` answers of 429."""

    properties: int
    orders: int
    limit: str
    alone: float
    seconds: float
    ratio: float
    cpu: float
    sandbox_cpu: float
    memory: int
    processes: int
    posted: int
    doubles: int
    lost: int
    refused: int
    load: float


def prepare(folder: Path, name: str, number: int, orders: int, limit: str) -> str:
    """A property's files, and its table of the portfolio."""
    home = folder / name
    home.mkdir()
    write(home / "orders.csv", orders * 3, lines_per_order=3, seed=number)
    shutil.copytree(ROOT / "benchmarks" / "mapping", home / "mapping")
    settings = home / "mapping" / "migration.toml"
    text = settings.read_text("utf-8").replace('"100000/30s"', f'"{limit}"')
    settings.write_text(text.replace('store = "uk"', f'store = "{name}"'), "utf-8")
    return (
        f'[[property]]\nname = "{name}"\nexports = ["{name}/orders.csv"]\nmapping = "{name}/mapping"\n'
        f'ledger = "{name}/ledger.sqlite"\naccess_token_env = "{_variable(number)}"\n'
    )


def _variable(number: int) -> str:
    return f"TOKEN_{number}"


def run(
    folder: Path, portfolio: str, environment: dict[str, str], jobs: int | None
) -> tuple[float, Cost, dict[str, Any]]:
    """Seconds, costs and document of one `portfolio run`. Raises RuntimeError where it does not end with 0."""
    words = ["portfolio", portfolio, "run", *(["--jobs", str(jobs)] if jobs else [])]
    cost, looks, began = Cost(), 0, time.monotonic()
    with (folder / "out").open("w+b") as out, (folder / "err").open("w+b") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "etl", "--json", *words], cwd=folder, env=environment, stdout=out, stderr=err
        )
        top = psutil.Process(process.pid)
        while process.poll() is None:
            cost.look(top, with_memory=looks % MEMORY_EVERY == 0)
            looks += 1
            time.sleep(LOOK)
        seconds = time.monotonic() - began
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}: {(folder / 'err').read_text()[-4000:]}")
    return seconds, cost, json.loads((folder / "out").read_text())


def rehearse(folder: Path, properties: int, orders: int, limit: str, jobs: int | None) -> Whole:
    """One alone, then all others at once."""
    most, _, seconds = limit.removesuffix("s").partition("/")
    tokens = [f"token-of-{number}" for number in range(properties + 1)]
    world = replace(
        load_world(str(ROOT / "benchmarks" / "world.json")),
        limit=(int(most), float(seconds)),
        access_token=tokens[0],
        access_tokens=tuple(tokens[1:]),
    )
    tables = [prepare(folder, f"hotel-{number:03}", number, orders, limit) for number in range(properties + 1)]
    (folder / "one.toml").write_text(tables[0], "utf-8")
    (folder / "all.toml").write_text("\n".join(tables[1:]), "utf-8")
    (folder / "limits").mkdir()
    with running_sandbox(world) as mews:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("MEWS_", "CENTRA_"))},
            **{_variable(number): token for number, token in enumerate(tokens)},
            "MEWS_PLATFORM_ADDRESS": mews.url,
            "MEWS_CLIENT_TOKEN": world.client_token,
            FOLDER: str(folder / "limits"),
        }
        alone, own_cost, _ = run(folder, "one.toml", environment, jobs)
        print(f"one alone: {alone:.1f} s, {own_cost.cpu:.2f} s of CPU", file=sys.stderr, flush=True)
        own = time.process_time()
        seconds_of_all, cost, document = run(folder, "all.toml", environment, jobs)
        return Whole(
            properties=properties,
            orders=orders,
            limit=limit,
            alone=round(alone, 1),
            seconds=round(seconds_of_all, 1),
            ratio=round(seconds_of_all / alone, 3),
            cpu=round(cost.cpu, 1),
            sandbox_cpu=round(time.process_time() - own, 1),
            memory=cost.memory,
            processes=cost.processes,
            posted=document["orders"]["posted"],
            **held(mews, properties, orders),
            load=round(os.getloadavg()[0], 1),
        )


def held(mews: RunningSandbox, properties: int, orders: int) -> dict[str, int]:
    """Orders that are there twice, orders that are not there, and answers of 429, over all hotels but the first."""
    counts = [_numbers(each) for each in mews.hotels[1:]]
    assert len(counts) == properties
    return {
        "doubles": sum(len(each.orders) - len(numbers) for each, numbers in zip(mews.hotels[1:], counts, strict=True)),
        "lost": sum(orders - len(numbers) for numbers in counts),
        "refused": sum(each.statuses[429] for each in mews.hotels),
    }


def _numbers(hotel: Sandbox) -> set[str]:
    """The order numbers in the notes of a hotel's orders."""
    return {(order.notes or "").partition("]")[0] for order in hotel.orders}


def sentence(whole: Whole) -> str:
    """The figures as docs/scale.md has them."""
    return (
        f"{whole.properties} properties of {whole.orders} orders each, a token and a limit of {whole.limit} for each, on "
        f"{os.cpu_count()} cores: one alone {whole.alone:.0f} s, all at once {whole.seconds:.0f} s ({whole.ratio:.2f} times); "
        f"{whole.posted:,} orders posted, {whole.doubles} twice, {whole.lost} lost, {whole.refused} answers of 429; {whole.cpu:.0f} s of "
        f"CPU beside {whole.sandbox_cpu:.0f} s of the sandbox's, {whole.memory / 1024**3:.1f} GiB of memory at the highest in "
        f"{whole.processes} processes; load {whole.load:.1f} at the end."
    )


def main() -> None:
    """The figures, on stdout."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--properties", type=int, default=100)
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--limit", default="10/6s")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole = rehearse(Path(folder), options.properties, options.orders, options.limit, options.jobs)
    print(json.dumps(asdict(whole)) if options.json else sentence(whole))
    if options.write:
        text = PAGE.read_text(encoding="utf-8")
        told = "\n".join((MARKS[0], sentence(whole), MARKS[1]))
        PAGE.write_text(re.sub(f"{MARKS[0]}.*{MARKS[1]}", lambda _: told, text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
