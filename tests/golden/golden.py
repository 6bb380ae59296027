"""What is planned and reported of known exports, as text that a person can review in a diff.

    python tests/golden/golden.py           writes every file again (`make golden`)

Whatever changes a plan or a report shows as lines of these files: look at each before it is committed. `orders.txt`
holds every sample order with verdict, fingerprint, problems and the very bytes that would be sent; `report/` the files
of a dry run's report (of page and workbook what they show, not their bytes). Of the worked examples and of the real
month, which belong to others, hashes are kept. All are planned in this process against a sandbox whose clock stands still.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from unittest import mock

import openpyxl
from planned_at_once import NOW, planned

from etl.model import payload
from etl.model.identity import Identity
from etl.model.plan import Basis, PlannedOrder, Verdict, order_payload, payment_payload
from etl.pipeline.dry_run import finish
from etl.pipeline.prepare import Prepared
from etl.version import __version__

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SHARED = ROOT.parent / "shared"
SAMPLES = ("orders.csv", "get-orders.ndjson")
MONTH = "online-retail-2010-12.csv"


class _Now(datetime):
    """datetime, of which `now` is always the same."""

    @classmethod
    def now(cls, tz: object = None) -> datetime:
        return NOW


def order_lines(order: PlannedOrder, store: str, basis: Basis) -> Iterator[str]:
    """One order as text: what was decided, its problems, and the bytes of each request."""
    facts = {
        "account": f"{order.account_id} by {order.account_key}".strip(),
        "consumption": order.consumption,
        "source": order.source_total,
        "planned": order.planned_total if order.verdict is Verdict.READY else None,
        "rounding": {str(cause): f"{amount:f}" for cause, amount in order.rounding_causes},
        "unproved": list(order.unproved),
        "skipped": order.skip_reason,
        "customer": dict(order.create_customer),
        "fingerprint": order.fingerprint,
        "skip_fingerprint": order.skip_fingerprint,
        "unread": order.unread,
    }
    yield f"== {order.number} {order.verdict} {order.currency}"
    yield json.dumps(
        {name: value for name, value in facts.items() if value not in ("", None, [], {}, "by")}, default=str
    )
    for problem in order.problems:
        kind = "error" if problem.is_error else "notice"
        yield f"{kind} {problem.code} [{problem.place}] {problem.value!r}: {problem.message} | {problem.hint}"
    if order.verdict is not Verdict.READY:
        return
    identity = Identity(store, order.number)
    yield f"orders/add {payload.dump(order_payload(order, identity)).decode()}"
    for payment in order.payments:
        yield f"payments/addExternal {payload.dump(payment_payload(order, payment, identity, basis)).decode()}"


def plan_text(prepared: Prepared) -> Iterator[str]:
    """The whole plan as text, its id first."""
    store, basis = prepared.mapping.settings.source.store, Basis(prepared.reference.pricing.value.lower())
    yield f"plan {prepared.plan.plan}"
    for order in prepared.store.by_number():
        yield from order_lines(order, store, basis)


def plan_hash(prepared: Prepared) -> dict[str, str]:
    """The plan id, and a hash over everything that `plan_text` shows."""
    digest = hashlib.sha256()
    for line in plan_text(prepared):
        digest.update(line.encode() + b"\n")
    return {"plan": prepared.plan.plan, "facts": "sha256:" + digest.hexdigest()}


def sample_plan() -> str:
    """orders.txt: every order of the sample exports."""
    with ExitStack() as stack, contextlib.chdir(ROOT):
        exports = [Path("sample_data") / name for name in SAMPLES]
        return "\n".join(plan_text(planned(stack, exports, Path("mappings"), "gross-uk"))) + "\n"


def sample_report() -> dict[str, str]:
    """The golden report: text by file name."""
    with ExitStack() as stack, contextlib.chdir(ROOT):
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "report"
        stack.enter_context(mock.patch("etl.pipeline.reporting.datetime", _Now))
        prepared = planned(stack, [Path("sample_data") / name for name in SAMPLES], Path("mappings"), "gross-uk")
        finish(prepared, None, folder, "dry-run")
        files = {path.name: path.read_bytes().decode("utf-8-sig") for path in folder.glob("*.csv")}
        files["summary.json"] = (folder / "summary.json").read_text("utf-8") + "\n"
        files["report.html.txt"] = "\n".join(page_text((folder / "report.html").read_text("utf-8"))) + "\n"
        files["report.xlsx.txt"] = "\n".join(workbook_text(folder / "report.xlsx")) + "\n"
    return {name: text.replace("\r\n", "\n").replace(f'"{__version__}"', '"VERSION"') for name, text in files.items()}


class _Shown(HTMLParser):
    """What a page says, one line for each element that holds text."""

    BREAKS = frozenset({"section", "h1", "h2", "h3", "h4", "p", "li", "tr", "caption", "summary", "dt", "dd", "div"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self._parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.BREAKS:
            self._end()
        if tag in ("script", "style"):
            self._silent += 1
        if tag == "section":
            self.lines.append(f"== section {dict(attrs).get('id', '')}")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._silent -= 1
        if tag in ("td", "th"):
            self._parts.append("|")
        if tag in self.BREAKS:
            self._end()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._parts.append(data)

    def _end(self) -> None:
        if text := " ".join(" ".join(self._parts).split()):
            self.lines.append(text)
        self._parts = []


def page_text(page: str) -> list[str]:
    """The words and figures of a page, without what a version or a style changes."""
    shown = _Shown()
    shown.feed(page)
    return [re.sub(r"centra-mews \d\S*", "centra-mews VERSION", line) for line in shown.lines]


def workbook_text(path: Path) -> Iterator[str]:
    """The sheets of a workbook: their size, header and first rows, and the sums of their columns of numbers."""
    for sheet in openpyxl.load_workbook(path).worksheets:
        rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
        yield f"== sheet {sheet.title}: {len(rows)} rows"
        for row in rows[:6]:
            yield " | ".join("" if value is None else str(value) for value in row).rstrip(" |")
        sums: dict[int, Decimal] = {}
        for row in rows:
            for at, value in enumerate(row):
                if isinstance(value, int | float):
                    sums[at] = sums.get(at, Decimal(0)) + Decimal(str(value))
        yield f"sums {', '.join(f'{at}: {total:f}' for at, total in sorted(sums.items()))}".rstrip()


def example_hashes(shared: Path) -> dict[str, dict[str, str]]:
    """Every worked example by its name."""
    found = {}
    for folder in sorted(path.parent.relative_to(shared) for path in (shared / "examples").glob("*/expect.json")):
        # Places name files by the path that was typed: it is to be the same on every machine.
        with ExitStack() as stack, contextlib.chdir(shared):
            exports = sorted(folder.glob("orders.*"))
            found[folder.name] = plan_hash(planned(stack, exports, folder / "mapping", str(folder / "world.json")))
    return found


def month_hash(shared: Path) -> dict[str, str]:
    """The real month in its first format."""
    december = ROOT / "tests" / "december"
    with ExitStack() as stack, contextlib.chdir(shared):
        exports = [Path("data") / MONTH]
        return plan_hash(planned(stack, exports, december / "mapping", str(december / "world.json")))


def as_json(value: object) -> str:
    """A file of hashes."""
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def main() -> None:
    """Writes all golden files, and says which of them are others now."""
    files = {"orders.txt": sample_plan(), **{f"report/{name}": text for name, text in sample_report().items()}}
    if (SHARED / "examples").is_dir():
        files["examples.json"] = as_json(example_hashes(SHARED))
        files["month.json"] = as_json(month_hash(SHARED))
    for old in (HERE / "report").glob("*"):
        if f"report/{old.name}" not in files:
            old.unlink()
    (HERE / "report").mkdir(exist_ok=True)
    for name, text in files.items():
        path = HERE / name
        before = path.read_text("utf-8") if path.is_file() else None
        path.write_text(text, encoding="utf-8", newline="\n")
        if before != text:
            print(f"{path.relative_to(ROOT)} is another now; look at git diff")  # noqa: T201


if __name__ == "__main__":
    main()
