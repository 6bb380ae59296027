"""Files that are no exports: what each of them is, by its beginning, and the way out of it.

Nothing of their content is shown, since nobody knows what it is: of files of settings the names, never a value.
"""

from __future__ import annotations

import re
from pathlib import Path

from etl.errors import InputError

BINARY: dict[bytes, str] = {
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"SQLite format 3": "an SQLite database",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"\x04\x22\x4d\x18": "an LZ4 archive",
    b"\x1f\x9d": "a compress archive",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"Obj\x01": "an Avro file",
    b"ORC": "an ORC file",
    b"{\\rtf": "an RTF document",
    b"bplist00": "an Apple property list or web archive",
    b"MZ": "a program",
    b"\x7fELF": "a program",
    b"PGDMP": "a PostgreSQL dump",
}
"""First bytes of files that no reader takes, and what they are."""
_EXPORT = "Export the orders as .csv, .xlsx, .xls, .xlsb, .ods, .json or .ndjson."
_QUERY = "Load it into a database and export the result of a query as CSV."
_WORKBOOK = "Open it in Excel and save as .xlsx."
_HTML = re.compile(
    r"<(?:!doctype html|html|table|tbody|thead|div|tr|td|body|head|meta|style|center|span|p|font)\b", re.IGNORECASE
)
_SETTING = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*[=:](?!=)", re.ASCII)
_KINDS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), what, hint)
    for pattern, what, hint in (
        (r"(?s)(?=.{0,2000}^mime-version:)(?=.{0,4000}multipart/related|.{0,4000}text/html).*?", "a web archive (MHTML) saved under another name", _WORKBOOK),
        (r"(?s)(?=.{0,2000}^(?:received|return-path|delivered-to|from|message-id):)(?=.{0,4000}^(?:subject|date):).*?", "an e-mail message", "Save the attachment of the message and name that."),
        (r"(?:--|/\*)[^\n]{0,80}(?:dump|mysql|mariadb|postgresql|sqlite|adminer|navicat|sql server)|/\*!\d{5}", "an SQL dump", _QUERY),
        (r"(?s:.{0,4000}?)^[ \t]*(?:create table|insert into|drop table|pragma foreign_keys|begin transaction)\b[^,;\t|]*[(;`]", "an SQL dump", _QUERY),
        (r"-----BEGIN ", "a key or certificate", _EXPORT),
        (r"BEGIN:V(?:CALENDAR|CARD)", "a calendar or address card", _EXPORT),
        (r"version https://git-lfs", "a pointer of Git LFS, not the file itself", "Fetch the file with `git lfs pull`."),
        (r"UNA.{6}\s*UNB\+|UNB\+|ISA\*", "an EDI message", _EXPORT),
        (r"OFXHEADER:|!Type:", "a bank statement (OFX or QIF)", _EXPORT),
        (r"%YAML|---\s*\n[\w\"' -]+:", "YAML", _EXPORT),
        (r"(?>(?://[^\n]*\n|/\*(?:[^*]|\*(?!/))*+\*/)\s*)++(?:\[|\{[ \t]*\r?\n)", "JSON with comments, which JSON does not know", "Take the comments away."),
        (r"#!", "a script", _EXPORT),
    )
)  # fmt: skip


def refuse_foreign_text(path: Path, head: str) -> None:
    """Raises InputError where the beginning of a text file is that of no export, saying what it is."""
    text = head.lstrip("\ufeff \t\r\n")
    start = text[:16_384]
    if start.startswith("<"):
        raise _markup(path, start)
    for pattern, what, hint in _KINDS:
        if _matches(pattern, start):
            raise no_export(path, what, hint)
    names = _settings(start)
    if names:
        shown = ", ".join(names[:10])
        more = " and more" if len(names) > 10 else ""
        raise no_export(path, f"a file of settings ({shown}{more})", _EXPORT)


def _matches(pattern: re.Pattern[str], text: str) -> bool:
    return re.compile(pattern.pattern, pattern.flags | re.MULTILINE).match(text) is not None


def _markup(path: Path, start: str) -> InputError:
    lower = start.casefold()
    if "urn:schemas-microsoft-com:office:spreadsheet" in lower:
        return no_export(path, "a SpreadsheetML page (XML) saved under another name", _WORKBOOK)
    if "opendocument" in lower:
        return no_export(path, "a flat OpenDocument sheet (XML)", "Open it in LibreOffice and save as .xlsx.")
    if _HTML.search(start[:8192]):
        return no_export(path, "an HTML page saved under another name", _WORKBOOK)
    return no_export(path, "an XML document", "Export the orders as JSON or CSV; Centra offers both.")


def _settings(text: str) -> list[str]:
    """The names in a file of `NAME=value` lines; none where it is something else."""
    lines = [line.strip() for line in text.splitlines()[:200]]
    filled = [
        line
        for line in lines
        if line and not line.startswith(("#", ";", "//")) and not re.fullmatch(r"\[[^\]]*\]", line)
    ]
    if len(text) == 16_384 and filled:
        filled.pop()
    names = [match[1] for line in filled if (match := _SETTING.match(line)) and "\t" not in line[: match.end()]]
    if not filled or len(names) < len(filled) * 0.8 or re.match(r'"?sep=.\s', text, re.IGNORECASE):
        return []
    return list(dict.fromkeys(names))


def no_export(path: Path, what: str, hint: str = _EXPORT) -> InputError:
    """What to say of a file that no reader takes."""
    return InputError(f"{path} is {what}.", place=str(path), hint=hint)
