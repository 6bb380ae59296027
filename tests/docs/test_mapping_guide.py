"""docs/mapping-guide.md against the model: a key or column that is not explained does not exist for its users."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from etl.mapping.fields import LINE_FIELDS, NAME_FIELDS, ORDER_FIELDS
from etl.mapping.folder import read_mapping
from etl.model.codes import CODES
from etl.model.mapping import DECIDED, Settings
from etl.model.mapping_tables import TABLES

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "mapping-guide.md").read_text("utf-8")


def part(level: int, title: str) -> str:
    """The text below a heading, up to the next of its level or above."""
    match = re.search(
        rf"^{'#' * level} {re.escape(title)}.*?\n(.*?)(?=^#{{1,{level}}} |\Z)", GUIDE, re.MULTILINE | re.DOTALL
    )
    assert match is not None, f"the guide has no heading {title}"
    return match[1]


def rows(text: str) -> dict[str, str]:
    """First cell without its backticks to the whole row, of the tables in `text`."""
    return {match[1]: match[0] for match in re.finditer(r"^\| `([^`]+)` \|.*$", text, re.MULTILINE)}


def allowed(annotation: Any) -> Iterator[str]:
    """All values of closed lists in a type, as the guide writes them."""
    if get_origin(annotation) is Literal:
        for value in get_args(annotation):
            yield str(value).lower() if isinstance(value, bool) else value
    if annotation is bool:
        yield from ("true", "false")
    for inner in get_args(annotation):
        yield from allowed(inner)


def default(value: Any) -> str:
    """A default as the guide's second column has it."""
    if value in ("", None):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{one}"' for one in value) + "]`"
    return f'`"{value}"`' if isinstance(value, str) or value == Decimal("0.00") else f"`{value}`"


SECTIONS = {name: info.annotation for name, info in Settings.model_fields.items()}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_is_explained_with_its_default_and_values(section: str) -> None:
    """The guide and the model must not drift apart, in either direction."""
    explained = rows(part(3, f"[{section}]"))
    fields = SECTIONS[section].model_fields
    assert list(explained) == list(fields)
    for key, info in fields.items():
        is_required = info.is_required() or (section, key) in DECIDED
        shown = "required" if is_required else default(info.default)
        assert explained[key].split(" | ")[1] == shown, key
        for value in allowed(info.annotation):
            assert f"`{value}`" in explained[key] or f'`"{value}"`' in explained[key], f"{key} does not explain {value}"


@pytest.mark.parametrize("file", TABLES)
def test_every_table_and_column_is_explained(file: str) -> None:
    """Columns in the model's order, closed lists in full, optional columns said so."""
    text = part(2, file)
    explained = rows(text)
    assert list(explained) == list(TABLES[file].names)
    for column in TABLES[file].columns:
        assert ("optional" in explained[column.name]) is not column.required, column.name
        for value in column.allowed:
            assert f"`{value}`" in text, f"{column.name} does not explain {value}"


def test_every_field_and_placeholder_is_listed() -> None:
    """columns.csv and the templates take these names and no others."""
    listed = set(re.findall(r"`([^`]+)`", part(2, "Fields")))
    assert {*ORDER_FIELDS, *LINE_FIELDS} <= listed
    assert listed - {*ORDER_FIELDS, *LINE_FIELDS} == {
        "columns.csv",
        "field",
        "target.notes",
        "vouchers.name",
        "orderId",
    }
    for name in NAME_FIELDS:
        assert f"`{name}`" in rows(part(3, "[products]"))["item_name"]


def test_the_waivable_problems_are_listed() -> None:
    """Somebody who may waive a problem reads so here."""
    row = rows(part(2, "waivers.csv"))["problem_code"]
    assert {name for name in re.findall(r"`([a-z._]+)`", row) if name in CODES} == {
        code.code for code in CODES.values() if code.can_waive or code.can_accept
    }


def test_the_examples_of_the_guide_are_read(tmp_path: Path) -> None:
    """People copy examples; together they must be a valid folder."""
    (tmp_path / "migration.toml").write_text(re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)[0])
    for file in TABLES:
        (tmp_path / file).write_text(re.findall(r"```csv\n(.*?)```", part(2, file), re.DOTALL)[0])
        header = next(csv.reader(io.StringIO((tmp_path / file).read_text())))
        assert set(header) <= set(TABLES[file].names)
    mapping = read_mapping(tmp_path)
    assert mapping.notices == ()
    assert tomllib.loads((tmp_path / "migration.toml").read_text())["source"]["store"] == mapping.settings.source.store


def test_links_lead_to_headings() -> None:
    """A table of contents with dead links helps nobody."""
    anchors = {
        re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", GUIDE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", GUIDE)) <= anchors
