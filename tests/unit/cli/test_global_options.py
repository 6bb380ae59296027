"""Global options work wherever a person types them."""

from __future__ import annotations

import pytest

from etl.cli import hoisted


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (["dry-run", "a.csv", "--json"], ["--json", "dry-run", "a.csv"]),
        (["run", "--ledger", "l.sqlite", "a.csv"], ["--ledger", "l.sqlite", "run", "a.csv"]),
        (["run", "--ledger=l.sqlite", "a.csv"], ["--ledger=l.sqlite", "run", "a.csv"]),
        (["run", "--", "--json"], ["run", "--", "--json"]),
        (["run", "a.csv", "--expect", "sha256:0"], ["run", "a.csv", "--expect", "sha256:0"]),
        (["status", "--ledger"], ["--ledger", "status"]),
    ],
)
def test_global_options_come_first(typed: list[str], read: list[str]) -> None:
    """A script that puts --json last must not end in a usage error after the night's run."""
    assert hoisted(typed) == read
