"""The recipes of docs/mapping-guide.md that show a mapping: what they say is sent is what is planned."""

from __future__ import annotations

import re
import shlex
from contextlib import ExitStack
from pathlib import Path

import click
import pytest
from builders import a_reference

from etl.cli import cli, hoisted
from etl.mapping.folder import read_mapping
from etl.model.plan import PlannedOrder
from etl.model.reference import Account
from etl.pipeline.planning import Span
from etl.pipeline.prepare import Export, open_batch, plan_export

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "mapping-guide.md").read_text("utf-8")
HOUSE, TRADE = "ac000000-0000-4000-a000-000000000001", "c0000000-0000-4000-a000-000000000001"
RECIPES = ("Several VAT rates, and a rate that changed", "Gift cards beside discounts", "B2B beside B2C")


def silent(_what: str, _done: int, _total: int | None) -> None:
    """No progress."""


def told(recipe: str, folder: Path) -> list[tuple[str, ...]]:
    """Writes the recipe's files; gives the rows of its table."""
    text = re.split(r"^#{2,3} ", GUIDE.partition(f"### {recipe}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    for name, content in re.findall(r"^`([a-z]+\.[a-z]+)`:\n\n```\w+\n(.*?)```", text, re.DOTALL | re.MULTILINE):
        path = folder / name if name == "orders.csv" else folder / "mappings" / name
        path.write_text(content, "utf-8")
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in re.findall(r"^\|.*\|$", text, re.MULTILINE)
    ]
    return rows[2:]


def sent(order: PlannedOrder) -> list[tuple[str, ...]]:
    """What an order sends, as the guide writes it."""
    rows = [(order.number, one.name, f"{one.count} x {one.unit:f}", " ".join(one.codes)) for one in order.entries]
    return [*rows, *((order.number, f"payment {one.type}", f"{one.amount:f}", "") for one in order.payments)]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_plans_what_it_says(tmp_path: Path, recipe: str) -> None:
    """A reader copies the rows, and expects the amounts."""
    (tmp_path / "mappings").mkdir()
    wanted = told(recipe, tmp_path)
    mapping = read_mapping(tmp_path / "mappings")
    accounts = {HOUSE: Account(HOUSE, "Customer", "House", True), TRADE: Account(TRADE, "Company", "Trade Ltd", True)}
    reference = a_reference(accounts=accounts, eids={"service:WEB-SHOP": "se-shop"})
    with ExitStack() as stack:
        batch, facts = stack.enter_context(open_batch(Export([tmp_path / "orders.csv"]), mapping, silent))
        prepared = plan_export(stack, batch, facts, mapping, reference, span=Span(None, None), progress=silent)
        orders = list(prepared.store.by_number())
    assert [
        (order.number, [one.message for one in order.problems if one.is_error]) for order in orders if order.codes
    ] == []
    assert [row for order in orders for row in sent(order)] == wanted
    if recipe.startswith("B2B"):
        assert [order.account_id for order in orders] == [HOUSE, TRADE, TRADE]


COMMANDS_TOLD = sorted(set(re.findall(r"`centra-mews ((?:--[a-z]+ [^ `]+ )*[a-z-]+(?: [^`]*)?)`", GUIDE)))


@pytest.mark.parametrize("typed", COMMANDS_TOLD)
def test_a_command_of_the_guide_can_be_typed(typed: str) -> None:
    """Options that do not exist cost a reader the trust in the rest."""
    name, *rest = [word for word in hoisted(shlex.split(typed)) if word != "EXPORT..."]
    while name.startswith("--"):
        assert name in {option for parameter in cli.params for option in parameter.opts}
        _, name, *rest = rest
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    command.make_context(name, [*rest, "orders.csv"] if "EXPORT..." in typed else rest, resilient_parsing=True)
