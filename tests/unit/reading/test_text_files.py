"""Text files as people have them: no row vanishes in a quote, no byte costs more than its row, every line is counted."""

from __future__ import annotations

import csv
import gzip
import io
import tracemalloc
from pathlib import Path

import pytest

from etl.errors import InputError
from etl.model.export import BadRow, Table
from etl.reading.identify import open_export
from etl.reading.options import ReadOptions
from etl.reading.plausible import ODD_WORD, guess, is_plausible

HEADER = "orderNumber,name,size,comment,qty"


def read(path: Path, content: bytes | str, **options: str) -> tuple[Table, list[tuple[int, list[str]]]]:
    """The table and its rows; the count of lines always comes out."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (export,) = open_export(path, lambda cells: "orderNumber" in cells, ReadOptions(**options))  # type: ignore[arg-type]
    assert isinstance(export, Table)
    rows = list(export.rows)
    export.close()
    assert export.count is not None
    assert export.count.counted == export.count.lines
    assert export.count.rows == len(rows)
    return export, rows


def shown(rows: list[tuple[int, list[str]]]) -> list[tuple[int, str, bool]]:
    """Row, order number, whether it is a bad one."""
    return [(row, cells[0], isinstance(cells, BadRow)) for row, cells in rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_rows_do_not_vanish_between_two_stray_quotes(tmp_path: Path, delimiter: str) -> None:
    """The width of what the quotes hold fits; only the lines within tell."""
    text = f'{HEADER}\n1,a,S,,1\n2,"HOME,S,,1\n3,c,S,,1\n4,d,S,,1\n5,FRAME 12",S,,1\n6,f,S,,1\n'
    _, rows = read(tmp_path / "x.csv", text.replace(",", delimiter))
    assert shown(rows) == [
        (2, "1", False),
        (3, "2", True),
        (4, "3", False),
        (5, "4", False),
        (6, "5", False),
        (7, "6", False),
    ]
    assert rows[4][1][1] == 'FRAME 12"'


def test_one_order_swallows_its_next_row_only(tmp_path: Path) -> None:
    """Two rows, one quote at the start of a cell and one at the end of the next row's."""
    _, rows = read(tmp_path / "x.csv", f'{HEADER}\n2,"a,S,,1\n2,b",S,,1\n3,c,S,,1\n')
    assert shown(rows) == [(2, "2", True), (3, "2", False), (4, "3", False)]


def test_a_quote_open_to_the_end_of_a_long_file_costs_one_row(tmp_path: Path) -> None:
    """200,000 rows stand below it, and are read in seconds."""
    body = "".join(f"{number},a,S,,1\n" for number in range(10, 200_010))
    _, rows = read(tmp_path / "x.csv", f'{HEADER}\n1,"never closed,S,,1\n{body}')
    assert len(rows) == 200_001
    assert [row for row, cells in rows if isinstance(cells, BadRow)] == [2]


def test_many_stray_quotes_stay_linear(tmp_path: Path) -> None:
    """Every second row opens a quote that nothing closes."""
    body = "".join(f'{number},"a,S,,1\n{number + 1},b,S,,1\n' for number in range(1, 40_000, 2))
    _, rows = read(tmp_path / "x.csv", f"{HEADER}\n{body}")
    assert len(rows) == 40_000
    assert sum(isinstance(cells, BadRow) for _, cells in rows) == 20_000


@pytest.mark.parametrize("cell", ["first\nsecond", "a, b\nc, d, e", "\n\n", 'say ""hi""\n1,2,3', "one\r\ntwo"])
def test_cells_with_line_breaks_stay_cells(tmp_path: Path, cell: str) -> None:
    """A comment or an address of several lines is one cell."""
    _, rows = read(tmp_path / "x.csv", f'{HEADER}\n1,a,S,"{cell}",1\n2,b,S,,1\n')
    assert shown(rows)[0] == (2, "1", False)
    assert rows[0][1][3] == cell.replace('""', '"')
    assert rows[-1][1][0] == "2"


def test_blanks_before_quotes(tmp_path: Path) -> None:
    """`"a", "b"` is written by people and simple programs; the quotes are no part of the cells."""
    _, rows = read(tmp_path / "x.csv", '"orderNumber", "name", "size"\n"1", "Smith, John", "S"\n"2", "b", "M"\n')
    assert [cells for _, cells in rows] == [["1", "Smith, John", "S"], ["2", "b", "M"]]


def test_quotes_with_backslashes(tmp_path: Path) -> None:
    """PHP and MySQL write them; a backslash elsewhere stays what it is."""
    text = f'{HEADER}\n1,"Plate \\"Rose\\" 12 cm",S,C:\\x,1\n2,"Plate \\"Rose\\", blue",S,,1\n3,c,S,,1\n'
    export, rows = read(tmp_path / "x.csv", text)
    assert [cells[1] for _, cells in rows] == ['Plate "Rose" 12 cm', 'Plate "Rose", blue', "c"]
    assert rows[0][1][3] == "C:\\x"
    assert any("backslash" in notice for notice in export.notices)
    assert [getattr(cells, "code", "") for _, cells in rows] == ["text.quotes", "text.quotes", ""]


def test_a_backslash_before_the_closing_quote_is_text(tmp_path: Path) -> None:
    """A folder's name may end so; it is no dialect."""
    _, rows = read(tmp_path / "x.csv", f'{HEADER}\n1,"C:\\a\\",S,,1\n2,b,S,,1\n')
    assert rows[0][1][:3] == ["1", "C:\\a\\", "S"]


def test_one_cut_character_costs_its_row(tmp_path: Path) -> None:
    """59 orders, one byte: 58 are read, and the row and column are named."""
    body = b"".join(f"{number},Cr\u00e8me,S,,1\n".encode() for number in range(1, 60))
    cut = body.replace(b"27,Cr\xc3\xa8me", b"27,Cr\xc3me")
    export, rows = read(tmp_path / "x.csv", f"{HEADER}\n".encode() + cut)
    bad = [(row, cells) for row, cells in rows if isinstance(cells, BadRow)]
    assert [(row, cells[0], cells.column) for row, cells in bad] == [(28, "27", "name")]
    assert "utf-8" in bad[0][1].message
    assert len(rows) == 59
    assert export.dialect is not None
    assert export.dialect.encoding == "utf-8"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-8"])
def test_a_file_cut_within_a_character_keeps_its_rows(tmp_path: Path, encoding: str) -> None:
    """The last byte is missing: the last row is bad, the others are read."""
    data = f"\ufeff{HEADER}\n1,a,S,,1\n2,b,S,,\u20ac".encode(encoding)[:-1]
    _, rows = read(tmp_path / "x.csv", data)
    assert shown(rows) == [(2, "1", False), (3, "2", True)]


TEXTS = {
    "mac_roman": "Bl\u00e5b\u00e4rsskal S\u00f6derberg \u00f6",
    "cp850": "Cr\u00e9me br\u00fbl\u00e9e sk\u00e5l S\u00f6derberg",
    "cp1250": "\u0160\u00e1lek \u017elut\u00fd ko\u0159en\u00ed Dvo\u0159\u00e1k",
    "cp1252": "Cr\u00e8me br\u00fbl\u00e9e \u0153uf \u20ac5 \u2013 Stra\u00dfe",
    "cp1251": "\u041f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440",
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_8_bit_encodings_are_told_apart_and_told(tmp_path: Path, encoding: str) -> None:
    """Nearly every byte means something in each; the words tell, and a person sees them."""
    text = f"{HEADER}\n1,{TEXTS[encoding]},S,,1\n"
    export, rows = read(tmp_path / "x.csv", text.encode(encoding))
    assert rows[0][1][1] == TEXTS[encoding]
    assert export.dialect is not None
    assert export.dialect.encoding == encoding
    assert "encoding" in export.notices[0]
    assert "row 2" in export.notices[0]
    decided, rows = read(tmp_path / "x.csv", text.encode(encoding), encoding=encoding)
    assert (rows[0][1][1], decided.notices) == (TEXTS[encoding], ())


def test_a_person_decides_the_encoding(tmp_path: Path) -> None:
    """A word too short to tell is read as he says."""
    assert guess(ODD_WORD.findall("caf\u00e9".encode("cp1252"))).encoding == "cp1252"
    _, rows = read(tmp_path / "x.csv", f"{HEADER}\n1,caf\u00e9,S,,1\n".encode("cp850"), encoding="cp850")
    assert rows[0][1][1] == "caf\u00e9"


@pytest.mark.parametrize("word", ["Bl\u0152b\u0160rsskal", "Cr\u201ame", "Dvo\u00f8\u00e1k", "\u00db5", "12\u00e9"])
def test_words_that_speak_against_an_encoding(word: str) -> None:
    """Capitals and signs within a word, letters of two languages, a letter for a currency sign."""
    assert not is_plausible(word)


def test_gzip_members_and_padding(tmp_path: Path) -> None:
    """Logs are joined by appending members, tapes pad with zeros."""
    data = gzip.compress(f"{HEADER}\n1,a,S,,1\n".encode()) + gzip.compress(b"2,b,S,,1\n") + b"\0" * 512
    _, rows = read(tmp_path / "x.csv.gz", data)
    assert [cells[0] for _, cells in rows] == ["1", "2"]


def test_a_gzip_bomb_ends_in_a_sentence(tmp_path: Path) -> None:
    """Blanks pack a thousandfold; no export does."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as packed:
        packed.write(f"{HEADER}\n".encode())
        for _ in range(120):
            packed.write(b" " * (1 << 20))
    with pytest.raises(InputError, match="times its size"):
        read(tmp_path / "x.csv.gz", buffer.getvalue())


def test_a_line_of_many_megabytes_ends_in_a_sentence(tmp_path: Path) -> None:
    """It is refused before it is held in memory."""
    content = f"{HEADER}\n1,".encode() + b"x" * (40 << 20) + b",S,,1\n"
    (tmp_path / "x.csv").write_bytes(content)
    del content
    tracemalloc.start()
    with pytest.raises(InputError, match="MiB"):
        open_export(tmp_path / "x.csv", lambda cells: "orderNumber" in cells)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 << 20


def test_a_million_columns_end_in_a_sentence(tmp_path: Path) -> None:
    """Looking up a million names would take hours."""
    names = ",".join(f"c{number}" for number in range(200_000))
    with pytest.raises(InputError, match="columns"):
        read(tmp_path / "x.csv", f"orderNumber,{names}\n1\n")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("end", ["", "newline"])
def test_every_line_is_accounted_for(tmp_path: Path, newline: str, end: str) -> None:
    """Above the header, header, rows, blanks and breaks in cells are the lines of the file."""
    lines = ["Orders of May", "", HEADER, "1,a,S,,1", "", '2,b,S,"x', 'y",1', "3,c,S,,1"]
    export, _ = read(tmp_path / "x.csv", newline.join(lines) + (newline if end else ""))
    count = export.count
    assert count is not None
    assert (count.lines, count.above, count.header, count.rows, count.inside, count.blank) == (8, 2, 1, 3, 1, 1)


def test_a_written_table_is_read_as_it_was(tmp_path: Path) -> None:
    """Every dialect of an independent writer."""
    rows = [["1", 'a "b"', "x;y", "line\nbreak", "1"], ["2", "", " ", "tab\there", "2"], ["3", "|", ",", '"', "3"]]
    for delimiter in ",;\t|":
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
            buffer = io.StringIO(newline="")
            writer = csv.writer(buffer, delimiter=delimiter, quoting=quoting)
            writer.writerows([HEADER.split(","), *rows])
            _, found = read(tmp_path / "x.csv", buffer.getvalue())
            assert [list(cells) for _, cells in found] == rows
