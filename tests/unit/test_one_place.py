"""What is decided once stands in one place: the second copy of a rule is the one that drifts.

`home` is where a thing is told, `left` names the copies that are still there; the list only shrinks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import etl

PACKAGE = Path(etl.__file__).parent


@dataclass(frozen=True)
class Once:
    """A text by which a thing is known, and the modules that may hold it."""

    known_by: str
    home: frozenset[str]
    left: frozenset[str] = field(default=frozenset())


def one(known_by: str, *home: str, left: tuple[str, ...] = ()) -> Once:
    return Once(known_by, frozenset(home), frozenset(left))


THINGS = {
    # plan_store keeps statuses that classify built, without the classes around them.
    "the status of an order": one(r"\bOrderStatus\(", "pipeline/classify.py", "pipeline/plan_store.py"),
    "what an eid: leads to": one(r"\.eids\.get\(", "model/reference.py"),
    "growing pauses": one(
        r"\b2(\.0)? ?\*\* ?\(?\w*(fail|fault|attempt|conflict|tries|waits|self\._waits)|min\(failures|min\(2 \* ",
        "model/pace.py",
    ),
    "halving of what Mews refuses": one(r"half = len\(batch\)", "model/by_ids.py"),
    "what an item was before it was cancelled": one(r"original_net or ", "model/rows.py"),
    "whether what is met is the order": one(r"State\.DIFFERENT if \w+ else State\.POSTED", "ledger/unit_of_work.py"),
    "whose an item of Mews is": one(r"\bparse_marker\(", "model/identity.py", "evidence/marks.py"),
    "numbers of nested returns": one(r'"-R"', "model/identity.py"),
    "names of counts in a request": one(r"\(\"ProductOrders\", \"Count\"\)", "model/payload.py"),
    "orders and payments by id": one(
        r"order_ids=\w+\)", "evidence/read_back.py", "pipeline/outlet.py", "pipeline/canary.py"
    ),
    "which route a reader reads": one(r"isinstance\(.*OutletReader"),
    "whether a holder is certainly dead": one(r"not is_alive\(", "ledger/holder.py"),
    "temporary stores": one(r"\.spill\"", "spill.py"),
    # Files that appear whole in the place of old ones are no stores, nor is the folder that all users of a machine share.
    "temporary files": one(
        r"^import tempfile",
        *("spill.py", "report/folder.py", "mapping/additions.py", "cli/console.py", "mews/slot_file.py"),
    ),
    "windows over Mews's time": one(r"WINDOW = timedelta", "model/windows.py"),
    "the rate of several codes": one(r"\.taxation in rate\.base", "model/taxes.py"),
    "kinds of cells by field": one(r"\"products\.vatPercent\": Kind", "reading/names.py"),
    "fields of answers": one(r"\bto_pascal\b", "mews/fields.py"),
}


@pytest.mark.parametrize("name", THINGS)
def test_it_stands_in_one_place(name: str) -> None:
    """Found where it belongs, and nowhere else."""
    thing = THINGS[name]
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "sandbox" not in path.parts and re.search(thing.known_by, path.read_text("utf-8"), re.MULTILINE)
    }
    assert thing.home <= found, "it has moved: say where to"
    assert sorted(found - thing.home - thing.left) == [], "a second copy"
    assert sorted(thing.left - found) == [], "gone from there: take it from the list"


def test_sql_stands_in_the_ledger() -> None:
    """Whoever else needs the ledger asks it."""
    speaks = re.compile(r"^\s*(from|import) sqlalchemy|etl\.ledger import schema|etl\.ledger\.schema", re.MULTILINE)
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "ledger" not in path.relative_to(PACKAGE).parts and speaks.search(path.read_text("utf-8"))
    }
    assert found == set()
