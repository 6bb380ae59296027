"""The list of guards to break keeps up with the source; `make guards` breaks them one by one."""

from __future__ import annotations

import ast
import re

import pytest
from break_guards import GUARDS, ROOT

LEAST = 160


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_each_patch_still_applies(guard):
    """A guard that was moved or rewritten is broken where it stands now, not forgotten."""
    assert (ROOT / guard.file).read_text("utf-8").count(guard.old) == 1
    assert guard.old != guard.new
    assert ast.parse((ROOT / guard.file).read_text("utf-8").replace(guard.old, guard.new))


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_each_guard_names_tests_that_exist(guard):
    """A test that was renamed would prove nothing: pytest's -k would choose none."""
    file, only = guard.tests
    found = {node.name for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8"))) if is_test(node)}
    for word in only.split(" or "):
        assert re.fullmatch(r"\w*", word), f"{only!r} is more than names joined by or"
        assert any(word.lower() in name.lower() for name in found), f"{file} has no test with {word!r} in its name"


def is_test(node):
    """Whether the node of a module's tree is a test."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")


def test_the_list_is_long_and_names_each_guard_once():
    """No guard drops out unnoticed."""
    assert len({guard.name for guard in GUARDS}) == len(GUARDS) >= LEAST
