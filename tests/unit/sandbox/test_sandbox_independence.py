"""The sandbox is an independent reading of the contract, or a shared mistake would pass every test."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import etl.sandbox

ROOM = Path(etl.sandbox.__file__).parent


def test_the_sandbox_imports_nothing_of_ours_but_errors():
    """Neither money nor plan nor transform: only etl.errors and its own modules."""
    foreign = set()
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                foreign.add(node.module or "relative")
            elif isinstance(node, ast.Import):
                foreign.update(alias.name for alias in node.names)
    ours = {name for name in foreign if name.startswith(("etl", "relative"))}
    assert {name for name in ours if name != "etl.errors" and not name.startswith("etl.sandbox")} == set()


def test_importing_the_package_loads_no_part_of_it():
    """`--help` of every command stays fast: the parts load when they are used."""
    script = (
        "import etl.sandbox, sys; print([m for m in sys.modules if m.startswith(('etl.sandbox.', 'httpx', 'h11'))])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
