"""What the runs of a ledger have read: the files by name as they were read last, and what they left unassigned. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from etl.errors import ExitCode
from etl.ledger.records import RunRecord
from etl.model.place import Place
from etl.model.problem import Problem
from etl.pipeline.source_again import EXPORTS
from etl.pipeline.sources import names_apart, problem_document

ROWS_KEPT = 1000
"""So many rows without an order number are kept one by one with their run; the count is exact."""
_ENDED = (ExitCode.DONE, ExitCode.ATTENTION)


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
    """Everything that was read. `unassigned`: rows without a readable order number, in the newest reading of each file;
    `rows`: the first of them, one by one.

    `narrowed`: the dates (from, to exclusive; "" for none) that all readings of the newest bytes were narrowed to.
    """

    files: tuple[SourceFile, ...] = ()
    unassigned: int = 0
    rows: tuple[Problem, ...] = ()
    narrowed: tuple[tuple[str, str], ...] = ()


def sources_of(runs: Sequence[RunRecord], planners: Collection[str]) -> Sources:
    """What these runs have read; `runs` oldest first, `planners`: those that have read some order last.

    A file read again replaces its earlier reading. One of its name from another folder does so where it has read again all that
    the earlier one held: a mended copy, and not another month.
    """
    newest: list[_Reading] = []
    for run in runs:
        if run.command == "run":
            newest = [one for one in newest if not _replaces(run, one, planners)]
            newest += [_Reading(name, run) for name in run.sources]
    newest.sort(key=lambda one: (one.name, one.run.started, one.run.run_id))
    last = {run.run_id: run for _, run in newest}
    narrowed = [span for name, run in newest for span in _spans(runs, name, run)]
    return Sources(
        tuple(
            SourceFile(shown, str(run.sources[name]), rows, run.run_id, run.started, kind)
            for (name, run), shown in zip(newest, _shown(newest), strict=True)
            for rows, kind in [_told(run.summary, name)]
        ),
        sum(_unassigned(run, [one.name for one in newest if one.run is run]) for run in last.values()),
        tuple(row for name, run in newest for row in _rows(run.summary, name)),
        tuple(dict.fromkeys(narrowed)),
    )


class _Reading(NamedTuple):
    """What a run calls one of its files, and that run."""

    name: str
    run: RunRecord

    @property
    def path(self) -> Path | None:
        """Where it lay; None where the run was one of an older program."""
        return next((Path(path) for path, *_ in self.run.mapping.get(EXPORTS, ()) if _ends(path, self.name)), None)


def _replaces(run: RunRecord, earlier: _Reading, planners: Collection[str]) -> bool:
    """Whether a run has read what an earlier one has read, as it is by then."""
    if not _has_read(run, earlier.name):
        return False
    paths = [Path(path) for path, *_ in run.mapping.get(EXPORTS, ())]
    is_the_same = earlier.path is None or not paths or earlier.path in paths
    return (
        is_the_same or earlier.run.sources[earlier.name] in run.sources.values() or earlier.run.run_id not in planners
    )


def _shown(readings: Sequence[_Reading]) -> list[str]:
    """Their names, those of one name with the folders that tell them apart."""
    count = Counter(name for name, _ in readings)
    apart = names_apart(one.path for one in readings if count[one.name] > 1 and one.path is not None)
    return [one.name if one.path is None else apart.get(one.path, one.name) for one in readings]


def row_documents(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """The first rows that belong to no order, as they are kept with their run."""
    found = map(problem_document, islice(problems, ROWS_KEPT))
    return [{name: value for name, value in one.items() if name != "order"} for one in found]


def _unassigned(run: RunRecord, names: Sequence[str]) -> int:
    """Rows without an order number in those files of a run that no later one has read again."""
    if len(names) == len(run.sources):
        return int(run.summary.get("lines", {}).get("unassigned", 0))
    return sum(int(one.get("rows_unassigned", 0)) for one in run.summary.get("sources", ()) if one["file"] in names)


def _rows(summary: Mapping[str, Any], name: str) -> Iterable[Problem]:
    for row in summary.get("unassigned_rows", ()):
        if _ends(row["file"], name):
            place = Place(row["file"], row["sheet"], row["row"], row["column"])
            yield Problem(row["code"], "", place, row["value"], row["message"])


def _has_read(run: RunRecord, name: str) -> bool:
    """Whether a run has read the file that an earlier one calls so, be it among others of its name or alone."""
    return name in run.sources or any(_ends(path, name) for path, *_ in run.mapping.get(EXPORTS, ()))


def _ends(path: str, name: str) -> bool:
    return f"/{Path(path).as_posix()}".endswith(f"/{name}")


def _told(summary: Any, name: str) -> tuple[int | None, str]:
    """Rows, of all its sheets, and format of a file as a run's summary tells them."""
    found = [one for one in summary.get("sources", ()) if one["file"] == name]
    return (sum(int(one["rows"]) for one in found), str(found[0].get("format", ""))) if found else (None, "")


def _spans(runs: Sequence[RunRecord], name: str, newest: RunRecord) -> list[tuple[str, str]]:
    """The dates that a file's newest bytes were narrowed to; none where a run has come to the end of all of them.

    A run that broke off may have recorded no more than a part of the orders.
    """
    readings = [run for run in runs if run.command == "run" and newest.sources[name] in run.sources.values()]
    ended = [_narrowed(run.summary) for run in readings if run is newest or run.exit_code in _ENDED]
    return [] if ("", "") in ended else ended


def _narrowed(summary: Any) -> tuple[str, str]:
    span = summary.get("narrowed") or {}
    return (str(span.get("from") or ""), str(span.get("to") or ""))
