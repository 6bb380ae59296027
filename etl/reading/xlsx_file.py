"""Open XML workbooks (.xlsx, .xlsm, Strict ones too): the parts of the package around its sheets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from etl.reading.number_format import BUILT_IN, GENERAL, NumberFormats
from etl.reading.package import DamagedPartError, Package, XmlStream, local
from etl.reading.row_scan import Held, OpenXmlRows, watched
from etl.reading.shared_strings import SharedTexts
from etl.reading.sheet import LAST_ROW, Findings, Rows, Sheet
from etl.reading.xlsx_rows import SheetReader, Styles

_MOST_STYLES = 100_000
"""Programs end at 65,490."""
_MOST_SHEETS = 1_000
_YES = {"1", "true", "on"}


class XlsxBook:
    """An open .xlsx workbook."""

    last_row = LAST_ROW

    def __init__(self, path: Path) -> None:
        """Raises DamagedPartError, expat.ExpatError and the faults of ZIP archives."""
        self._package = Package(path)
        try:
            self._read()
        except BaseException:
            self._package.close()
            raise

    def _read(self) -> None:
        package = self._package
        book = _related(package, "", "officedocument", "xl/workbook.xml")
        self._kinds, self._targets = relations(package, book)
        workbook = _Workbook(package.read(book))
        self._distrusts_zero = workbook.is_uncalculated
        styles = next((self._targets[key] for key, kind in self._kinds.items() if kind == "styles"), "xl/styles.xml")
        self._formats = NumberFormats(_Formats(package.read(styles)).codes(), is_1904=workbook.is_1904)
        self._texts: SharedTexts | None = None
        self._sheets = [
            Sheet(name, is_hidden, self._opener(self._targets[key]))
            for name, key, is_hidden in workbook.sheets
            if self._kinds.get(key, "") in {"worksheet", "xlmacrosheet", "xlintlmacrosheet"}
        ]
        if not self._sheets:
            raise DamagedPartError("it has no sheet with cells")

    @property
    def sheets(self) -> Sequence[Sheet]:
        """Its sheets with cells."""
        return self._sheets

    def close(self) -> None:
        """Closes the file."""
        self._package.close()

    def _opener(self, part: str) -> _Opener:
        return _Opener(self, part)

    def open_sheet(self, part: str, findings: Findings) -> Rows:
        """The rows of a sheet part."""
        reader = SheetReader(self._shared(), Styles(self._formats), findings, self._distrusts_zero)
        scan = OpenXmlRows()
        findings.held = partial(self._held, part, scan, findings)
        return reader.rows(watched(self._package.chunks(part), scan))

    def _held(self, part: str, scan: OpenXmlRows, findings: Findings) -> Held | None:
        """What stands in a sheet. Rows of empty texts are looked at once more: they may not hold anything else."""
        held = scan.held()
        if held is None or findings.given == held.perhaps:
            return held
        thorough = OpenXmlRows(is_thorough=True)
        for chunk in self._package.chunks(part):
            thorough.take(chunk)
        return thorough.held()

    def _shared(self) -> SharedTexts:
        if self._texts is None:
            self._texts = SharedTexts()
            kinds = self._kinds.items()
            part = next((self._targets[key] for key, kind in kinds if kind == "sharedstrings"), "xl/sharedstrings.xml")
            if part in self._package:
                self._texts.read(self._package.chunks(part))
        return self._texts


class _Opener:
    """Opens one sheet of a workbook."""

    def __init__(self, book: XlsxBook, part: str) -> None:
        self._book, self._part = book, part

    def __call__(self, findings: Findings) -> Rows:
        return self._book.open_sheet(self._part, findings)


def relations(package: Package, part: str) -> tuple[dict[str, str], dict[str, str]]:
    """The relations of a part by their id: the last word of their type in lower case, and the part they lead to."""
    folder = PurePosixPath(part).parent
    kinds: dict[str, str] = {}
    targets: dict[str, str] = {}

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            key, target = attributes.get("Id", ""), attributes.get("Target", "").replace("\\", "/")
            kinds[key] = attributes.get("Type", "").rpartition("/")[2].lower()
            targets[key] = target.lstrip("/") if target.startswith("/") else _joined(folder, target)

    rels = folder / "_rels" / f"{PurePosixPath(part).name}.rels" if part else PurePosixPath("_rels/.rels")
    content = package.read(str(rels))
    if content:
        XmlStream(start, _nothing).feed(content, is_last=True)
    return kinds, targets


def _related(package: Package, part: str, kind: str, default: str) -> str:
    kinds, targets = relations(package, part)
    found = next((targets[key] for key, value in kinds.items() if value == kind), default)
    return found if found in package else default


def _joined(folder: PurePosixPath, target: str) -> str:
    parts: list[str] = []
    for part in (folder / target).parts:
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _nothing(_name: str) -> None:
    return


class _Workbook:
    """The workbook part: (name, relation, is hidden) of its sheets, the date system, whether it was ever calculated."""

    def __init__(self, content: bytes) -> None:
        self.sheets: list[tuple[str, str, bool]] = []
        self.is_1904 = False
        self.is_uncalculated = False
        XmlStream(self._start, _nothing).feed(content, is_last=True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            hidden = attributes.get("state", "visible").lower() in {"hidden", "veryhidden"}
            if len(self.sheets) >= _MOST_SHEETS:
                raise DamagedPartError(f"it has more than {_MOST_SHEETS} sheets")
            self.sheets.append((attributes.get("name", ""), _relation(attributes), hidden))
        elif name == "workbookPr":
            self.is_1904 = attributes.get("date1904", "").lower() in _YES
        elif name == "calcPr":
            # Programs that can't calculate ask for it, and write 0 where a result should stand.
            self.is_uncalculated = attributes.get("fullCalcOnLoad", "").lower() in _YES


def _relation(attributes: dict[str, str]) -> str:
    return next((value for key, value in attributes.items() if key.endswith(":id")), local(attributes, "id"))


class _Formats:
    """The number format of every cell style, in the order that cells name them."""

    def __init__(self, content: bytes) -> None:
        self._codes = dict(BUILT_IN)
        self._styles: list[int] = []
        self._is_inside = False
        if content:
            XmlStream(self._start, self._end).feed(content, is_last=True)

    def codes(self) -> list[str]:
        """The format codes."""
        return [self._codes.get(style, GENERAL) for style in self._styles]

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt" and attributes.get("numFmtId", "").isdigit():
            self._codes[int(attributes["numFmtId"])] = attributes.get("formatCode", GENERAL)[:1000]
            if len(self._codes) > _MOST_STYLES:
                raise DamagedPartError(f"it has more than {_MOST_STYLES} number formats")
        elif name == "cellXfs":
            self._is_inside = True
        elif name == "xf" and self._is_inside:
            number = attributes.get("numFmtId", "0")
            self._styles.append(int(number) if number.isdigit() else 0)
            if len(self._styles) > _MOST_STYLES:
                raise DamagedPartError(f"it has more than {_MOST_STYLES} cell styles")

    def _end(self, name: str) -> None:
        if name == "cellXfs":
            self._is_inside = False
