"""docs/problems.md is what the program's own table says: `make docs` writes it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from etl.model.codes import CODES

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "problems.md"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """The script of `make docs`."""
    spec = importlib.util.spec_from_file_location("make_problems", ROOT / "docs" / "make_problems.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_code_has_an_example(maker: ModuleType) -> None:
    """A new code takes one in docs/make_problems.py; one that is gone takes its own with it."""
    assert list(maker.EXAMPLES) == list(CODES)


def test_the_page_is_the_one_that_make_docs_writes(maker: ModuleType) -> None:
    """Run `make docs` where this fails."""
    assert PAGE.read_text("utf-8") == maker.page()


def test_every_section_says_whom_it_hits_and_what_to_do() -> None:
    """In this order, with an example; each code once."""
    sections = re.split(r"^### ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    assert sorted(section.split("\n")[0] for section in sections) == sorted(CODES)
    for section in sections:
        at = [section.index(word) for word in ("**Hits:**", "**To do:**", "**Example:**")]
        assert at == sorted(at)


def test_a_notice_is_never_said_to_block(maker: ModuleType) -> None:
    """What the code only ever raises as a notice stands among the notices."""
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "etl").rglob("*.py"))
    told = set(re.findall(r"notice\(\s*\"([a-z]+\.[a-z_]+)\"", source)) & CODES.keys()
    raised = set(re.findall(r"(?:Problem|problem|bad)\(\s*\"([a-z]+\.[a-z_]+)\"", source))
    assert {code for code in told - raised if not maker.is_notice(CODES[code])} == set()
