"""Which reader a file belongs to: by its bytes, not by its name."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from etl.errors import InputError
from etl.model.export import Export, HeaderTest
from etl.reading.csv_file import read_csv
from etl.reading.encoding import TextFacts, look_at
from etl.reading.excel_file import password_error, read_workbook
from etl.reading.json_file import is_ndjson, read_json, read_ndjson
from etl.reading.options import DEFAULT, ReadOptions

ZIP = b"PK\x03\x04"
EMPTY_ZIP = b"PK\x05\x06"
OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_SCAN = 64 << 20
_FOREIGN = {
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"SQLite format 3": "an SQLite database",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"PAR1": "a Parquet file",
    b"{\\rtf": "an RTF document",
}
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f]")


def open_export(path: Path, is_header: HeaderTest, options: ReadOptions = DEFAULT) -> Export:
    """The export file, opened by the one reader that claims its bytes, as `options` say where they say anything.

    Raises InputError where nobody can read it, saying what it is and what to do.
    """
    head = _head(path)
    if head.startswith((ZIP, EMPTY_ZIP)):
        return _zip(path, is_header, options)
    if head.startswith(OLE2):
        return _ole2(path, is_header, options)
    for magic, name in _FOREIGN.items():
        if head.startswith(magic):
            raise _no_export(path, name)
    facts = look_at(path, options.encoding)
    return _text(path, facts, is_header)


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder.", place=str(path), hint="Name the export files in it.")
        if not path.exists():
            raise InputError(f"{path} does not exist.", place=str(path), hint="Check the name and the folder.")
        if not path.is_file():
            raise InputError(f"{path} is no regular file.", place=str(path), hint="Copy the export to a file first.")
        with path.open("rb") as stream:
            head = stream.read(4096)
    except OSError as error:
        raise InputError(
            f"{path} can't be read: {error.strerror}.", place=str(path), hint="Check the file's permissions."
        ) from error
    if not head:
        raise InputError(f"{path} is empty.", place=str(path), hint="Export the orders again.")
    return head


def _text(path: Path, facts: TextFacts, is_header: HeaderTest) -> Export:
    head = facts.head.lstrip()
    if not head:
        raise InputError(f"{path} holds blanks only.", place=str(path), hint="Export the orders again.")
    if facts.compressed and facts.head.startswith(("PK\x03\x04",)):
        raise _no_export(path, "a compressed workbook or archive", "Unpack it first.")
    if re.match(r"<(!doctype|html|\?xml|table|body|meta|head)\b", head, re.IGNORECASE):
        raise _no_export(path, "an HTML or XML page saved under another name", "Open it in Excel and save as .xlsx.")
    if facts.encoding == "cp1252" or "\0" in head[:64]:
        odd = len(_CONTROLS.findall(head[:4096]))
        if odd > len(head[:4096]) * 0.05:
            raise _no_export(path, "no text")
    if head[0] in "{[":
        read = read_ndjson if is_ndjson(path, facts.head) else read_json
        return read(path, facts, is_header)
    if path.name.lower().removesuffix(".gz").endswith((".ndjson", ".jsonl")):
        return read_ndjson(path, facts, is_header)
    return read_csv(path, facts, is_header)


def _zip(path: Path, is_header: HeaderTest, options: ReadOptions) -> Export:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(
            f"{path} is a damaged workbook or ZIP archive: {error}.", place=str(path), hint="Copy the file again."
        ) from error
    if "xl/workbook.xml" in names or "xl/workbook.bin" in names:
        return read_workbook(path, "xlsx", is_header, options)
    raise _no_export(path, "a ZIP archive that is no workbook", "Unpack it and name the files in it.")


def _ole2(path: Path, is_header: HeaderTest, options: ReadOptions) -> Export:
    with path.open("rb") as stream:
        content = stream.read(_OLE_SCAN)
    if "EncryptedPackage".encode("utf-16-le") in content:
        raise password_error(path)
    if not any(name.encode("utf-16-le") in content for name in ("Workbook", "Book")):
        raise _no_export(path, "an Office document that is no workbook")
    return read_workbook(path, "xls", is_header, options)


def _no_export(
    path: Path, what: str, hint: str = "Export the orders as .csv, .xlsx, .xls, .json or .ndjson."
) -> InputError:
    return InputError(f"{path} is {what}.", place=str(path), hint=hint)
