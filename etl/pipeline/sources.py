"""What is known of the export files, as every command that reads them tells it. Pure.

Rule: design section 3: what was left out of a file, and what no name of it is read as, is said by inspect, init, dry-run,
run and the report alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from etl.model.place import Place
from etl.model.problem import Problem, notice
from etl.reading.style import Style
from etl.report.facts import PagePart, Section
from etl.staging.facts import BatchFacts, FileFacts

NAMES_SHOWN = 30


def file_names(files: Iterable[FileFacts]) -> dict[Path, str]:
    """What each file of a batch is called."""
    return names_apart(file.path for file in files)


def names_apart(files: Iterable[Path]) -> dict[Path, str]:
    """Each file by its own name, with the folders that tell it from another of that name."""
    paths = {path: path.absolute().parts for path in files}
    names = {}
    for path, parts in paths.items():
        depths = range(1, len(parts) + 1)
        alone = (at for at in depths if sum(others[-at:] == parts[-at:] for others in paths.values()) == 1)
        names[path] = "/".join(parts[-next(alone, 1) :])
    return names


def problem_document(problem: Problem) -> dict[str, Any]:
    """A problem as data."""
    return {
        "code": problem.code,
        "order": problem.order,
        "file": problem.place.file,
        "sheet": problem.place.sheet,
        "row": problem.place.row,
        "column": problem.place.column,
        "value": problem.value,
        "message": problem.message,
    }


def file_documents(files: Sequence[FileFacts]) -> list[dict[str, Any]]:
    """What was found of the files of a batch, with the evidence."""
    names = file_names(files)
    return [file_document(file, names[file.path]) for file in files]


def file_document(file: FileFacts, name: str) -> dict[str, Any]:
    """What was found of one file, with the evidence."""
    dialect, columns = file.dialect, file.columns
    return {
        "file": name,
        "sha256": file.sha256,
        "bytes": file.size,
        "format": file.format,
        "sheet": file.sheet,
        "vocabulary": file.vocabulary.value,
        "rows": file.rows,
        "rows_of_orders": file.rows_of_orders,
        "rows_unassigned": file.unassigned,
        "rows_of_totals": file.totals_rows,
        "repeated_headers": file.repeated_headers,
        "lines": file.lines,
        "encoding": dialect.encoding if dialect else "",
        "delimiter": dialect.delimiter if dialect else "",
        "style": style_lines(file.style),
        "columns": {
            "used": [header for header, _ in columns.used],
            "not_migrated": [{"column": header, "why": why} for header, why in columns.not_migrated],
            "unknown": [{"column": header, "nearest": nearest} for header, nearest in columns.unknown],
            "missing": list(columns.missing),
            "renamed": [{"column": header, "field": field} for header, field in columns.renamed],
        },
        "unread": [
            {"column": one.name, "amount": f"{one.total:f}", "orders": one.orders, "is_list": one.is_list}
            for one in file.unread
        ],
        "notices": list(file.notices),
    }


def style_lines(style: Style) -> list[str]:
    """How the file writes numbers and dates, with the evidence."""
    lines = []
    for what, name, evidence in (
        ("numbers", style.numbers.value, style.number_evidence),
        ("dates", style.dates, style.date_evidence),
    ):
        proof = ", ".join(f"{one.count:,} x {one.shape} such as {one.example} ({one.place})" for one in evidence)
        lines.append(f"{what}: {name or 'none'}" + (f"; {proof}" if proof else ""))
    return lines


def problems_of_files(facts: BatchFacts, unused_values: Sequence[tuple[str, str]] = ()) -> list[Problem]:
    """Notices about the files as a whole: amounts that are not read first, then the rest file by file."""
    found = [*_unread(facts.files)]
    for file in facts.files:
        place = Place(str(file.path), file.sheet)
        found += [notice("file.told", text, place=place) for text in file.notices]
        if file.rows != file.rows_of_orders:
            found.append(notice("file.told", rows_text(file), place=place))
        found += _unknown(file, place)
    found += [notice("mapping.unused", text, place=Place("columns.csv")) for text in facts.notices]
    found += [
        notice(
            "mapping.unused",
            f"values.csv translates {value!r} of {field}, which no order has.",
            place=Place("values.csv"),
        )
        for field, value in unused_values
    ]
    return found


def rows_text(file: FileFacts) -> str:
    """The account of a file's rows: rows read and rows reported are all that hold anything."""
    what = "object" if file.format in ("json", "ndjson") else "row"
    parts = (
        (file.rows_of_orders, "of orders"),
        (file.unassigned, "of no order, reported one by one"),
        (file.totals_rows, "of totals"),
        (file.repeated_headers, "of headers that are repeated"),
    )
    named = ", ".join(f"{count:,} {name}" for count, name in parts if count)
    held = f"{file.rows:,} {what}{'s' * (file.rows != 1)}"
    return f"{Place(str(file.path), file.sheet)} holds {held}" + (f": {named}." if named else ".")


def _unread(files: Iterable[FileFacts]) -> Iterator[Problem]:
    for file in files:
        for one in sorted(file.unread, key=lambda one: -abs(one.total)):
            what = "The list" if one.is_list else "The column"
            holds = f"it holds amounts of {one.total:f} in all, in" if one.total else "it stands in"
            yield notice(
                "column.unread",
                f"{what} {one.name} is not read; {holds} {one.orders:,} order{'s' * (one.orders != 1)}.",
                place=Place(str(file.path), file.sheet, None, one.name),
                value=f"{one.total:f}",
            )


def _unknown(file: FileFacts, place: Place) -> Iterator[Problem]:
    unread = {one.name for one in file.unread}
    for name, nearest in file.columns.unknown:
        if name and name not in unread:
            near = f" Did you mean {nearest}? Then name it in columns.csv." if nearest else ""
            yield notice(
                "column.unknown", f"The column {name} is unknown and was not read.{near}", place=place.at(name)
            )


def sections(facts: BatchFacts, notices: Sequence[Problem]) -> list[Section]:
    """For the report: what became of every column, and what is told of the files."""
    names = file_names(facts.files)
    rows = [
        (str(Place(names[file.path], file.sheet)), name, what, why)
        for file in facts.files
        for name, what, why in _account(file)
    ]
    text = "Every column and nested name of the files: used, not migrated on purpose, or unknown. " + " ".join(
        rows_text(file) for file in facts.files
    )
    found = [Section("Columns", ["File", "Column", "What became of it", "As, or why"], rows, text, PagePart.COLUMNS)]
    if notices:
        lines = [(str(one.place), one.message) for one in notices]
        found.insert(
            0,
            Section(
                "Told of the files",
                ["Where", "What"],
                lines,
                "What was met or left out while reading.",
                PagePart.COLUMNS,
            ),
        )
    return found


def _account(file: FileFacts) -> Iterator[tuple[str, str, str]]:
    columns = file.columns
    yield from ((name, "used", field) for name, field in columns.used)
    yield from ((name, "not migrated", why) for name, why in columns.not_migrated)
    yield from ((name, "unknown", f"nearest known name: {near}" if near else "") for name, near in columns.unknown)


def texts(notices: Sequence[Problem]) -> list[str]:
    """The notices for a terminal: names of unknown columns in one line."""
    unknown = [one.place.column for one in notices if one.code == "column.unknown"]
    lines = [one.message for one in notices if one.code != "column.unknown"]
    if unknown:
        more = f" and {len(unknown) - NAMES_SHOWN} more" if len(unknown) > NAMES_SHOWN else ""
        lines.append(f"Unknown columns, which are not read: {', '.join(unknown[:NAMES_SHOWN])}{more}.")
    return lines
