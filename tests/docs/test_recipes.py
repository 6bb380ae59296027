"""The recipes of docs/mapping-guide.md, run: what the guide says that `init` proposes is what it proposes."""

from __future__ import annotations

import csv
import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from foreign_dumps import DUMPS
from made_up import made_up_rows

from etl.pipeline.init import init
from etl.pipeline.prepare import Export
from etl.settings import Settings

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "mapping-guide.md").read_text("utf-8")
RECIPES = {
    "A German ERP csv": "german",
    "A Shopify csv": "shopify",
    "WooCommerce JSON": "woocommerce",
    "A Business Central workbook": "business_central",
    "Centra's Integration API (JSON)": "integration_api",
}


def told(recipe: str) -> dict[str, list[list[str]]]:
    """The tables of a recipe by their first column's name; empty where it shows none."""
    text = GUIDE.partition(f"### {recipe}\n")[2]
    text = re.split(r"^#{2,3} ", text, maxsplit=1, flags=re.MULTILINE)[0]
    assert text, recipe
    found: dict[str, list[list[str]]] = {"header": [], "field": []}
    for block in re.findall(r"```csv\n(.*?)```", text, re.DOTALL):
        rows = list(csv.reader(block.splitlines()))
        found[rows[0][0]] = rows[1:]
    return found


@pytest.mark.parametrize(("recipe", "dump"), RECIPES.items())
def test_a_recipe_is_what_init_does(tmp_path: Path, recipe: str, dump: str) -> None:
    """A guide that shows other rows than the tool writes sends its reader on a search."""
    paths = DUMPS[dump](made_up_rows(), tmp_path)
    names = " ".join(path.name for path in paths)
    assert f"centra-mews init {names} " in GUIDE
    with ExitStack() as stack:
        begun = init(
            stack, Settings(tmp_path / "m", ""), Export(paths), store="s", timezone="UTC", progress=lambda *_: None
        )
    wanted = told(recipe)
    assert [[one.header, one.field, one.sure or ""] for one in begun.proposed.proposals.columns] == wanted["header"]
    assert [[one.field, one.value, one.means, one.sure or ""] for one in begun.proposed.values] == wanted["field"]
    assert begun.proved["prices_include_tax"] is True
    if pattern := begun.proved.get("order_number"):
        assert f'order_number = "{pattern}"' in GUIDE
