"""Whatever stands in the mapping folder: a mapping, or a MappingError that says where."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from etl.errors import MappingError
from etl.mapping.folder import read_mapping
from etl.model.mapping_tables import TABLES

SETTINGS = '[source]\nstore = "s"\ntimezone = "Europe/London"\nprices_include_tax = true\n[target]\nservice = "eid:X"\n'
TAXES = "country,vat_percent,valid_from,valid_before,tax_codes\n*,20,,,A\n"

cells = st.sampled_from(
    [
        "",
        "*",
        "GB",
        "gb",
        "20",
        "17,5",
        "2011-01-04",
        "04.01.2011",
        "04/01/2011",
        "exempt",
        "yes",
        "sku",
        "eid:X",
        "#",
        '"',
        "'",
        "10-R7",
        "5e000000-0000-4000-a000-000000000001",
        "1.234,50",
        "total.mismatch",
        "rebate",
        "Cash",
        "\x00",
        "\x85",
        "é",
        "\u2028",
        "[",
        "a*",
    ]
) | st.text(max_size=6)
keys = st.sampled_from(
    ["store", "timezone", "service", "notes", "rate_limit", "post", "type", "tax", "x", "import_statuses"]
)
values = st.sampled_from(
    [
        "true",
        "1",
        "0.5",
        "nan",
        "inf",
        "1e400",
        '""',
        '"x"',
        "[]",
        "[1]",
        '["Completed"]',
        "{}",
        "2011-01-04",
        '"{a"',
        "'''",
        "x",
    ]
)


def read(**files: str | bytes) -> None:
    """Reads such a folder; a refusal must name the file that is at fault."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in {"migration.toml": SETTINGS, "taxes.csv": TAXES, **files}.items():
            (folder / file).write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        refusal = ""
        try:
            read_mapping(folder)
        except MappingError as error:
            refusal = error.message
    assert not refusal or any(file in refusal for file in files)


@given(st.sampled_from(sorted(TABLES)), st.lists(st.lists(cells, max_size=9), max_size=4), st.sampled_from(",;\t|"))
def test_any_cells(file: str, rows: list[list[str]], delimiter: str) -> None:
    """A table full of nonsense is refused with its place, never with a traceback."""
    lines = [TABLES[file].names, *rows]
    read(**{file: "\n".join(delimiter.join(line) for line in lines)})


@given(st.sampled_from(["migration.toml", "taxes.csv", "waivers.csv"]), st.binary(max_size=80))
def test_any_bytes(file: str, data: bytes) -> None:
    """Files of another program end in a sentence."""
    read(**{file: data})


@given(
    st.sampled_from(["source", "target", "payments", "shipping", "mews", "x"]),
    st.dictionaries(keys, values, max_size=4),
)
def test_any_settings(section: str, pairs: dict[str, str]) -> None:
    """Any TOML value under any key is taken or explained."""
    text = "".join(f"{key} = {value}\n" for key, value in pairs.items())
    read(**{"migration.toml": f"[{section}]\n{text}"})
    read(**{"migration.toml": f"{text}{SETTINGS}"})
