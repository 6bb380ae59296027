"""Office files: which of them are workbooks and which reader they belong to; all others are refused by their name."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from mmap import ACCESS_READ, mmap
from pathlib import Path

from etl.errors import InputError
from etl.model.export import HeaderTest, Table
from etl.reading.foreign import no_export
from etl.reading.options import ReadOptions
from etl.reading.package import Package, translated
from etl.reading.sheet import Book
from etl.reading.workbook import password_error, read_workbook

ZIP = (b"PK\x03\x04", b"PK\x05\x06")
OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
SAVE_AS_XLSX = "Open it in its program and save or export it as .xlsx."
_LARGEST_OLE = 512 << 20
_SPREADSHEET = "application/vnd.oasis.opendocument.spreadsheet"
_OPEN_DOCUMENTS = {
    "text": "an OpenDocument text",
    "presentation": "an OpenDocument presentation",
    "graphics": "an OpenDocument drawing",
    "database": "an OpenDocument database",
}
_STREAMS = {
    "WordDocument": "a Word document",
    "PowerPoint Document": "a PowerPoint presentation",
    "VisioDocument": "a Visio drawing",
    "WksSSWorkBook": "a Microsoft Works spreadsheet",
    "MatOST": "a Microsoft Works document",
    "__properties_version1.0": "an Outlook message",
}
_BINARY = {
    b"\x09\x00\x04\x00": "an Excel 2 worksheet",
    b"\x09\x02\x06\x00": "an Excel 3 worksheet",
    b"\x09\x04\x06\x00": "an Excel 4 worksheet",
    b"\x00\x00\x02\x00\x06\x04": "a Lotus 1-2-3 worksheet",
    b"\x00\x00\x02\x00\x04\x04": "a Lotus 1-2-3 worksheet",
    b"\x00\x00\x1a\x00": "a Lotus 1-2-3 worksheet",
    b"\x00\x00\x02\x00\x20\x51": "a Quattro Pro spreadsheet",
    b"\xff\x00\x02\x00": "a Microsoft Works spreadsheet",
    b"\x00\x01\x00\x00Standard ": "an Access database",
}
_STUBS = {".gsheet": "a Google Sheets link", ".gdoc": "a Google Docs link", ".webloc": "a link", ".url": "a link"}


def refuse_by_name(path: Path) -> None:
    """Refuses files that hold no orders whatever their bytes are. Raises InputError."""
    name = path.name
    if name.startswith("~$") or (name.startswith(".~lock.") and name.endswith("#")):
        raise InputError(
            f"{path} is a lock file that a spreadsheet program writes beside a workbook while it is open.",
            place=str(path),
            hint=f"Name the workbook itself: {name.removeprefix('~$').removeprefix('.~lock.').removesuffix('#')}.",
        )
    stub = _STUBS.get(path.suffix.lower())
    if stub:
        raise no_export(
            path, f"{stub} and holds no orders", "Open it in the browser, download it as .xlsx and use that."
        )


def refuse_binary(path: Path, head: bytes) -> None:
    """Refuses spreadsheets and databases of other programs by their first bytes. Raises InputError."""
    for magic, name in _BINARY.items():
        if head.startswith(magic):
            raise no_export(path, name, SAVE_AS_XLSX)
    if _is_dbase(head):
        raise no_export(path, "a dBase table (.dbf)", "Open it in a spreadsheet program and save it as .xlsx.")


def read_zip(path: Path, is_header: HeaderTest, options: ReadOptions) -> list[Table]:
    """The tables of a workbook in a ZIP package. Raises InputError for any other archive, saying what it is."""
    return _workbook(path, _zip_format(path), is_header, options)


def open_workbook(path: Path) -> Book:
    """A workbook in a ZIP package, for whoever looks at its sheets one by one; it is to be closed.

    Raises InputError where it is damaged, protected by a password, or none.
    """
    with path.open("rb") as stream:
        head = stream.read(len(OLE2))
    if head.startswith(OLE2) and "EncryptedPackage" in _streams(path):
        raise password_error(path)
    if not head.startswith(ZIP):
        raise no_export(path, "no workbook of today's formats", "Save it as .xlsx in its program.")
    format_ = _zip_format(path)
    with translated(path):
        return _opener(format_)(path)


def _zip_format(path: Path) -> str:
    with translated(path):
        package = Package(path)
    try:
        names, is_encrypted = package.names, package.is_encrypted
        with translated(path):
            mime_type = package.read("mimetype")[:100].decode("ascii", "replace").strip()
            manifest = package.read("META-INF/manifest.xml")
    finally:
        package.close()
    if is_encrypted or b"encryption-data" in manifest:
        raise password_error(path)
    if mime_type.startswith(_SPREADSHEET):
        return "ods"
    _refuse_document(path, names, mime_type)
    if any(name.endswith("workbook.bin") for name in names):
        return "xlsb"
    if any(name.endswith("workbook.xml") for name in names):
        return "xlsx"
    inside = sorted(name for name in names if not name.endswith("/"))
    shown = ", ".join(inside[:5]) + (f" and {len(inside) - 5} more" if len(inside) > 5 else "")
    raise no_export(
        path,
        f"a ZIP archive that is no workbook; it holds {shown or 'nothing'}",
        "Unpack it and name the files in it.",
    )


def read_ole2(path: Path, is_header: HeaderTest, options: ReadOptions) -> list[Table]:
    """The tables of an .xls workbook. Raises InputError for any other Office file, saying what it is."""
    streams = _streams(path)
    if "EncryptedPackage" in streams:
        raise password_error(path)
    for name, what in _STREAMS.items():
        if name in streams and not streams & {"Workbook", "Book"}:
            raise no_export(path, what)
    if not streams & {"Workbook", "Book", "WORKBOOK", "BOOK"}:
        raise no_export(path, "an Office document that is no workbook")
    return _workbook(path, "xls", is_header, options)


def _workbook(path: Path, format_: str, is_header: HeaderTest, options: ReadOptions) -> list[Table]:
    return read_workbook(path, format_, _opener(format_), is_header, options.sheets)


def _opener(format_: str) -> Callable[[Path], Book]:
    from etl.reading.ods_file import OdsBook
    from etl.reading.xls_file import XlsBook
    from etl.reading.xlsb_file import XlsbBook
    from etl.reading.xlsx_file import XlsxBook

    openers: dict[str, Callable[[Path], Book]] = {
        "xlsx": XlsxBook, "xlsb": XlsbBook, "xls": XlsBook, "ods": OdsBook,
    }  # fmt: skip
    return openers[format_]


def _refuse_document(path: Path, names: frozenset[str], mime_type: str) -> None:
    if any(name.endswith((".iwa", "index.apxl")) for name in names) or "index.zip" in names:
        what = "an Apple Numbers spreadsheet" if path.suffix.lower() == ".numbers" else "an Apple iWork document"
        raise no_export(path, what, "Open it in Numbers and export it as .xlsx.")
    for kind, what in _OPEN_DOCUMENTS.items():
        if mime_type.startswith(f"application/vnd.oasis.opendocument.{kind}"):
            raise no_export(path, what)
    if "word/document.xml" in names:
        raise no_export(path, "a Word document (.docx)")
    if "ppt/presentation.xml" in names:
        raise no_export(path, "a PowerPoint presentation (.pptx)")


def _streams(path: Path) -> set[str]:
    from xlrd.compdoc import CompDoc

    size = path.stat().st_size
    if size > _LARGEST_OLE:
        raise no_export(path, f"an Office file of more than {_LARGEST_OLE >> 20} MiB", SAVE_AS_XLSX)
    with path.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as content, translated(path):
        try:
            return {entry.name for entry in CompDoc(content, logfile=StringIO()).dirlist}
        except Exception as error:
            # The directory is damaged; an encrypted workbook can still be told by the name in it.
            if content.find("EncryptedPackage".encode("utf-16-le")) >= 0:
                return {"EncryptedPackage"}
            raise ValueError(str(error) or type(error).__name__) from error


def _is_dbase(head: bytes) -> bool:
    if len(head) < 33 or head[0] not in (0x02, 0x03, 0x30, 0x31, 0x83, 0x8B, 0xF5):
        return False
    length = int.from_bytes(head[8:10], "little")
    return 1 <= head[2] <= 12 and 1 <= head[3] <= 31 and length >= 33 and 0x0D in head[32 : length + 1]
