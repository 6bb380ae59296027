"""Options, environment and .env merged once into one frozen value.

Rule: design section 2: tokens come from the environment or .env only, never from argv.
"""

from __future__ import annotations

import codecs
import io
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from etl.errors import UsageError
from etl.model.ledger_place import shown

_LARGEST_ENV = 1 << 20
ADDRESS = "MEWS_PLATFORM_ADDRESS"
CLIENT_TOKEN = "MEWS_CLIENT_TOKEN"  # noqa: S105 - a name, no secret
ACCESS_TOKEN = "MEWS_ACCESS_TOKEN"  # noqa: S105 - a name, no secret
TIED = "CENTRA_MEWS_TIED"
"""Set for a process that stops, as after Ctrl-C, when whoever started it is gone."""


class Secret(str):
    """A text that prints as ***; only `reveal` gives it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def reveal(self) -> str:
        """The secret itself, for the transport only."""
        return str.__str__(self)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where Mews is and who we are there."""

    address: str
    client_token: Secret = field(repr=False)
    access_token: Secret = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """The global options of one command."""

    mappings: Path
    ledger: str
    log_format: str = "console"
    log_level: str = "warning"
    json: bool = False
    quiet: bool = False

    def typed(self, *words: str) -> str:
        """A command to be typed next, with the mapping folder and ledger of this one."""
        given: list[str] = []
        if self.mappings != Path("mappings"):
            given += ["--mappings", str(self.mappings)]
        if self.ledger != "ledger.sqlite":
            given += ["--ledger", shown(self.ledger)]
        return shlex.join(["centra-mews", *given, *words])


def environment(folder: Path | None = None) -> dict[str, str]:
    """The process environment over the .env file of `folder` (default: the current one).

    Raises UsageError where the file can't be read; it never shows what stands in it.
    """
    file = (folder or Path()) / ".env"
    values = dotenv_values(stream=io.StringIO(_text(file))) if file.is_file() else {}
    return {**{name: value for name, value in values.items() if value}, **os.environ}


def _text(file: Path) -> str:
    """The text of a .env file as an editor or a shell left it: UTF-8, UTF-16 (PowerShell's `>`), else Latin-1.

    What counts in it is ASCII, and is checked where it is used.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST_ENV + 1)
    except OSError as error:
        raise UsageError(
            f"{file} can't be read: {error.strerror or error}.",
            code="connection.unreadable",
            place=str(file),
            hint="Check the file's permissions, or export the variables instead.",
        ) from error
    if len(data) > _LARGEST_ENV:
        raise UsageError(
            f"{file} is larger than {_LARGEST_ENV >> 10} KiB, so it is no file of variables.",
            code="connection.unreadable",
            place=str(file),
            hint="Write the three MEWS_ lines into a file of their own, or export them.",
        )
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def connection(values: Mapping[str, str]) -> Connection:
    """The connection that the environment names. Raises UsageError naming what is missing or can't be right."""
    missing = [name for name in (ADDRESS, CLIENT_TOKEN, ACCESS_TOKEN) if not values.get(name)]
    if missing:
        raise not_set(missing, "in this folder; `centra-mews sandbox` prints its own")
    for name in (ADDRESS, CLIENT_TOKEN, ACCESS_TOKEN):
        _check_text(name, values[name])
    return Connection(values[ADDRESS], Secret(values[CLIENT_TOKEN]), Secret(values[ACCESS_TOKEN]))


def not_set(missing: Sequence[str], where: str) -> UsageError:
    """That variables are not set, and where the .env file may lie that sets them."""
    return UsageError(
        f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set.",
        code="connection.missing",
        hint=f"Export them, or write them into a .env file {where}.",
    )


def _check_text(name: str, value: str) -> None:
    """Addresses and tokens are printable ASCII: anything else came from a damaged file and would fail later, unread."""
    at = next((at for at, char in enumerate(value, 1) if not " " < char <= "~"), None)
    if at is not None:
        raise UsageError(
            f"{name} holds a character that no {'address' if name == ADDRESS else 'token'} has "
            f"(character {at} of {len(value)}).",
            code="connection.invalid",
            hint="Copy it again from Mews, without blanks or quotes inside, and save .env as UTF-8.",
        )
