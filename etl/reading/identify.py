"""Which reader a file belongs to: by its bytes, not by its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from etl.errors import InputError
from etl.model.export import Export, HeaderTest
from etl.reading.csv_file import read_csv
from etl.reading.encoding import TextFacts, look_at
from etl.reading.foreign import BINARY, no_export, refuse_foreign_text
from etl.reading.json_file import is_ndjson, read_json, read_ndjson
from etl.reading.office import OLE2, ZIP, read_ole2, read_zip, refuse_binary, refuse_by_name
from etl.reading.options import DEFAULT, ReadOptions

_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f]")


def open_export(path: Path, is_header: HeaderTest, options: ReadOptions = DEFAULT) -> Sequence[Export]:
    """The export file, opened by the one reader that claims its bytes, as `options` say where they say anything.

    Shape: one export, or one for each sheet of a workbook that holds orders; each is to be closed. Raises InputError
    where nobody can read it, saying what it is and what to do.
    """
    refuse_by_name(path)
    head = _head(path)
    if head.startswith(ZIP):
        return read_zip(path, is_header, options)
    if head.startswith(OLE2):
        return read_ole2(path, is_header, options)
    refuse_binary(path, head)
    for magic, name in BINARY.items():
        if head.startswith(magic):
            raise no_export(path, name)
    facts = look_at(path, options.encoding)
    return [_text(path, facts, is_header)]


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
        raise no_export(path, "a compressed workbook or archive", "Unpack it first.")
    refuse_foreign_text(path, facts.head)
    if not facts.encoding.startswith("utf") or "\0" in head[:64]:
        odd = len(_CONTROLS.findall(head[:4096]))
        if odd > len(head[:4096]) * 0.05:
            raise no_export(path, "no text")
    if head[0] in "{[":
        read = read_ndjson if is_ndjson(path, facts.head) else read_json
        return read(path, facts, is_header)
    if path.name.lower().removesuffix(".gz").endswith((".ndjson", ".jsonl")):
        return read_ndjson(path, facts, is_header)
    return read_csv(path, facts, is_header)
