"""The export's own cells for a report that is made from the ledger: read again from the files that the run had read.

The ledger keeps no cells of persons. It keeps where each file of a run lay and its hash; what is found there with another
hash, or not at all, is not shown, and the report says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from etl.errors import EtlError
from etl.ledger.records import RunRecord
from etl.model.identity import split_number
from etl.pipeline.planning import Progress
from etl.reading.identify import open_export
from etl.reading.options import NUMBER_FIELD, ReadOptions
from etl.staging.batch import Batch
from etl.staging.facts import BatchFacts
from etl.staging.source_rows import FileRows

EXPORTS = "exports"
"""The key of a run's record, beside the mapping's digest, under which its files stand."""
NEVER = "Its export was read by no run of this ledger."


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that a run has read: where it lay, its hash, and whether it was one of corrections."""

    path: str
    sha256: str
    is_correction: bool = False

    @property
    def _places(self) -> tuple[Path, Path]:
        return Path(self.path), Path(Path(self.path).name)

    def place(self) -> Path | None:
        """Where the file lies by now, as a person in the working folder types it; edited since or not. None where nowhere."""
        path = next((one for one in self._places if one.is_file()), None)
        here = Path.cwd()
        return path.relative_to(here) if path is not None and path.is_relative_to(here) else path

    def found(self) -> Path | None:
        """The file as it was read, where it lay or in the working folder; None where neither has it."""
        for path in self._places:
            try:
                with path.open("rb") as stream:
                    if hashlib.file_digest(stream, "sha256").hexdigest() == self.sha256:
                        return path
            except OSError:
                continue
        return None


def files_read(facts: BatchFacts) -> list[list[Any]]:
    """The files of a batch, each once, as the ledger keeps them with a run: [absolute path, hash, is_correction]."""
    every = {(str(file.path.absolute()), file.sha256, file.is_correction) for file in facts.files}
    return [list(one) for one in sorted(every)]


def files_of(run: RunRecord) -> tuple[ReadFile, ...]:
    """The files of a run; a run of an older program knew their names only."""
    kept = run.mapping.get(EXPORTS)
    if kept is None:
        corrections = run.summary.get("corrections", ())
        return tuple(ReadFile(name, str(digest), name in corrections) for name, digest in sorted(run.sources.items()))
    return tuple(ReadFile(*one) for one in kept)


def _options(run: RunRecord) -> ReadOptions:
    """How the run read its files, as far as rows and headers go; what words mean is not asked here."""
    reading = run.mapping.get("reading") or {}
    source = {key.removeprefix("source."): value for key, value in (reading.get("migration.toml") or {}).items()}
    return ReadOptions(
        encoding=source.get("encoding") or "",
        date_format=source.get("date_format") or "",
        timezone=source.get("timezone") or "",
        order_number=source.get("order_number") or NUMBER_FIELD,
        empty_words=frozenset(source.get("empty_words") or ()),
        sheets=tuple(source.get("sheets") or ()),
        continuation_rows=bool(source.get("continuation_rows")),
        columns=dict(reading.get("columns.csv") or {}),
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of an order, or in a sentence why there are none."""

    files: Sequence[FileRows] = ()
    why_not: str = ""


class SourceAgain:
    """The rows of orders, by the run that read them last. A batch is read when the first of its orders is asked for.

    Effects: reads the exports; keeps private temporary files until `stack` closes.
    """

    def __init__(self, stack: ExitStack, runs: Sequence[RunRecord], progress: Progress) -> None:
        self._stack = stack
        self._runs = {run.run_id: run for run in runs}
        self._progress = progress
        self._batches: dict[tuple[ReadFile, ...], Batch | str] = {}
        self._folders: set[str] = set()

    def rows(self, planned_by: Mapping[str, str]) -> dict[str, Rows]:
        """The rows of the orders. `planned_by`: by number the run whose reading the ledger holds."""
        by_run: dict[str, list[str]] = {}
        for number, run_id in planned_by.items():
            by_run.setdefault(run_id, []).append(number)
        found: dict[str, Rows] = {}
        for run_id, numbers in by_run.items():
            found |= self._of(run_id, numbers)
        return found

    def _of(self, run_id: str, numbers: Collection[str]) -> dict[str, Rows]:
        run = self._runs.get(run_id)
        if run is None or not files_of(run):
            return {number: Rows(why_not=NEVER) for number in numbers}
        batch = self._batch(run)
        if isinstance(batch, str):
            return {number: Rows(why_not=batch) for number in numbers}
        rows = {number: [self._named(one) for one in files] for number, files in batch.source_rows(numbers)}
        return {number: Rows(rows.get(split_number(number)[0], ())) for number in numbers}

    def _named(self, rows: FileRows) -> FileRows:
        """The rows under the file's name: where it lies on this machine concerns nobody who reads the report."""
        folder = next((one for one in self._folders if rows.where.startswith(one)), "")
        return replace(rows, where=rows.where.removeprefix(folder))

    def _batch(self, run: RunRecord) -> Batch | str:
        """The run's batch, or why it can't be read again."""
        files = files_of(run)
        if files not in self._batches:
            self._batches[files] = self._read(run, files)
        return self._batches[files]

    def _read(self, run: RunRecord, files: Sequence[ReadFile]) -> Batch | str:
        found = [(file, file.found()) for file in files]
        lacking = [Path(file.path).name for file, path in found if path is None]
        if lacking:
            return (
                f"{', '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not here as the run read "
                f"{'it' if len(lacking) == 1 else 'them'}, so no cells are shown."
            )
        exports, corrections = (
            [path for file, path in found if path is not None and file.is_correction is is_correction]
            for is_correction in (False, True)
        )
        self._folders |= {str(path).removesuffix(path.name) for path in (*exports, *corrections) if path.is_absolute()}
        batch = Batch(
            exports, open_export=open_export, corrections=corrections, options=_options(run), progress=self._progress
        )
        self._stack.enter_context(batch)
        try:
            facts = batch.load()
        except EtlError as error:
            return f"The export can't be read again, so no cells are shown: {error.message}"
        if {file.sha256 for file in facts.files} - {file.sha256 for file in files}:
            return "The export was changed while it was read, so no cells are shown."
        return batch
