"""Every error that a person can meet says what to do next: no raise of ours leaves its hint out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import etl
from etl import errors

PACKAGE = Path(etl.__file__).parent
FOR_PEOPLE = {
    name
    for name, one in vars(errors).items()
    if isinstance(one, type) and issubclass(one, errors.EtlError) and one not in (errors.EtlError, errors.InternalError)
}


def raised(path: Path) -> Iterator[ast.Call]:
    """Calls that make an error for people."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FOR_PEOPLE:
            yield node


@pytest.mark.parametrize(
    "room", sorted(path for path in PACKAGE.iterdir() if path.is_dir()), ids=lambda room: room.name
)
def test_no_error_ends_without_a_next_step(room: Path) -> None:
    """`hint=` is given wherever an error for people is made."""
    for path in sorted(room.rglob("*.py")):
        for call in raised(path):
            names = {keyword.arg for keyword in call.keywords}
            assert names & {"hint", None}, f"{path.relative_to(PACKAGE)}:{call.lineno} raises without a hint"
