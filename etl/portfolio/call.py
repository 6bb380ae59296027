"""What the process of one property is called with: arguments, and the variables that hold its connection.

Tokens and ledger travel as variables, never as arguments that other users of the machine can list.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from etl.errors import PlanError
from etl.mews.http import is_loopback
from etl.portfolio.file import Property
from etl.settings import ACCESS_TOKEN, ADDRESS, CLIENT_TOKEN, TIED, environment, not_set

_READ_EXPORTS = frozenset({"preflight", "dry-run", "run"})
_CORRECTED = frozenset({"dry-run", "run"})
_REPORTING = frozenset({"dry-run", "run", "reconcile", "report"})
_USUAL = re.compile(rf"\b(?:{ADDRESS}|{CLIENT_TOKEN}|{ACCESS_TOKEN})\b")
_OFFLINE = frozenset({"status", "report"})
"""Commands that ask nothing of Mews, and need no tokens."""


@dataclass(frozen=True, slots=True)
class Call:
    """One process: its arguments (after the interpreter's), its environment."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]


def variables(file: Path) -> dict[str, str]:
    """The environment over the .env here over the .env beside the portfolio. Raises UsageError for an unreadable one."""
    return {**environment(file.parent), **environment()}


def call(
    command: str, one: Property, values: Mapping[str, str], *, hidden: Iterable[str], report: Path | None, level: str
) -> Call:
    """The process of a property. `hidden`: variables with the tokens of any property, which it does not get.

    Raises: UsageError `connection.missing` naming the variables that are not set.
    """
    kept = {name: value for name, value in os.environ.items() if name not in frozenset(hidden)}
    link = {} if command in _OFFLINE else _connection(one, values)
    arguments = ["--json", "--log-format", "json", "--log-level", level, "--mappings", str(one.mapping), command]
    if command == "run" and one.expect:
        arguments.append(f"--expect={one.expect}")
    if command in _REPORTING and report is not None:
        arguments += ["--report", str(report / one.folder)]
    if command in _CORRECTED:
        arguments += [part for file in one.corrections for part in ("--corrections", str(file))]
    if command in _READ_EXPORTS:
        # A file whose name starts with a dash is no option.
        arguments += ["--", *map(str, one.exports)]
    return Call(tuple(arguments), {**kept, **link, "CENTRA_MEWS_LEDGER": one.ledger, TIED: "1"})


def in_its_names(one: Property, found: Any) -> Any:
    """What a property's process says (texts, or documents of them), with its connection as the portfolio names it.

    The process itself knows its tokens by the usual names; whoever corrects one has to find it.
    """
    if isinstance(found, str):
        return _USUAL.sub(lambda name: _names(one)[name[0]], found)
    if isinstance(found, Mapping):
        return {key: in_its_names(one, value) for key, value in found.items()}
    if isinstance(found, list):
        return [in_its_names(one, value) for value in found]
    return found


def _names(one: Property) -> dict[str, str]:
    address = f"platform_address of [[property]] {one.name}" if one.platform_address else ADDRESS
    return {ADDRESS: address, CLIENT_TOKEN: one.client_token_env, ACCESS_TOKEN: one.access_token_env}


def interpreter() -> list[str]:
    """The interpreter with the same program; modules that lie in the folder at hand by chance are not imported."""
    is_here = Path(__file__).parents[2] == Path.cwd()
    return [sys.executable, *([] if is_here else ["-P"]), "-m", "etl"]


def refuse_unreviewed(one: Property, values: Mapping[str, str]) -> None:
    """Nobody can be asked for a hundred confirmations: outside this machine only a reviewed plan is sent.

    Raises: PlanError `plan.unreviewed`.
    """
    host = urlsplit(one.platform_address or values.get(ADDRESS, "")).hostname or ""
    if not one.expect and not is_loopback(host):
        raise PlanError(
            "Nothing was sent: outside this machine a property needs the plan id of its reviewed dry run.",
            code="plan.unreviewed",
            hint=f'Run `centra-mews portfolio FILE dry-run --report DIR`, review it, and write expect = "sha256:.." '
            f"into [[property]] {one.name}.",
        )


def _connection(one: Property, values: Mapping[str, str]) -> dict[str, str]:
    found = {
        ADDRESS: (ADDRESS, one.platform_address or values.get(ADDRESS, "")),
        CLIENT_TOKEN: (one.client_token_env, values.get(one.client_token_env, "")),
        ACCESS_TOKEN: (one.access_token_env, values.get(one.access_token_env, "")),
    }
    missing = [name for name, value in found.values() if not value]
    if missing:
        raise not_set(missing, "in this folder or beside the portfolio")
    return {name: value for name, (_, value) in found.items()}
