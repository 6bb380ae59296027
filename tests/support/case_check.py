"""A field case (`../shared/cases/README.md`): its commands are run as a user would, its `expect.json` is compared.

Every comparison gives the list of what does not fit; an empty list is a pass, so that `one_of` can choose.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from cli_run import Shell

from etl.model.identity import parse_identifier
from etl.sandbox.core import Sandbox
from etl.sandbox.server import RunningSandbox, running_sandbox

ADDRESS_SPACE_KB = 6_000_000
MEWS = '[mews]\nrate_limit = "100000/1s"\nsettle_seconds = 1\n'
TRACES = re.compile(r"Traceback \(most recent call last\)|internal error", re.IGNORECASE)
Wanted = dict[str, Any]


@dataclass
class Ran:
    """One command: how it ended, what it said and what it took."""

    name: str
    code: int
    out: str
    err: str
    seconds: float
    rss_mib: float

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on stdout, or nothing where there is none."""
        try:
            found = json.loads(self.out)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass
class Seen:
    """All that a step left behind."""

    inspect: Ran
    dry: Ran
    run: Ran | None
    orders: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    codes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    texts: str = ""
    items: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    products: dict[str, str] = field(default_factory=dict)


class Case:
    """One folder of cases, run step by step in `place`."""

    def __init__(self, folder: Path, place: Path) -> None:
        self.folder, self.place = folder, place
        self.expect: Wanted = json.loads((folder / "expect.json").read_text(encoding="utf-8"))
        self.plans: dict[tuple[str, ...], str] = {}

    def faults(self) -> list[str]:
        """What does not fit, over all steps."""
        found: list[str] = []
        steps: list[list[Wanted]] = []
        for step in self.expect["steps"]:
            if step.get("same_ledger"):
                steps[-1].append(step)
            else:
                steps.append([step])
        for index, group in enumerate(steps):
            found += self._group(index, group)
        return found + self._same_plans()

    def _same_plans(self) -> list[str]:
        wanted = self.expect.get("same_plan")
        if not wanted:
            return []
        plans = {self.plans.get(tuple(files)) for files in wanted}
        return [] if len(plans) == 1 and None not in plans else [f"the plans differ: {self.plans}"]

    def _group(self, index: int, group: list[Wanted]) -> list[str]:
        """Steps of one ledger and one Mews."""
        place = self.place / f"step{index}"
        place.mkdir(parents=True)
        own = self.folder / "mapping"
        base = self.folder.parent / "_base"
        shutil.copytree(own if own.is_dir() else base / "mapping", place / "mapping")
        settings = place / "mapping" / "migration.toml"
        settings.write_text(settings.read_text(encoding="utf-8") + "\n" + MEWS, encoding="utf-8")
        found = []
        with running_sandbox(str(base / "world.json")) as mews:
            shell = Shell(place, mews.url, place / "mapping")
            for number, step in enumerate(group):
                seen = self._run(shell, step, number, mews)
                found += [f"{' '.join(step['files'])}: {fault}" for fault in check_step(seen, step, mews.sandbox)]
        return found

    def _run(self, shell: Shell, step: Wanted, number: int, mews: RunningSandbox) -> Seen:
        files = [self.folder / name for name in step["files"]]
        report = shell.folder / f"report{number}"
        inspect = measured(shell, "inspect", *files)
        dry = measured(shell, "dry-run", *files, "--report", report)
        plan = str(dry.document.get("plan", ""))
        self.plans[tuple(step["files"])] = plan
        run = measured(shell, "run", *files, "--expect", plan) if step.get("post") and plan else None
        seen = Seen(inspect, dry, run)
        _read_report(report, seen)
        seen.products = {
            id_: product.external_identifier or "" for id_, product in mews.sandbox.world.enterprise.products.items()
        }
        for item in mews.sandbox.items:
            identity = parse_identifier(item.external_identifier)
            if identity is not None:
                seen.items[identity[0].number].append(item)
        return seen


def measured(shell: Shell, *arguments: str | Path) -> Ran:
    """A command in the bounds of all cases."""
    report = shell.folder / "measured.json"
    launcher = Path(__file__).with_name("measured.py")
    command = [sys.executable, "-S", str(launcher), str(report), str(ADDRESS_SPACE_KB), *shell.command(*arguments)]
    done = subprocess.run(
        command, cwd=shell.folder, env=shell.environment(), capture_output=True, timeout=600, check=False
    )
    took = json.loads(report.read_text(encoding="utf-8"))
    out, err = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
    return Ran(str(arguments[0]), took["code"], out, err, took["seconds"], took["rss_mib"])


def _read_report(report: Path, seen: Seen) -> None:
    if not (report / "orders.csv").exists():
        return
    csv.field_size_limit(10_000_000)
    with (report / "orders.csv").open(encoding="utf-8-sig", newline="") as stream:
        seen.orders = {row["order"].lstrip("'"): row for row in csv.DictReader(stream)}
    with (report / "problems.csv").open(encoding="utf-8-sig", newline="") as stream:
        for row in csv.DictReader(stream):
            number = row["order"].lstrip("'")
            seen.problems[number].append(" | ".join(value for value in row.values() if isinstance(value, str)))
            seen.codes[number].add(row["code"])
    seen.texts = "\n".join((report / name).read_text(encoding="utf-8-sig") for name in ("problems.csv", "summary.json"))


def check_step(seen: Seen, step: Wanted, mews: Sandbox) -> list[str]:
    """What of a step does not fit: its own wants, one of its alternatives, and what every case asks."""
    common = {key: value for key, value in step.items() if key != "one_of"}
    alternatives = step.get("one_of")
    if not alternatives:
        return _outcome(seen, common, mews)
    tried = [_outcome(seen, {**common, **one}, mews) for one in alternatives]
    if any(not faults for faults in tried):
        return []
    return [f"alternative {index + 1}: {fault}" for index, faults in enumerate(tried) for fault in faults]


def _outcome(seen: Seen, step: Wanted, mews: Sandbox) -> list[str]:
    found = list(_everywhere(seen, step))
    if "refused" in step:
        return found + list(_refused(seen, step["refused"]))
    if not seen.orders and not seen.dry.document.get("orders"):
        return [*found, f"dry-run ended with {seen.dry.code}: {seen.dry.err[-600:]}"]
    found += _counts(seen, step)
    found += _told(seen, step)
    for number, wanted in step.get("orders", {}).items():
        found += _order(seen, number, wanted)
    rest = step.get("rest")
    for number in seen.orders:
        if number not in step.get("orders", {}):
            if rest is None and "orders" in step:
                found.append(f"order {number} should not be there")
            elif rest is not None:
                found += _order(seen, number, rest)
    if step.get("post"):
        found += _posted(seen)
    return found


def _everywhere(seen: Seen, step: Wanted) -> Iterable[str]:
    """No traceback, no crash, no more memory or time than is allowed."""
    for ran in (seen.inspect, seen.dry, seen.run):
        if ran is None:
            continue
        if ran.code not in (0, 2, 3):
            yield f"{ran.name} ended with {ran.code}: {ran.err[-600:]}"
        if TRACES.search(ran.out + ran.err):
            yield f"{ran.name} shows a traceback: {ran.err[-600:]}"
        if ran.name != "run" and ran.rss_mib > step.get("max_rss_mib", 1000):
            yield f"{ran.name} took {ran.rss_mib:.0f} MiB"
        if ran.name != "run" and ran.seconds > step.get("max_seconds", 120):
            yield f"{ran.name} took {ran.seconds:.0f} s"


def _refused(seen: Seen, wanted: Wanted) -> Iterable[str]:
    message = seen.dry.out + seen.dry.err
    if seen.dry.code != wanted["exit"]:
        yield f"dry-run ended with {seen.dry.code}, not {wanted['exit']}: {message[-600:]}"
    for pattern in wanted.get("says", ()):
        if not re.search(pattern, message, re.IGNORECASE):
            yield f"the refusal does not say {pattern!r}: {message[-600:]}"
    for pattern in wanted.get("says_not", ()):
        if re.search(pattern, message, re.IGNORECASE):
            yield f"the refusal says {pattern!r}: {message[-600:]}"


def _counts(seen: Seen, step: Wanted) -> Iterable[str]:
    document = seen.dry.document
    orders = document.get("orders", {})
    read = step.get("read", len(step["orders"]) if "orders" in step and "rest" not in step else None)
    if read is not None and orders.get("read") != read:
        yield f"{orders.get('read')} orders were read, not {read}"
    if sum(count for state, count in orders.items() if state != "read") != orders.get("read"):
        yield f"the states do not add up: {orders}"
    unassigned = step.get("unassigned", 0)
    if unassigned != "*" and document.get("lines", {}).get("unassigned") != unassigned:
        yield f"unassigned rows: {document.get('lines')}, not {unassigned}"
    for row in document.get("totals", ()):
        parts = ("planned", "rounding", "rejected", "blocked", "skipped", "changed", "undone")
        if Decimal(row["source"]) != sum(Decimal(row[name]) for name in parts if name in row):
            yield f"totals do not add up: {row}"
    attention = document.get("lines", {}).get("unassigned") or any(
        orders.get(state) for state in ("blocked", "rejected", "unknown", "changed")
    )
    if seen.dry.code != (3 if attention else 0):
        yield f"dry-run ended with {seen.dry.code}: {orders} {document.get('lines')}"


def _told(seen: Seen, step: Wanted) -> Iterable[str]:
    dry = f"{seen.dry.out}\n{seen.dry.err}\n{seen.texts}"
    for pattern in step.get("told", ()):
        if not re.search(pattern, dry, re.IGNORECASE):
            yield f"dry-run does not tell {pattern!r}"
    inspect = seen.inspect.out + seen.inspect.err
    for pattern in step.get("inspect", ()):
        if not re.search(pattern, inspect, re.IGNORECASE):
            yield f"inspect does not tell {pattern!r}"


def _order(seen: Seen, number: str, wanted: Any) -> list[str]:
    if isinstance(wanted, list):
        tried = [_order(seen, number, one) for one in wanted]
        return [] if any(not faults for faults in tried) else [fault for faults in tried for fault in faults]
    if isinstance(wanted, str):
        wanted = {"state": wanted}
    return list(_one_order(seen, number, wanted))


def _one_order(seen: Seen, number: str, wanted: Wanted) -> Iterable[str]:
    row = seen.orders.get(number)
    if row is None:
        yield f"order {number} is not there"
        return
    if row["state"] != wanted["state"]:
        shown = "; ".join(seen.problems[number])
        yield f"{number} is {row['state']}, not {wanted['state']}: {shown[:400]}"
    if "planned" in wanted and Decimal(row["planned_total"] or 0) != Decimal(wanted["planned"]):
        yield f"{number} is planned at {row['planned_total']}, not {wanted['planned']}"
    if "code" in wanted and not any(re.fullmatch(wanted["code"], code) for code in seen.codes[number]):
        yield f"{number} has {sorted(seen.codes[number])}, not {wanted['code']}"
    said = "\n".join(seen.problems[number] + seen.problems[""])
    for pattern in wanted.get("says", ()):
        if not re.search(pattern, said, re.IGNORECASE):
            yield f"{number} does not say {pattern!r}: {said[:400]}"
    for pattern in wanted.get("says_not", ()):
        if re.search(pattern, "\n".join(seen.problems[number]), re.IGNORECASE):
            yield f"{number} says {pattern!r}"
    yield from _in_mews(seen, number, wanted)


def _in_mews(seen: Seen, number: str, wanted: Wanted) -> Iterable[str]:
    if seen.run is None:
        return
    held = seen.items.get(number, [])
    if "items" in wanted:
        left = list(held)
        for one in wanted["items"]:
            fits = next((item for item in left if _fits(seen, item, one)), None)
            if fits is None:
                yield f"{number}: Mews holds no {one}, but {[_shown(seen, item) for item in left]}"
            else:
                left.remove(fits)
        if left:
            yield f"{number}: Mews also holds {[_shown(seen, item) for item in left]}"
    for pattern in wanted.get("notes", ()):
        if not held or not all(re.search(pattern, item.notes or "", re.IGNORECASE) for item in held):
            yield f"{number}: the notes do not say {pattern!r}"
    if "consumption" in wanted and {_moment(item) for item in held} != {wanted["consumption"]}:
        yield f"{number}: consumed {[_moment(item) for item in held]}, not {wanted['consumption']}"


def _fits(seen: Seen, item: Any, one: Wanted) -> bool:
    kind, product, name, count, unit, codes = _shown(seen, item)
    return (
        kind == one["kind"]
        and ("product" not in one or product == one["product"])
        and ("name" not in one or re.search(one["name"], name, re.IGNORECASE) is not None)
        and count == one["count"]
        and unit == Decimal(one["unit"])
        and sorted(codes) == sorted(one["codes"])
    )


def _posted(seen: Seen) -> Iterable[str]:
    """Mews holds each order that was called ready, once, at its planned amount, and no other."""
    if seen.run is None:
        yield f"there was no plan to run: {seen.dry.err[-300:]}"
        return
    expected = 3 if seen.dry.code == 3 else 0
    if seen.run.code != expected:
        yield f"run ended with {seen.run.code}, dry-run with {seen.dry.code}: {seen.run.err[-600:]}"
    wanted = {number for number, row in seen.orders.items() if row["state"] in ("ready", "already_posted", "changed")}
    if set(seen.items) - wanted or wanted - set(seen.items):
        yield f"Mews holds {sorted(seen.items)}, planned were {sorted(wanted)}"
    for number, row in seen.orders.items():
        orders = {item.order_id for item in seen.items[number]} if number in wanted else set()
        if len(orders) > 1:
            yield f"{number} is in Mews {len(orders)} times"
        booked = (
            sum((Decimal(item.amount.gross) for item in seen.items[number]), Decimal(0)) if number in wanted else None
        )
        if row["state"] == "ready" and booked != Decimal(row["planned_total"]):
            yield f"{number}: Mews booked {booked}, planned were {row['planned_total']}"


def _shown(seen: Seen, item: Any) -> tuple[str, str, str, int, Decimal, list[str]]:
    kind = "product" if item.product_id else "item"
    codes = [code for code, _ in item.amount.taxes]
    return kind, seen.products.get(item.product_id or "", ""), item.name, item.count, Decimal(item.unit.gross), codes


def _moment(item: Any) -> str:
    return str(item.consumed.strftime("%Y-%m-%dT%H:%M:%SZ"))
