"""Random worlds: orders are read, planned and posted to the sandbox, and checked against an arithmetic of our own.

    python tests/worlds/fuzz.py --worlds 2000           all seeds from 0 on
    python tests/worlds/fuzz.py --seed 4711             one world, with what differs

Properties: design sections 5 and 6, to the cent: each entry's net, tax and gross, each order's sums, source = planned +
rounding, nothing beyond its own value, and one plan id for the same orders in other rows.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import httpx
from world_draw import ACCOUNT, World, draw
from world_oracle import Posted, Reader, Rules, booked

from etl.mapping.folder import read_mapping
from etl.mews.api import MewsReader
from etl.mews.clock import SystemClock
from etl.mews.limiter import Limiter
from etl.mews.reference_data import Needs, read_reference
from etl.mews.secrets import Tokens
from etl.mews.slots import MemorySlots
from etl.mews.transport import Transport
from etl.model.identity import Identity, parse_identifier
from etl.model.mapping import Mapping
from etl.model.payload import dump
from etl.model.plan import Basis, PlannedOrder, Verdict, order_payload, payment_payload
from etl.model.reference import Reference
from etl.pipeline.plan_store import PlanStore
from etl.pipeline.planning import Span, make_context, plan_batch
from etl.pipeline.prepare import read_options
from etl.reading.identify import open_export
from etl.sandbox.core import PREFIX, Sandbox
from etl.sandbox.inprocess import SandboxTransport
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN
from etl.sandbox.world_file import parse_world
from etl.staging.batch import Batch

MOMENT = datetime(2012, 1, 10, 9, tzinfo=UTC)
WHO = {"ClientToken": CLIENT_TOKEN, "AccessToken": ACCESS_TOKEN, "Client": "centra-mews 1"}
ADDRESS = "http://127.0.0.1:1"


@dataclass
class Report:
    """What one world showed: orders by verdict, entries checked, and every difference as a sentence."""

    seed: int
    verdicts: Counter[str] = field(default_factory=Counter)
    entries: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Planned:
    """A plan of one reading of the files."""

    orders: list[PlannedOrder]
    plan_id: str


def run_world(seed: int) -> Report:
    """Plans and posts one world, and compares."""
    world, report = draw(seed), Report(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "migration.toml").write_text(world.migration, encoding="utf-8")
        for table, content in world.tables.items():
            (folder / table).write_text(content, encoding="utf-8")
        mapping = read_mapping(folder)
        mews = Sandbox(replace(parse_world(world.enterprise), limit=None), clock=lambda: MOMENT, rng=Random(seed))
        reference = _reference(mews)
        try:
            plan = _plan(folder / "a", world.exports(), mapping, reference)
            again = _plan(folder / "b", world.exports(Random(seed)), mapping, reference)
        except AssertionError as error:
            report.faults.append(f"planning ended with: {error}")
            return report
    if plan.plan_id != again.plan_id:
        report.faults.append(f"shuffled rows give another plan: {_first_difference(plan, again)}")
    if [one.fingerprint for one in plan.orders] != [one.fingerprint for one in again.orders]:
        changed = [
            one.number
            for one, other in zip(plan.orders, again.orders, strict=False)
            if one.fingerprint != other.fingerprint
        ]
        report.faults.append(f"shuffled rows give another fingerprint of {changed}")
    if sorted(world.sales) != sorted(one.number for one in plan.orders):
        report.faults.append("other orders were read than were written")
    for order in plan.orders:
        report.verdicts[order.verdict] += 1
        if order.verdict is Verdict.READY:
            _post(order, mews, reference, report)
    _compare(world, plan, mews, report)
    return report


def _reference(mews: Sandbox) -> Reference:
    async def read() -> Reference:
        async def sleep(_: float) -> None:
            await asyncio.sleep(0)

        clock = SystemClock()
        wire = SandboxTransport(mews, clock=lambda: MOMENT, sleep=sleep)
        async with httpx.AsyncClient(transport=wire) as http:
            tokens, limiter = (
                Tokens(CLIENT_TOKEN, ACCESS_TOKEN),
                Limiter(200, Decimal(30), store=MemorySlots(), clock=clock),
            )
            transport = Transport(address=ADDRESS, tokens=tokens, http=http, limiter=limiter, clock=clock)
            needs = Needs("eid:WEB-SHOP", accounts=frozenset({ACCOUNT}))
            return await read_reference(MewsReader(transport), needs, platform=ADDRESS)

    return asyncio.run(read())


def _plan(folder: Path, files: dict[str, str], mapping: Mapping, reference: Reference) -> Planned:
    folder.mkdir()
    paths = [folder / name for name in sorted(files)]
    for path in paths:
        path.write_text(files[path.name], encoding="utf-8")
    with Batch(paths, open_export=open_export, options=read_options(mapping)) as batch, PlanStore() as store:
        facts = batch.load()
        ctx = make_context(mapping, reference, now=reference.now, orders=facts.orders)
        found = plan_batch(
            batch, ctx, store, span=Span(), has_tax_modes=True, expected=facts.orders, progress=lambda *_: None
        )
        return Planned(list(store.by_number()), found.plan)


def _first_difference(plan: Planned, again: Planned) -> str:
    for one, other in zip(plan.orders, again.orders, strict=False):
        if (one.verdict, one.codes, one.entries, one.payments) != (
            other.verdict,
            other.codes,
            other.entries,
            other.payments,
        ):
            return f"{one.number} {one.verdict} {one.codes} against {other.verdict} {other.codes}"
    return "another number of orders, or texts"


def _post(order: PlannedOrder, mews: Sandbox, reference: Reference, report: Report) -> None:
    identity = Identity("shop", order.number)
    basis = Basis.GROSS if reference.pricing == "Gross" else Basis.NET
    sent = [("orders/add", order_payload(order, identity))]
    sent += [("payments/addExternal", payment_payload(order, one, identity, basis)) for one in order.payments]
    for operation, payload in sent:
        answer = mews.handle(PREFIX + operation, dump(WHO | payload), MOMENT)
        if answer.status != 200:
            report.faults.append(f"{order.number}: called ready, refused by Mews: {answer.body.decode()}")


def _compare(world: World, plan: Planned, mews: Sandbox, report: Report) -> None:
    held: dict[str, dict[str, Any]] = {}
    for item in mews.items:
        parsed = parse_identifier(item.external_identifier)
        assert parsed is not None
        held.setdefault(parsed[0].number, {})[parsed[1]] = item
    verdicts: dict[str, set[str]] = {}
    for order in plan.orders:
        sale = world.sales.get(order.number)
        if sale is None:
            continue
        wanted = Reader(sale, world.rules).decide()
        if verdicts.get(sale.parent):
            wanted.reasons.add("return.parent")
        verdicts[order.number] = wanted.reasons
        where = f"{order.number} ({'return' if sale.is_return else 'sale'})"
        if set(order.codes) != wanted.reasons:
            report.faults.append(f"{where}: {sorted(order.codes)} against {sorted(wanted.reasons)}")
            continue
        if order.source_total is not None and Fraction(order.source_total) != wanted.source:
            report.faults.append(f"{where}: source {order.source_total} against {float(wanted.source)}")
        if order.verdict is not Verdict.READY:
            continue
        report.faults += [
            f"{where}: {fault}" for fault in _faults(order, wanted.lines, world.rules, held[order.number])
        ]
        report.entries += len(order.entries)
        if (
            Fraction(order.planned_total) != wanted.planned
            or order.source_total != order.planned_total + order.rounding
        ):
            report.faults.append(f"{where}: planned {order.planned_total} against {float(wanted.planned)}")
        paid = sorted(Fraction(one.amount) for one in order.payments)
        if paid != sorted(wanted.paid):
            report.faults.append(f"{where}: paid {paid} against {wanted.paid}")
        if sum((amount for _, amount in order.rounding_causes), Decimal(0)) != order.rounding:
            report.faults.append(f"{where}: causes {order.rounding_causes} are not {order.rounding}")


def _faults(order: PlannedOrder, wanted: list[Posted], rules: Rules, held: dict[str, Any]) -> list[str]:
    """How the entries of one order differ from what they must be, and from what Mews booked."""
    faults = []
    if sorted(held) != sorted(entry.line for entry in order.entries):
        faults.append(f"Mews holds {sorted(held)}")
    for entry in order.entries:
        net, gross = booked(rules, entry.count, Fraction(entry.unit), entry.codes)
        item = held.get(entry.line)
        seen = None if item is None else (Fraction(item.amount.net), Fraction(item.amount.gross))
        predicted = (Fraction(entry.predicted.net), Fraction(entry.predicted.gross))
        if not seen == predicted == (net, gross):
            faults.append(f"{entry.line}: predicted {predicted}, booked {seen}, by the contract {(net, gross)}")
        if item is not None and {code for code, _ in item.amount.taxes} != set(entry.codes):
            faults.append(f"{entry.line}: codes {entry.codes}, Mews has {item.amount.taxes}")
    lines = {one.label: one for one in wanted}
    found: dict[str, list[Any]] = {}
    for entry in order.entries:
        found.setdefault(entry.line.partition(".")[0], []).append(entry)
    if set(found) != set(lines):
        return [*faults, f"lines {sorted(found)} against {sorted(lines)}"]
    for label, entries in found.items():
        one = lines[label]
        mine = (
            {entry.codes for entry in entries},
            sum(entry.count for entry in entries),
            sum(Fraction(entry.source_amount) for entry in entries),
            sum(entry.count * Fraction(entry.unit) for entry in entries),
            sum(Fraction(entry.rounding) for entry in entries),
            len(entries),
        )
        theirs = ({one.codes}, one.count, one.amount, one.value, one.rounding, one.entries)
        if mine != theirs:
            faults.append(f"{label}: {mine} against {theirs}")
        units = [Fraction(entry.unit) for entry in entries]
        if max(units) - min(units) > rules.step:
            faults.append(f"{label}: units {units} are no neighbours")
    return faults


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """Runs the worlds; exit code 1 where one differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    given = parser.parse_args(arguments)
    seeds = [given.seed] if given.seed is not None else range(given.first, given.first + given.worlds)
    verdicts: Counter[str] = Counter()
    began, entries, bad = time.monotonic(), 0, []
    with ProcessPoolExecutor(given.jobs) as pool:
        for done, report in enumerate(pool.map(run_world, seeds, chunksize=4), 1):
            verdicts += report.verdicts
            entries += report.entries
            if done % 100 == 0:
                _tell(f"{done} worlds, {verdicts.total()} orders, {entries} entries, {len(bad)} worlds differ")
            if report.faults:
                bad.append(report.seed)
                _tell("\n  ".join([f"seed {report.seed}:", *report.faults[:5]]))
    seconds = time.monotonic() - began
    orders = ", ".join(f"{count} {name}" for name, count in sorted(verdicts.items()))
    differing = f": {' '.join(map(str, bad[:20]))}" if bad else ""
    _tell(
        f"{len(seeds)} worlds, {verdicts.total()} orders ({orders}), {entries} entries to the cent, {seconds:.0f} s; "
        f"{len(bad)} worlds differ{differing}"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
