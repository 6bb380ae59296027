"""docs/architecture.md shows the house as it stands: its rooms, what each imports, how large it is, where things are."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import etl

PACKAGE = Path(etl.__file__).parent
PAGE = (PACKAGE.parent / "docs" / "architecture.md").read_text("utf-8")
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
TOLERANCE = 0.25
"""A page that is corrected with every line would be corrected by nobody."""


def rows() -> dict[str, tuple[str, str]]:
    """What the table of rooms says: imports and lines by room."""
    found = re.findall(r"^\| `(\w+)/` \| [^|]+ \| ([^|]+) \| (\d+) \|$", PAGE, re.MULTILINE)
    return {room: (imports.strip(), lines) for room, imports, lines in found}


def tables() -> dict[str, set[str]]:
    """What the architecture test allows each room."""
    sys.path.insert(0, str(PACKAGE.parent / "tests" / "unit"))
    try:
        import test_architecture as rules
    finally:
        sys.path.pop(0)
    besides: dict[str, set[str]] = {}
    for room, other in rules.ALLOWED_BESIDES:
        besides.setdefault(room, set()).add(other)
    return {room: allowed | besides.get(room, set()) for room, allowed in rules.MAY_IMPORT.items()}


def test_every_room_has_its_line() -> None:
    """The rooms listed are the packages that there are."""
    assert sorted(rows()) == ROOMS


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_are_those_that_are_tested(room: str) -> None:
    """A room's imports are those that the architecture test allows it."""
    assert rows()[room][0] == ", ".join(sorted(name.removeprefix("etl.") for name in tables()[room]))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_about_as_large_as_it_says(room: str) -> None:
    """Whoever looks for the weight of the house finds it."""
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in (PACKAGE / room).rglob("*.py"))
    assert abs(int(rows()[room][1]) - lines) <= TOLERANCE * lines, f"{room}/ has {lines} lines now: make docs"


def test_floors_stand_on_each_other() -> None:
    """No room imports one that is listed above it, the sandbox aside, which stands beside the house."""
    order = list(rows())
    assert order[-1] == "sandbox"
    for at, room in enumerate(order):
        above = {f"etl.{other}" for other in order[:at]}
        assert not above & tables()[room], room


def test_what_is_named_is_there() -> None:
    """Modules in backticks exist; one without a folder lies where the last named one of its line does."""
    missing = []
    for line in PAGE.splitlines():
        folder = ""
        for name in re.findall(r"`(?:etl/)?([\w/]+\.py)`", line):
            if name.startswith("tests/"):
                place = PACKAGE.parent / name
            else:
                folder = name.rpartition("/")[0] or folder
                place = PACKAGE / (name if "/" in name else Path(folder, name))
            if not place.is_file():
                missing.append(name)
    assert missing == []


def test_values_live_where_the_page_says() -> None:
    """`Order` (`model/order.py`): the class is defined there."""
    named = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \(`(model/\w+\.py)`\)", PAGE, re.MULTILINE)
    assert len(named) >= 7
    for classes, module in named:
        text = (PACKAGE / module).read_text("utf-8")
        for name in re.findall(r"\w+", classes):
            assert f"class {name}" in text, f"{name} in {module}"
