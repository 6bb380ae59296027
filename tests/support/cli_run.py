"""Runs commands as a user does: the real command in a process of its own, against an address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN


@dataclass
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one document on stdout."""
        return json.loads(self.out)


@dataclass
class Shell:
    """A working folder with its ledger and mapping, and the Mews that it talks to."""

    folder: Path
    url: str = ""
    mappings: Path = Path("mappings")
    env: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Nothing of this machine but what Python needs."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        mews = {
            "MEWS_PLATFORM_ADDRESS": self.url,
            "MEWS_CLIENT_TOKEN": CLIENT_TOKEN,
            "MEWS_ACCESS_TOKEN": ACCESS_TOKEN,
        }
        return {**kept, **(mews if self.url else {}), "COLUMNS": "120", **self.env}

    def command(self, *arguments: str | Path) -> list[str]:
        """The argv of a command with `--json`."""
        return [
            sys.executable,
            "-m",
            "etl",
            "--json",
            "--mappings",
            str(self.mappings),
            "--ledger",
            str(self.folder / "ledger.sqlite"),
            *map(str, arguments),
        ]

    def run(self, *arguments: str | Path, timeout: float = 300) -> Done:
        """Runs the command to its end."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)
