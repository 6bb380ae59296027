"""No room grows unseen: how long a module may be and how much a constructor may ask for, with the exceptions that are left.

Both lists can only shrink: what is not over the limit any more has to leave them, and nothing may be longer than it is.
"""

from __future__ import annotations

import ast
from pathlib import Path

import etl

PACKAGE = Path(etl.__file__).parent
LONGEST = 500
"""Lines of a module."""
MOST = 8
"""Parameters of a constructor, `self` aside. Values (dataclasses) have as many fields as they have facts."""

LONG_MODULES = {}
"""Modules above LONGEST, and the lines that they had when they were looked at last."""

LARGE_CONSTRUCTORS = {}
"""Constructors above MOST, and how many parameters they had when they were looked at last."""


def lengths() -> dict[str, int]:
    """Lines by module."""
    return {str(path.relative_to(PACKAGE)): len(path.read_text("utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}


def constructors() -> dict[str, int]:
    """Parameters by module and class."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for inner in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
                    asked = inner.args
                    count = len(asked.posonlyargs) + len(asked.args) + len(asked.kwonlyargs) - 1
                    found[f"{path.relative_to(PACKAGE)}:{node.name}"] = count
    return found


def test_modules_stay_short() -> None:
    """A module that nobody can hold in mind is two."""
    check(lengths(), LONGEST, LONG_MODULES)


def test_constructors_ask_for_little() -> None:
    """Whoever needs more than eight things does more than one."""
    check(constructors(), MOST, LARGE_CONSTRUCTORS)


def check(found: dict[str, int], limit: int, exceptions: dict[str, int]) -> None:
    """Nothing new above the limit; the exceptions are still some, and no larger than they were."""
    above = {name: size for name, size in found.items() if size > limit}
    assert sorted(set(above) - set(exceptions)) == [], "split these"
    assert sorted(set(exceptions) - set(above)) == [], "within the limit now: take these from the list"
    grown = {name: size for name, size in above.items() if size > exceptions[name]}
    assert grown == {}, "larger than they were"
