"""README, operations.md and changelog against the program: what is told exists, and what exists is told."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import click
import pytest

from etl.cli import COMMANDS, cli
from etl.errors import ExitCode
from etl.model.code import Origin
from etl.model.codes import CODES
from etl.model.states import State
from etl.model.status import ReportState
from etl.sandbox import describe_faults, describe_world
from etl.sandbox.world_file import parse_world
from etl.settings import ACCESS_TOKEN, ADDRESS, CLIENT_TOKEN
from etl.version import __version__

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")
PAGES = {path.name: path.read_text("utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
WHERE = {Origin.SOURCE: "export", Origin.MAPPING: "mapping", Origin.MEWS: "Mews", Origin.LEDGER: "ledger"}


def part(title: str) -> str:
    """The text below a heading of operations.md."""
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", OPERATIONS, re.MULTILINE | re.DOTALL)
    assert match is not None, title
    return match[1]


def rows(title: str) -> dict[str, str]:
    """First cell of each row without backticks to the whole row."""
    return {match[1]: match[0] for match in re.finditer(r"^\| `([^`]+)` \|.*$", part(title), re.MULTILINE)}


def commands() -> dict[str, click.Command]:
    """Every command that the program has."""
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def options(command: click.Command) -> set[str]:
    """The long options of a command."""
    return {
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
        if name.startswith("--")
    }


GLOBAL = options(cli) | {"--help"}


def test_every_command_and_option_has_its_row() -> None:
    """An option that is told nowhere is found by nobody; one that is gone misleads at night."""
    table = {name.split()[0]: row for name, row in rows("Commands and options").items() if not name.startswith("--")}
    assert list(table) == list(COMMANDS)
    for name, command in commands().items():
        assert set(re.findall(r"`(--[a-z-]+)`", table[name].split(" | ")[2])) == options(command), name
    assert {name for name in rows("Commands and options") if name.startswith("--")} == GLOBAL


def test_every_exit_code_is_explained() -> None:
    """Schedulers branch on them."""
    assert set(rows("Exit codes")) == {str(int(code)) for code in ExitCode}


def test_every_state_is_explained() -> None:
    """The person called at night sees a state and needs the next command."""
    assert set(rows("States")) == {*(state.value for state in State), *(state.value for state in ReportState)}


@pytest.mark.parametrize("code", CODES)
def test_every_problem_code_is_in_the_table(code: str) -> None:
    """The table says what the program says, word by word; a new code takes the line shown here."""
    known = CODES[code]
    assert rows("Problem codes").get(code) == f"| `{code}` | {WHERE[known.origin]} | {known.title} | {known.hint} |"


def test_the_table_of_problem_codes_holds_no_other() -> None:
    """A code that is gone would send people on a search."""
    assert list(rows("Problem codes")) == list(CODES)


def test_every_dial_is_described() -> None:
    """A rehearsal is only as good as the faults that people know of."""
    assert {name: row.split(" | ")[1].removesuffix(" |") for name, row in rows("Rehearse a bad day").items()} == dict(
        describe_faults()
    )


def test_every_key_of_a_world_is_described() -> None:
    """Whoever writes a world has only this table, and what `--help` says in the same words."""
    told = rows("Rehearse with a hotel like yours")
    assert {name: row.split(" | ", 1)[1].removesuffix(" |") for name, row in told.items()} == dict(describe_world())


def test_the_world_of_the_manual_is_a_hotel() -> None:
    """Copied into a file, it plays a hotel in Italy with its tax codes, and no key of it is ignored."""
    match = re.search(r"```json\n(.*?)```", part("Rehearse with a hotel like yours"), re.DOTALL)
    assert match is not None
    world = parse_world(json.loads(match[1], parse_float=Decimal))
    assert world.notices == ()
    assert {code: rate.value for code, rate in world.rates.items()} == {
        "IT-22%": Decimal("0.22"),
        "IT-10%": Decimal("0.1"),
        "IT-0%": Decimal(0),
    }
    assert world.tax_environments[world.enterprise.tax_environment].country == "ITA"
    assert world.enterprise.allow_rebates


def test_the_codes_that_stop_a_command_exist() -> None:
    """Each of them is raised somewhere, under this very name."""
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "etl").rglob("*.py"))
    told = set(re.findall(r"`([a-z]+\.[a-z_]+)`", "\n".join(part("What stops a command").splitlines()[5:])))
    told -= {"target.service", "target.enterprise_id"}
    assert told
    assert {code for code in told if f'"{code}"' not in source} == set()


def test_the_variables_of_the_connection_are_named() -> None:
    """Without them no command reaches Mews."""
    for page in ("README.md", "operations.md"):
        for name in (ADDRESS, CLIENT_TOKEN, ACCESS_TOKEN):
            assert name in PAGES[page]


def calls(text: str) -> Iterator[list[str]]:
    """Every call of centra-mews in code spans and code blocks, as words."""
    spans = re.findall(r"`(centra-mews [^`\n]+)`", text)
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    spans += re.findall(r"^(?:\$ )?(centra-mews .+)$", blocks, re.MULTILINE)
    for span in spans:
        yield shlex.split(span.partition(" #")[0].replace("...", " "))[1:]


VALUED = frozenset({"--mappings", "--ledger", "--log-format", "--log-level"})
"""Global options that are followed by a value."""


@pytest.mark.parametrize("page", PAGES)
def test_pages_type_only_what_works(page: str) -> None:
    """People copy commands from these pages."""
    known = commands()
    for words in calls(PAGES[page]):
        before = ["", *words]
        plain = (
            word for word, last in zip(words, before, strict=False) if not word.startswith("-") and last not in VALUED
        )
        name = next(plain, "")
        if not name:
            assert set(words) <= GLOBAL, words
            continue
        assert name in COMMANDS, (page, words)
        if name in known:
            used = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert used <= GLOBAL | options(known[name]), (page, words)


def test_the_pages_hold_commands_at_all() -> None:
    """The test above must have something to look at."""
    assert len(list(calls(PAGES["README.md"]))) >= 6
    assert len(list(calls(OPERATIONS))) >= 15


@pytest.mark.parametrize("page", PAGES)
def test_pages_mention_only_options_that_exist(page: str) -> None:
    """Also in running text."""
    everything = set(GLOBAL).union(*(options(command) for command in commands().values()))
    if set(COMMANDS) - set(commands()):
        everything |= {"--run", "--order-id", "--yes"}
    assert set(re.findall(r"`(--[a-z][a-z-]+)", PAGES[page])) <= everything


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Pages and headings that a text points to exist."""
    folder = ROOT if page == "README.md" else ROOT / "docs"
    anchors = {
        re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", PAGES[page], re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", PAGES[page]):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif "://" not in target:
            assert (folder / target.partition("#")[0]).exists(), target
    for target in re.findall(r"`((?:docs|tests|etl|sample_data)/[\w/.-]+\.\w+)`", PAGES[page]):
        assert (ROOT / target).exists(), target


def test_the_readme_names_real_make_targets() -> None:
    """The first thing that a stranger types."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"\bmake ([a-z][a-z-]+)", PAGES["README.md"]):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_changelog_begins_with_this_version() -> None:
    """Users look there for what the version they run does."""
    versions = re.findall(r"^## \[([^\]]+)\]", PAGES["CHANGELOG.md"], re.MULTILINE)
    assert versions[0] == __version__
