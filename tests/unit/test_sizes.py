"""No room grows unseen: how long a module may be and how much a constructor may ask for, with the exceptions that are left.

Both lists only shrink: nothing new enters them, and what is within the limit has to leave.
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

LONG_MODULES = frozenset({})
"""Modules above LONGEST that are left."""

LARGE_CONSTRUCTORS: frozenset[str] = frozenset()
"""Constructors above MOST that are left."""


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


def check(found: dict[str, int], limit: int, exceptions: frozenset[str]) -> None:
    """Nothing new above the limit, and the exceptions are still some."""
    above = {name for name, size in found.items() if size > limit}
    assert sorted(above - exceptions) == [], "split these"
    assert sorted(exceptions - above) == [], "within the limit now: take these from the list"
