"""PORTFOLIO.toml to properties: every fault of it with property and key, before any process starts.

Rule: design section 10. Paths start at the file; tokens are named by the variables that hold them and never stand here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from etl.errors import UsageError
from etl.model.faults import did_you_mean
from etl.settings import ACCESS_TOKEN, CLIENT_TOKEN

TABLE = "property"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
_EXAMPLE = (
    'such as: name = "bath", exports = ["bath/orders.csv"], mapping = "bath/mapping", ledger = "bath/ledger.sqlite", '
    'client_token_env = "BATH_CLIENT", access_token_env = "BATH_ACCESS" (a line each)'
)
_HEADER = re.compile(r"^\s*\[\[\s*property\s*\]\]", re.MULTILINE)
_UNSAFE = re.compile(r"[^\w.-]+")
_OURS = frozenset({"index.html", "summary.json"})

_Text = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00-\x1f]+$")]
_Variable = Annotated[str, Field(pattern=_VARIABLE)]


class _Row(BaseModel):
    """One `[[property]]` as it is written."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*[^\x00-\x20][^\x00-\x1f]*$")]
    exports: Annotated[list[_Text], Field(min_length=1)]
    mapping: _Text
    ledger: _Text
    platform_address: _Text | None = None
    client_token_env: _Variable = CLIENT_TOKEN
    access_token_env: _Variable = ACCESS_TOKEN
    expect: Annotated[str, Field(pattern=r"^sha256:\S+$")] | None = None
    corrections: list[_Text] = []


KEYS = tuple(_Row.model_fields)
_WORDS = {
    "client_token_env": "is no name of a variable. Write the token into .env and its name here",
    "access_token_env": "is no name of a variable. Write the token into .env and its name here",
    "expect": "is no plan id; `portfolio FILE dry-run` prints it: sha256:..",
}
"""What is said instead of the value, which may be a secret that was pasted into the wrong place."""
_KINDS = {
    "missing": "is missing",
    "string_type": "must be a text in quotes",
    "list_type": 'must be a list of texts, such as ["orders.csv"]',
    "too_short": "names nothing",
    "string_too_short": "is empty",
    "string_too_long": "is too long",
    "string_pattern_mismatch": "is blank or holds a control character",
}


@dataclass(frozen=True, slots=True)
class Property:
    """One property: what its process is given. `folder` is its place in the report, unlike that of any other.

    `ledger` is a path or a URL of SQLAlchemy; `platform_address` is "" where MEWS_PLATFORM_ADDRESS tells it; `expect` is ""
    where no plan was reviewed.
    """

    name: str
    folder: str
    exports: tuple[Path, ...]
    mapping: Path
    ledger: str
    platform_address: str
    client_token_env: str
    access_token_env: str
    expect: str
    corrections: tuple[Path, ...]


def read_portfolio(path: Path) -> tuple[Property, ...]:
    """The properties in the order of the file. Raises UsageError `portfolio.invalid` with every fault of the file."""
    text = _text(path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _invalid(path, [f"{path}: {error}"]) from error
    faults = [
        f"{path}: there is no {key!r} in a portfolio.{did_you_mean(key, [TABLE])}" for key in document if key != TABLE
    ]
    tables = document.get(TABLE, [])
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise _invalid(path, [*faults, f"{path}: each property is a table of its own, headed [[property]]"])
    if not tables:
        raise _invalid(path, [*faults, f"{path}: it lists no property; each is a table headed [[property]]"])
    places = list(_places(path, text, tables))
    rows = [_row(table, place, faults) for table, place in zip(tables, places, strict=True)]
    found = [(row, place) for row, place in zip(rows, places, strict=True) if row is not None]
    faults += _shared(path.parent, found)
    if faults:
        raise _invalid(path, faults)
    return tuple(_properties(path.parent, [row for row, _ in found]))


def refuse_copies(path: Path, properties: Sequence[Property]) -> None:
    """One export by one mapping into one place would be posted by each property that names it: no ledger knows of another.

    Raises: UsageError `portfolio.invalid` with every such property.
    """
    taken: dict[tuple[str, ...], str] = {}
    faults = []
    for one in properties:
        for export in dict.fromkeys(file.resolve() for file in one.exports):
            target = one.platform_address, one.access_token_env, str(one.mapping.resolve()), str(export)
            first = taken.setdefault(target, one.name)
            if first != one.name:
                faults.append(
                    f"property {one.name!r}: {export.name} goes by the same mapping and token as for {first!r}, "
                    "and would be posted twice"
                )
    if faults:
        raise _invalid(path, faults)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"The portfolio {path} can't be read: {error.strerror or error}.",
            code="portfolio.unreadable",
            place=str(path),
            hint=f"Name a file of [[property]] tables, {_EXAMPLE}.",
        ) from error
    except UnicodeDecodeError as error:
        raise _invalid(path, [f"{path}: it is not UTF-8 (byte {error.start})"]) from error


def _places(path: Path, text: str, tables: list[dict[str, Any]]) -> Iterator[str]:
    """Where each table stands: its line, where its header is written as usual, and its name or number."""
    lines = [text.count("\n", 0, found.start()) + 1 for found in _HEADER.finditer(text)]
    for at, table in enumerate(tables):
        name = table.get("name")
        whom = f"property {name!r}" if isinstance(name, str) and name else f"property {at + 1}"
        yield f"{path}, {whom}" + (f" (line {lines[at]})" if len(lines) == len(tables) else "")


def _row(table: Mapping[str, Any], place: str, faults: list[str]) -> _Row | None:
    try:
        return _Row.model_validate(table)
    except ValidationError as error:
        faults += [f"{place}: {_sentence(one)}" for one in error.errors(include_url=False)]
        return None


def _sentence(error: ErrorDetails) -> str:
    """One fault in words. Values are not quoted: a token may have been pasted where its name belongs."""
    key, *rest = (str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"there is no key {key!r}.{did_you_mean(key, KEYS)}"
    where = f"{key!r}" + (f", entry {int(rest[0]) + 1}" if rest and rest[0].isdigit() else "")
    if error["type"] == "string_pattern_mismatch" and key in _WORDS:
        return f"{where} {_WORDS[key]}"
    return f"{where} {_KINDS.get(error['type'], error['msg'])}"


def _shared(folder: Path, rows: list[tuple[_Row, str]]) -> Iterator[str]:
    """Two properties of one name can't be told apart; two in one ledger would lock each other out."""
    names: dict[str, str] = {}
    ledgers: dict[str, str] = {}
    for row, place in rows:
        if row.name.casefold() in names:
            yield f"{place}: the name is taken by {names[row.name.casefold()]}"
        names.setdefault(row.name.casefold(), place)
        ledger = _identity(folder, row.ledger)
        if ledger in ledgers:
            yield f"{place}: it shares its ledger with {ledgers[ledger]}; each property needs one of its own"
        ledgers.setdefault(ledger, place)


def _identity(folder: Path, ledger: str) -> str:
    """Equal for equal ledgers, however their path is written, and whoever logs in to their database."""
    if "://" not in ledger:
        return str((folder / ledger).resolve())
    scheme, _, rest = ledger.partition("://")
    if scheme.partition("+")[0] == "sqlite":
        return str((Path.cwd() / rest.partition("?")[0].removeprefix("/")).resolve())
    place, _, query = rest.rpartition("@")[2].partition("?")
    # Schemas of one database are ledgers of their own; they are named by `options`.
    return f"{scheme.partition('+')[0]}://{place}?{parse_qs(query).get('options', '')}"


def _properties(folder: Path, rows: list[_Row]) -> Iterator[Property]:
    taken = set(_OURS)
    for row in rows:
        yield Property(
            name=row.name,
            folder=_folder_name(row.name, taken),
            exports=tuple(folder / one for one in row.exports),
            mapping=folder / row.mapping,
            ledger=row.ledger if "://" in row.ledger else str(folder / row.ledger),
            platform_address=row.platform_address or "",
            client_token_env=row.client_token_env,
            access_token_env=row.access_token_env,
            expect=row.expect or "",
            corrections=tuple(folder / one for one in row.corrections),
        )


def _folder_name(name: str, taken: set[str]) -> str:
    """The name as a folder on any system; counted up where another property has it (`Bath/1` and `Bath 1`)."""
    plain = _UNSAFE.sub("-", name).strip("-.") or "property"
    found, count = plain, 1
    while found.casefold() in taken:
        count += 1
        found = f"{plain}-{count}"
    taken.add(found.casefold())
    return found


def _invalid(path: Path, faults: list[str]) -> UsageError:
    return UsageError(
        "The portfolio can't be used; nothing was started:\n" + "\n".join(f"  {fault}" for fault in faults),
        code="portfolio.invalid",
        place=str(path),
        hint=f"Correct {path}; a property is a table [[property]], {_EXAMPLE}.",
    )
