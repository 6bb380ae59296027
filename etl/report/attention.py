"""attention.csv: the user's own rows of every order that needs attention, ready to be corrected and fed again.

Cells that a spreadsheet would run as a formula get an apostrophe before them, although they are the user's
own: the file is made to be opened in a spreadsheet. The reader takes it off again, and knows from further columns
as what each order was met and how the export writes numbers and dates, so that the order reads the same.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Protocol

import simplejson

from etl.model.attention import COLUMNS, MET, PROBLEM, as_written, damaged_text, quoted
from etl.model.codes import CODES, hint_for
from etl.model.export import REPLACEMENT, Dialect
from etl.model.identity import split_number
from etl.model.place import Place
from etl.model.problem import Problem
from etl.report.cells import CsvRows
from etl.report.folder import ReportFolder, explained, is_same_file, private_text

_CHUNK = 1 << 20
_VALUE = 60
"""Letters of a bad cell that are shown beside it."""


class RawFile(Protocol):
    """The rows of some orders of one export file.

    *Shape*: `rows` yields (order number, row, cells) for a flat file with `columns`, `objects` yields
    (order number, row, JSON text) for others; each once.
    """

    @property
    def path(self) -> Path:
        """The export file."""

    @property
    def dialect(self) -> Dialect:
        """How the file is written."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The header; empty for JSON."""

    @property
    def rows(self) -> Iterator[tuple[str, int, list[str]]]:
        """Rows of flat files."""

    @property
    def objects(self) -> Iterator[tuple[str, int, str]]:
        """Objects of JSON files."""

    @property
    def style(self) -> str:
        """The text of the STYLE column."""


def write_attention(
    folder: Path,
    raw_files: Iterable[RawFile],
    reasons: Mapping[str, str],
    *,
    problems: Mapping[str, Sequence[Problem]] | None = None,
    met: Mapping[str, str] | None = None,
    written: str = "",
    inputs: Iterable[Path] = (),
    encoding_of: Callable[[Path], str] | None = None,
) -> list[Path]:
    """Writes attention.csv, attention-2.csv .. (JSON: .ndjson), one for each export file, and gives their paths.

    `reasons`: order number to its problem codes, space-separated; a nested return `1-R2` speaks for order `1`.
    `problems`: order number to its problems, whose cells are named; where there are none the codes' own hints are told.
    `met`: order number to the text of the MET column; `written`: the text of the WRITTEN column.
    `encoding_of`: as what the reader takes the text of a file. Rows alone may hold too few letters to show the
    encoding of their export; such a file is written as UTF-8 with its mark instead, which can't be mistaken.
    *Raises*: UsageError where the folder can't be written.
    *Effects*: a file of that name from an earlier report, which somebody may be correcting, is kept as
    `attention.earlier-1.csv`; one that is itself an export being read is never touched.
    """
    why, told = _by_parent(reasons), _told_by_parent(problems or {})
    given = list(inputs)
    target = ReportFolder(folder, ())
    names: list[str] = []
    try:
        with explained(folder):
            for raw in raw_files:
                given.append(raw.path)
                name = _free_name(folder, names, ".csv" if raw.columns else ".ndjson", given)
                path = target.scratch / name
                with private_text(path, encoding=raw.dialect.encoding) as stream:
                    _write(stream, raw, _Remarks(raw, why, told, met or {}, written))
                if encoding_of is not None and _is_mistaken(path, raw.dialect.encoding, encoding_of):
                    _mark(path, raw.dialect.encoding)
                names.append(name)
            for name in names:
                _set_aside(folder / name)
        return target.publish(names)
    except BaseException:
        target.withdraw()
        raise


def hints_for(codes: str) -> str:
    """What to do about space-separated codes, each sentence once."""
    found = (CODES[code].hint for code in codes.replace(":", " ").split() if code in CODES)
    return " ".join(dict.fromkeys(found))


def _is_mistaken(path: Path, encoding: str, encoding_of: Callable[[Path], str]) -> bool:
    """Whether the reader would take other letters than were written."""
    if encoding_of(path) == encoding:
        return False
    with path.open("rb") as stream:
        return not all(chunk.isascii() for chunk in iter(lambda: stream.read(_CHUNK), b""))


def _mark(path: Path, encoding: str) -> None:
    """The same text as UTF-8 with its mark. Effects: replaces the file."""
    marked = path.with_name(f"{path.name}.marked")
    with (
        path.open(encoding=encoding, newline="") as text,
        private_text(marked, encoding="utf-8-sig") as stream,
    ):
        shutil.copyfileobj(text, stream)
    marked.replace(path)


@dataclass(slots=True)
class _Remarks:
    """What stands beside the rows of one file."""

    raw: RawFile
    why: Mapping[str, str]
    told: Mapping[str, Sequence[Problem]]
    met: Mapping[str, str]
    written: str
    hints: dict[str, str] = field(default_factory=dict)

    def beside(self, number: str, row: int) -> tuple[str, ...]:
        """The cells of all COLUMNS but the last."""
        codes = self.why.get(number, "")
        return codes, self._hint(number, row, codes), self.met.get(number, ""), self.raw.style, self.written

    def _hint(self, number: str, row: int, codes: str) -> str:
        if found := self.told.get(number):
            first = sorted(found, key=lambda one: not (_is_of(one.place, self.raw.path) and one.place.row == row))
            text = as_written(" ".join(dict.fromkeys(_sentence(one, self.raw.path, row) for one in first)))
            # What is told of another file may have letters that this one's encoding lacks.
            encoding = self.raw.dialect.encoding
            return quoted(" ".join(text.encode(encoding, "replace").decode(encoding).split()))
        if codes not in self.hints:
            self.hints[codes] = hints_for(codes)
        return self.hints[codes]


def _is_of(place: Place, file: Path) -> bool:
    """Whether a place is in the file, named as it was given or by its name alone."""
    return place.file in (str(file), file.name)


def _sentence(problem: Problem, file: Path, row: int) -> str:
    """The bad cell, as seen from a row of the file, and what to do about it."""
    place, hint = problem.place, problem.hint or hint_for(problem.code)
    shown = f" ({problem.value[:_VALUE]})" if problem.value else ""
    if _is_of(place, file):
        where = place.column if place.row == row else str(replace(place, file="", sheet=""))
    else:
        where = str(place)
    return f"{where}{shown}: {hint}" if where else hint


def _write(stream: IO[str], raw: RawFile, remarks: _Remarks) -> None:
    dialect = raw.dialect
    if dialect.bom:
        stream.write("\ufeff")
    if not raw.columns:
        for number, row, text in raw.objects:
            stream.write(_with_remarks(text, (*remarks.beside(number, row), _damaged_in(text))) + "\n")
        return
    rows = CsvRows(stream, delimiter=dialect.delimiter or ",", quote=dialect.quote, newline=dialect.newline or "\n")
    width = len(raw.columns)
    # A file that was attention.csv already gets its remarks anew.
    old = [at for at, name in enumerate(raw.columns) if name.strip().casefold() in COLUMNS]
    rows.write([*map(quoted, _without(raw.columns, old)), *COLUMNS])
    for number, row, cells in raw.rows:
        safe = [quoted(cell) for cell in cells]
        # Cells beyond the header stay beyond it, so that they are still noticed when the file is read again.
        rows.write([*_without(safe[:width], old), *remarks.beside(number, row), damaged_text(cells), *safe[width:]])


def _without(cells: Sequence[str], positions: Sequence[int]) -> Sequence[str]:
    return [cell for at, cell in enumerate(cells) if at not in positions] if positions else cells


def _with_remarks(text: str, remarks: Sequence[str]) -> str:
    """The object's own text with our members more; its numbers keep their digits."""
    if PROBLEM in text or MET in text:
        # The remarks of an earlier attention file; Decimal keeps every other digit as it stands.
        members = simplejson.loads(text, use_decimal=True)
        kept = {name: value for name, value in members.items() if name not in COLUMNS}
        text = simplejson.dumps(kept, use_decimal=True, ensure_ascii=False)
    body = text.rstrip().removesuffix("}")
    comma = "" if body.rstrip().endswith("{") else ", "
    more = json.dumps(dict(zip(COLUMNS, remarks, strict=True)))[1:]
    return f"{body}{comma}{more}"


def _damaged_in(text: str) -> str:
    """The DAMAGED member of an object."""
    return damaged_text(_texts_of(simplejson.loads(text, use_decimal=True))) if REPLACEMENT in text else ""


def _texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts_of(part)


def _by_parent(reasons: Mapping[str, str]) -> dict[str, str]:
    """Reasons by the number that the rows carry: nested returns stand in the object of their order."""
    found: dict[str, str] = {}
    for number, codes in reasons.items():
        parent, nested = split_number(number)
        text = f"{number}: {codes}" if nested else codes
        found[parent] = f"{found[parent]} {text}" if parent in found else text
    return found


def _told_by_parent(problems: Mapping[str, Sequence[Problem]]) -> dict[str, list[Problem]]:
    found: dict[str, list[Problem]] = {}
    for number, those in problems.items():
        found.setdefault(split_number(number)[0], []).extend(those)
    return found


def _free_name(folder: Path, names: Sequence[str], suffix: str, inputs: Sequence[Path]) -> str:
    taken = {name.partition(".")[0] for name in names}
    number = len(names) + 1
    while True:
        stem = "attention" if number == 1 else f"attention-{number}"
        if stem not in taken and not is_same_file(folder / (stem + suffix), inputs):
            return stem + suffix
        number += 1


def _set_aside(path: Path) -> None:
    """Keeps what stands under a name that is about to be written."""
    if not path.exists():
        return
    number = 1
    while (kept := path.with_name(f"{path.stem}.earlier-{number}{path.suffix}")).exists():
        number += 1
    path.replace(kept)
