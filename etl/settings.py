"""Options, environment and .env merged once into one frozen value.

Rule: design section 2: tokens come from the environment or .env only, never from argv.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from etl.errors import UsageError

ADDRESS = "MEWS_PLATFORM_ADDRESS"
CLIENT_TOKEN = "MEWS_CLIENT_TOKEN"  # noqa: S105 - a name, no secret
ACCESS_TOKEN = "MEWS_ACCESS_TOKEN"  # noqa: S105 - a name, no secret


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


def environment(folder: Path | None = None) -> dict[str, str]:
    """The process environment over the .env file of `folder` (default: the current one)."""
    file = (folder or Path()) / ".env"
    values = {name: value for name, value in dotenv_values(file).items() if value} if file.is_file() else {}
    return {**values, **os.environ}


def connection(values: Mapping[str, str]) -> Connection:
    """The connection that the environment names. Raises UsageError naming what is missing."""
    missing = [name for name in (ADDRESS, CLIENT_TOKEN, ACCESS_TOKEN) if not values.get(name)]
    if missing:
        raise UsageError(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set.",
            code="connection.missing",
            hint="Export them, or write them into a .env file in this folder; `centra-mews sandbox` prints its own.",
        )
    return Connection(values[ADDRESS], Secret(values[CLIENT_TOKEN]), Secret(values[ACCESS_TOKEN]))
