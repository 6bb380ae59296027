"""The house rules that a review forgets: imports point one way, the transform is pure, quick commands stay quick."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import etl

PACKAGE = Path(etl.__file__).parent
ROOMS = (
    *("reading", "staging", "proposals", "mapping", "transform", "evidence"),
    *("ledger", "load", "reconcile", "report", "mews"),
)
BELOW = {"etl.model", "etl.errors"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "version": set(),
    # What of a ledger's URL may be shown, whoever shows it.
    "settings": {"etl.errors", "etl.model"},
    "logs": {"etl.errors"},
    "spill": {"etl.errors"},
    "waiting": set(),
    # For people with a notebook or a program of their own.
    "frames": {"etl.ledger", "etl.model", "etl.errors"},
    "api": {"etl.errors", "etl.model", "etl.pipeline", "etl.reconcile", "etl.settings"},
    "model": {"etl.errors"},
    **dict.fromkeys(ROOMS, BELOW),
    # What two rooms need moves down one floor: both read cells by the same rules.
    **{room: {*BELOW, "etl.reading"} for room in ("staging", "mapping")},
    # Both ask what Mews shows of us, and must give the same judgement.
    **{room: {*BELOW, "etl.evidence"} for room in ("ledger", "reconcile")},
    # Whatever is sent or found there is written by the named steps of the ledger.
    "load": {*BELOW, "etl.evidence", "etl.ledger"},
    # Proposals are made of raw cells and Centra's own names.
    "proposals": {*BELOW, "etl.reading", "etl.staging"},
    # The fast lane decides nothing itself: it asks the readers and the rules.
    "columns": {*BELOW, "etl.reading", "etl.staging", "etl.transform"},
    "pipeline": {*BELOW, "etl.columns", *(f"etl.{room}" for room in ROOMS), "etl.settings", "etl.logs", "etl.version"},
    # Many properties at once: processes of the same program, so it knows none of the jobs, only what is common to all.
    "portfolio": {*BELOW, "etl.mews", "etl.report", "etl.settings"},
    "cli": {
        "etl.errors",
        "etl.model",
        "etl.pipeline",
        "etl.portfolio",
        "etl.sandbox",
        "etl.settings",
        "etl.logs",
        "etl.version",
    },
    # Independent of everything, so that it does not repeat our mistakes.
    "sandbox": {"etl.errors", "etl.version"},
    "__init__": {"etl.api"},
    "__main__": {"etl.cli"},
}
ALLOWED_BESIDES = {
    # The client names itself to Mews.
    ("mews", "etl.version"),
    # Reports and ledgers carry the version that wrote them.
    ("report", "etl.version"),
    ("ledger", "etl.version"),
    # Workers of a cluster must have the version that hands them their tasks.
    ("portfolio", "etl.version"),
    # What is waited for, told by who waits and shown by who draws.
    ("pipeline", "etl.waiting"),
    # The one temporary store.
    ("staging", "etl.spill"),
    ("pipeline", "etl.spill"),
    ("reconcile", "etl.spill"),
    ("report", "etl.spill"),
    ("reconcile", "etl.version"),
    # For type checkers only: what the confirmation shows.
    ("cli", "etl.report"),
}
IMPURE = {
    *("asyncio", "glob", "http", "httpx", "io", "logging", "os", "pathlib", "random", "secrets", "shutil", "socket"),
    *("sqlalchemy", "sqlite3", "structlog", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid"),
}
HEAVY = {
    *("pandas", "numpy", "httpx", "pydantic", "sqlalchemy", "jinja2", "xlsxwriter", "xlrd", "ijson"),
    *("rich", "structlog", "tenacity", "pycountry", "isodate", "simplejson", "psutil", "asyncio"),
}
BORDERS = {"cli/__init__.py", "load/sender.py", "load/customers.py", "mews/aiohttp_transport.py"}
"""Where everything is caught: the program's own border, where a worker has sent something: what left must be looked up, and
where a task of the library's hands it to the one that waits for the answer."""


def modules() -> list[Path]:
    """All our modules."""
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    """The room a module lives in, or its own name at the top."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module imports, at the top or within."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, f"{'.' * node.level}{node.module or ''}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    """cli -> pipeline -> rooms -> model -> errors; rooms do not know each other. Otherwise nothing can be replaced."""
    room = room_of(path)
    assert room in MAY_IMPORT, f"{room} has no place in the house"
    for line, name in imported(path):
        assert not name.startswith("."), f"{path.name}:{line} imports relatively"
        if name.partition(".")[0] != "etl":
            continue
        target = ".".join(name.split(".")[:2])
        known = {f"etl.{room}", *MAY_IMPORT[room]}
        assert target in known or (room, target) in ALLOWED_BESIDES, f"{path.name}:{line}: {room} imports {name}"


def test_the_rules_name_every_room() -> None:
    """A new room gets its place here, not somewhere by accident."""
    assert {room_of(path) for path in modules()} == set(MAY_IMPORT)


@pytest.mark.parametrize("room", ["transform", "model", "columns"])
def test_the_rules_are_pure(room: str) -> None:
    """The same orders, mapping and reference data give the same plan: no disk, network, clock or chance."""
    for path in (PACKAGE / room).rglob("*.py"):
        for line, name in imported(path):
            # Places name files by their path; nothing of them is opened here.
            allowed = room == "model" and name == "pathlib"
            assert name.partition(".")[0] not in IMPURE or allowed, f"{path.name}:{line} imports {name}"


@pytest.mark.parametrize("room", ["transform", "model", "columns"])
def test_the_rules_ask_no_clock(room: str) -> None:
    """Mews's time arrives as a value; this machine's has no say."""
    for path in (PACKAGE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute):
                assert node.attr not in {"now", "utcnow", "today"} or not _is_clock(node), f"{path.name}:{node.lineno}"


def _is_clock(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in {"datetime", "date"}


def test_no_money_is_a_float() -> None:
    """One float in the chain and a cent is gone: rooms that touch money never call float on anything but seconds."""
    for room in ("transform", "staging", "model"):
        for path in (PACKAGE / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
                assert not called or "seconds" in ast.unparse(node), f"{path.name}:{node.lineno}"


def test_everything_is_caught_at_the_borders_only() -> None:
    """A broad except elsewhere hides the fault that duplicates an order."""
    found = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            passed_on = isinstance(node, ast.ExceptHandler) and isinstance(node.body[-1], ast.Raise)
            if isinstance(node, ast.ExceptHandler) and not passed_on and _catches(node) & {"Exception", ""}:
                found.add(str(path.relative_to(PACKAGE)))
    assert found <= BORDERS


def test_whoever_catches_even_the_end_raises_it_again() -> None:
    """Ctrl-C must not be swallowed: `except BaseException` is for tidying up, and re-raises (or hands it over)."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ExceptHandler) and "BaseException" in _catches(node):
                kept = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
                handed = any(isinstance(inner, ast.Name) and inner.id == node.name for inner in ast.walk(node))
                assert kept or handed, f"{path.name}:{node.lineno}"


def _catches(node: ast.ExceptHandler) -> set[str]:
    if node.type is None:
        return {""}
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return {kind.id for kind in kinds if isinstance(kind, ast.Name)}


@pytest.mark.parametrize(
    ("what", "heavy"),
    [
        ("import etl.cli", HEAVY),
        ("import etl.cli.run, etl.cli.dry_run, etl.cli.inspect_export", {"pandas", "sqlalchemy", "pydantic", "httpx"}),
        ("import etl.cli.status, etl.pipeline.status", HEAVY),
        ("import etl.pipeline.run, etl.pipeline.dry_run", {"pandas", "numpy", "xlsxwriter", "jinja2", "aiohttp"}),
        ("import etl.sandbox", HEAVY),
    ],
    ids=["help", "options", "status", "run", "sandbox"],
)
def test_a_command_imports_only_what_it_needs(what: str, heavy: set[str]) -> None:
    """--help and status answer at once; a dry run without a report does not load the libraries of reports."""
    script = f"import sys; {what}; print(' '.join(name for name in sys.modules if '.' not in name))"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(shown.stdout.split()) & heavy == set()


def test_only_the_end_of_the_program_exits_it() -> None:
    """sys.exit in a room would skip the ledger's end."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in {"exit", "_exit"} and isinstance(node.value, ast.Name):
                assert node.value.id not in {"sys", "os"} or path.name == "__init__.py", f"{path}:{node.lineno}"


def test_nothing_is_left_undone() -> None:
    """A known gap is a documented limit, not a remark in the code; and prints bypass --quiet and --json."""
    for path in modules():
        text = path.read_text("utf-8")
        for word in ("TODO", "FIXME", "XXX", "NotImplementedError("):
            assert word not in text, f"{path.name}: {word}"
        for node in ast.walk(ast.parse(text)):
            printed = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            assert not printed, f"{path.name}:{node.lineno}"


def test_test_modules_have_names_of_their_own() -> None:
    """Two of one name and the whole suite is not even collected."""
    names = [path.name for path in (PACKAGE.parent / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_the_wheel_holds_every_room() -> None:
    """A new room that the list of packages in pyproject.toml leaves out is missing from the wheel only: add it there."""
    settings = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    folders = {path.parent for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    found = {".".join(("etl", *folder.relative_to(PACKAGE).parts)) for folder in folders}
    assert settings["packages"] == sorted(found | set(settings["package-dir"]))
