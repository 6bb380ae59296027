"""Writing the mapping folder: new files whole, and into files that are there only rows and keys that they lack.

Rule: design section 2, `init`: what stands is never changed.
"""

from __future__ import annotations

import csv
import io
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from etl.errors import UsageError
from etl.mapping.settings import FILE, keys_of
from etl.mapping.table import COMMENT, Table, read_table
from etl.model.mapping_tables import TABLES
from etl.reading.encoding import read_text
from etl.reading.numbers import plain_rate

KEYS = {
    "taxes.csv": ("country", "vat_percent"),
    "products.csv": ("key_type", "key"),
    "accounts.csv": ("key_type", "key"),
    "categories.csv": ("key_type", "key"),
    "vouchers.csv": ("code",),
    "payments.csv": ("method",),
    "segments.csv": ("market",),
    "columns.csv": ("header",),
    "values.csv": ("field", "value"),
}
"""What a row of each table is known by; other tables get no rows from `init`."""
_PRIVATE = frozenset({"accounts.csv", "values.csv", "columns.csv"})
"""Files that may hold people's data: their addresses, or samples of cells."""
_BOM = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one file: new, or so many rows or keys added; `note` says why nothing could be added."""

    path: Path
    is_new: bool = False
    added: int = 0
    note: str = ""


def write_folder(folder: Path, files: Mapping[str, str]) -> list[Written]:
    """Writes the files; those that are there get only what they lack. Raises UsageError where that can't be done.

    Effects: creates the folder and files; a file that is there is replaced in one step, or not at all. Files that may
    hold people's data are readable by their owner only.
    """
    with writable(folder):
        return [_written(folder / name, text) for name, text in files.items()]


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Makes the folder, and turns what the disk refuses within into a UsageError."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, not a folder.", place=str(folder), hint="Name another --mappings DIR.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UsageError(
            f"{folder} can't be written: {error.strerror or error}.",
            place=str(folder),
            hint="Free some space or choose a folder that you may write to.",
        ) from error


def _written(path: Path, text: str) -> Written:
    if not path.exists() and not path.is_symlink():
        mode = 0o600 if path.name in _PRIVATE else 0o666
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
            # With a byte order mark Excel reads UTF-8; without it, names with accents come out wrong.
            stream.write(text.encode("utf-8" if path.suffix == ".toml" else "utf-8-sig"))
        return Written(path, is_new=True)
    if path.name == FILE:
        return _with_keys(path, text)
    return _with_rows(path, text) if path.name in KEYS else Written(path)


def _with_keys(path: Path, text: str) -> Written:
    """migration.toml with the keys of `text` that it lacks, below the header of their section."""
    held = path.read_bytes()
    try:
        old = held.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Written(path, note="it is not UTF-8; save it so and run init again")
    present, new = keys_of(old), _values(text)
    wanted = {key: line for key, line in new.items() if key not in present and not line.endswith('""')}
    newline = "\r\n" if "\r\n" in old else "\n"
    lines = old.splitlines()
    for section in dict.fromkeys(section for section, _ in wanted):
        own = [line for (name, _), line in wanted.items() if name == section]
        at = next((at for at, line in enumerate(lines, 1) if re.match(rf"\s*\[\s*{section}\s*\]", line)), None)
        if at is None:
            lines += ["", f"[{section}]", *own]
        else:
            lines[at:at] = own
    if wanted:
        replace_file(path, newline.join([*lines, ""]).encode("utf-8-sig" if held[:3] == b"\xef\xbb\xbf" else "utf-8"))
    return Written(path, added=len(wanted))


def _values(text: str) -> dict[tuple[str, str], str]:
    """(section, key) -> line of the keys that have a value in a generated migration.toml."""
    found, section = {}, ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif " = " in line and not line.startswith(COMMENT):
            found[section, line.partition(" = ")[0]] = line
    return found


def _with_rows(path: Path, text: str) -> Written:
    """A table with the rows of `text` whose keys it lacks, below its own."""
    table = read_table(path, TABLES[path.name])
    if table.faults:
        return Written(path, note=f"it has a fault: {table.faults[0]}")
    old, facts = read_text(path)
    header, held = parted(csv.reader(io.StringIO(old, newline=""), delimiter=table.delimiter), path.name)
    fresh = lacking(table, (header, held), parted(csv.reader(io.StringIO(text, newline="")), path.name))
    if not fresh:
        return Written(path)
    out = io.StringIO()
    newline = "\r\n" if "\r\n" in old else "\n"
    csv.writer(out, delimiter=table.delimiter, lineterminator=newline).writerows(fresh)
    gap = "" if not old or old.endswith(("\n", "\r")) else newline
    raw = path.read_bytes()
    encoding = next((name for name, mark in _BOM.items() if raw.startswith(mark)), facts.encoding.removesuffix("-sig"))
    try:
        more = (gap + out.getvalue()).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return Written(path, note="its encoding lacks characters of the new rows; save it as UTF-8 and run init again")
    replace_file(path, raw + more)
    return Written(path, added=len(fresh))


Rows = tuple[Sequence[str], Sequence[Sequence[str]]]
"""The header of a table, and its rows below, commented ones too."""


def lacking(table: Table, held: Rows, offered: Rows) -> list[list[str]]:
    """The offered rows whose keys the table lacks, in the order of its own columns. Pure."""
    file, (header, rows), (new_header, new_rows) = table.file, held, offered
    keys = {_key(file, header, row) for row in rows}
    return [
        [dict(zip(new_header, row, strict=False)).get(name, "") for name in header]
        for row in new_rows
        if _key(file, new_header, row) not in keys and not _is_covered(file, new_header, row, table)
    ]


def parted(rows: Iterable[Sequence[str]], file: str) -> tuple[list[str], list[Sequence[str]]]:
    """The header of a table, and its rows below, commented ones too."""
    header: list[str] = []
    found: list[Sequence[str]] = []
    key = TABLES[file].names[0]
    for cells in rows:
        trimmed = [cell.strip().removeprefix("\ufeff") for cell in cells]
        if not header:
            header = trimmed if key in trimmed else []
        elif any(trimmed):
            found.append(cells)
    return header, found


def _key(file: str, header: Sequence[str], row: Sequence[str]) -> tuple[str, ...]:
    return tuple(_key_cells(file, header, row))


def _key_cells(file: str, header: Sequence[str], row: Sequence[str]) -> Iterator[str]:
    cells = dict(zip(header, row, strict=False))
    for name in KEYS[file]:
        text = cells.get(name, "").strip().removeprefix("# ").removeprefix("'")
        rate = plain_rate(text) if name == "vat_percent" else None
        yield text if rate is None else f"{rate.normalize():f}"


def _is_covered(file: str, header: Sequence[str], row: Sequence[str], table: Table) -> bool:
    """Whether a standing row of taxes.csv answers already: a new, undecided one would beat it and block its orders."""
    if file != "taxes.csv" or row[0].startswith(COMMENT):
        return False
    country, percent = _key(file, header, row)
    return any(
        one.cells["country"] in (country, "*")
        and (one.cells["vat_percent"] == "*" or plain_rate(one.cells["vat_percent"]) == plain_rate(percent))
        for one in table.rows
    )


def replace_file(path: Path, content: bytes) -> None:
    """The file with its new content, in one step, with the rights that it had."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(path.stat().st_mode & 0o777)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
