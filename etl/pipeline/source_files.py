"""What the runs of a ledger have read: the files by name as they were read last, and what they left unassigned. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from etl.ledger.records import RunRecord


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as the newest run read it. `rows` is None where that run did not come so far as to count them."""

    file: str
    sha256: str
    rows: int | None
    run_id: str
    read_at: str
    format: str = ""


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that was read. `unassigned`: rows without a readable order number, in the newest reading of each file.

    `narrowed`: the dates (from, to exclusive; "" for none) that the newest readings were narrowed to.
    """

    files: tuple[SourceFile, ...] = ()
    unassigned: int = 0
    narrowed: tuple[tuple[str, str], ...] = ()


def sources_of(runs: Sequence[RunRecord]) -> Sources:
    """What these runs have read; `runs` oldest first. A file read again replaces its earlier reading."""
    newest = {name: run for run in runs if run.command == "run" for name in run.sources}
    last = {run.run_id: run for run in newest.values()}
    narrowed = [_narrowed(run.summary) for run in last.values()]
    return Sources(
        tuple(
            SourceFile(name, str(run.sources[name]), rows, run.run_id, run.started, kind)
            for name, run in sorted(newest.items())
            for rows, kind in [_told(run.summary, name)]
        ),
        sum(int(run.summary.get("lines", {}).get("unassigned", 0)) for run in last.values()),
        tuple(dict.fromkeys(span for span in narrowed if span != ("", ""))),
    )


def _told(summary: Any, name: str) -> tuple[int | None, str]:
    """Rows and format of a file as a run's summary tells them."""
    found = (one for one in summary.get("sources", ()) if one["file"] == name)
    return next(((int(one["rows"]), str(one.get("format", ""))) for one in found), (None, ""))


def _narrowed(summary: Any) -> tuple[str, str]:
    span = summary.get("narrowed") or {}
    return (str(span.get("from") or ""), str(span.get("to") or ""))
