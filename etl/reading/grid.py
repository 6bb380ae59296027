"""Plain rows of a delimited file as bytes: where each cell stands, found for thousands of rows at once. Pure.

Plain is a row that `csv.reader` reads as one line of as many cells as the header has, each of them bare or whole in quotes.
Any other line is left to the reader of rows. The bytes have to be of an encoding in which those of ASCII stand for
themselves, and hold no NUL: then the first bytes of a cell, filled up with zeros, are the cell's and no other's.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from etl.reading.distinct import Ints, Words, alike, first_of

__all__ = ["Bools", "Grid", "Ints", "Piece", "keep_freed_memory", "pieces", "plain_amounts"]
Bools = npt.NDArray[np.bool_]
_FEED, _RETURN, _QUOTE = b'\n\r"'
_WIDE = 8
_KEPT = np.array([(1 << (8 * size)) - 1 for size in range(_WIDE + 1)], np.uint64)
"""Masks of the first bytes of a word, by how many they are."""
_LONGEST = 12 * _WIDE
"""Cells of more bytes are compared one by one: columns of long texts are few, and seldom alike."""
_ONES = np.uint64(0x0101010101010101)
_SEVENS, _EIGHTHS = _ONES * np.uint64(0x7F), _ONES * np.uint64(0x80)
_FREED = 16 << 20
"""Bytes that arrays of a block do not come to; as many are never touched."""
LEAST = 64
"""Fewer plain lines than this between others are not worth a grid of their own."""
LONGEST_AMOUNT, _WHOLE, _DECIMALS = 12, 9, 2
"""Of a plain amount: all characters, digits before the mark and after it."""
DIGITS = 18
"""Longest whole number that is read as one."""


class Piece(NamedTuple):
    """Lines of a file that follow each other, all of them plain (`grid`), or for the reader of rows."""

    data: bytes
    grid: Grid | None


class Grid:
    """Plain rows. `offsets`: where each begins in `data`, and where the last one ends; `count`: how many there are."""

    def __init__(self, data: bytes, marks: Ints, encoding: str) -> None:
        """`marks`: where the delimiters and line ends of each row stand, in its columns."""
        self.data, self.encoding = data, encoding
        self.count = len(marks)
        self.offsets = np.concatenate(([0], marks[:, -1] + 1)).astype(np.int32)
        starts = np.empty(marks.shape[::-1], np.int32)
        starts[1:] = marks[:, :-1].T
        starts[1:] += 1
        starts[0] = self.offsets[:-1]
        lengths = marks.T.astype(np.int32)
        lengths -= starts
        bytes_ = np.frombuffer(data, np.uint8)
        lengths[-1] -= bytes_[marks[:, -1] - 1] == _RETURN
        self._has_quotes = b'"' in data
        if self._has_quotes:
            # Only of a cell in quotes is a quote the first byte; of an empty one it may be that of the next.
            is_quoted = (bytes_[starts] == _QUOTE) & (lengths > 0)
            starts += is_quoted
            lengths -= 2 * is_quoted
        self._starts, self.lengths = starts, lengths

    @cached_property
    def _text(self) -> str | None:
        return self.data.decode("ascii") if self.data.isascii() else None

    def texts(self, column: int, rows: Ints) -> list[str]:
        """The cells of a column in these rows."""
        starts = self._starts[column][rows]
        spans = zip(starts.tolist(), (starts + self.lengths[column][rows]).tolist(), strict=True)
        if (text := self._text) is not None:
            found = [text[start:end] for start, end in spans]
        else:
            data, encoding = self.data, self.encoding
            found = [data[start:end].decode(encoding) for start, end in spans]
        return [cell.replace('""', '"') for cell in found] if self._has_quotes else found

    def keys(self, columns: Sequence[int], rows: Ints) -> Sequence[Hashable]:
        """What stands in several columns (one at least) in these rows: rows have the same there where these are equal."""
        cells: list[list[bytes]] = []
        for low, high in self._spans(columns):
            starts, ends = self._starts[low][rows], self._starts[high][rows] + self.lengths[high][rows]
            cells.append([self.data[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)])
        return cells[0] if len(cells) == 1 else list(zip(*cells, strict=True))

    def repeats(self, columns: Sequence[int]) -> Bools:
        """Of each row whether its cells in these columns are those of the row before."""
        same = np.ones(self.count, bool)
        same[:1] = False
        spans = [(self._starts[low], self._starts[high] + self.lengths[high]) for low, high in self._spans(columns)]
        for start, end in spans:
            same[1:] &= (end - start)[1:] == (end - start)[:-1]
        for start, end in spans:
            self._clear_differing(same, start, end - start)
        return same

    def _clear_differing(self, same: Bools, start: npt.NDArray[np.int32], length: npt.NDArray[np.int32]) -> None:
        """Clears rows whose bytes there differ from those of the row before, which are as many."""
        longest = int(length.max(initial=0))
        for done in range(0, min(longest, _LONGEST), _WIDE):
            # Beyond a cell's end there may be no byte at all.
            word = self._at(np.minimum(start + done, len(self.data))) & _KEPT[np.clip(length - done, 0, _WIDE)]
            same[1:] &= word[1:] == word[:-1]
        rows = np.flatnonzero(same & (length > _LONGEST)) if longest > _LONGEST else np.empty(0, np.int64)
        done = _LONGEST
        while len(rows):
            size = length[rows] - done
            mask = _KEPT[np.minimum(size, _WIDE)]
            differs = ((self._at(start[rows] + done) ^ self._at(start[rows - 1] + done)) & mask) != 0
            same[rows[differs]] = False
            done += _WIDE
            rows = rows[~differs & (size > _WIDE)]

    def _spans(self, columns: Sequence[int]) -> list[tuple[int, int]]:
        """These columns, those that stand beside each other together: the first and the last of each.

        A span holds its delimiters, which no cell holds. Not so in quotes: there each column is by itself.
        """
        found: list[tuple[int, int]] = []
        for column in sorted(columns):
            if found and found[-1][1] == column - 1 and not self._has_quotes:
                found[-1] = (found[-1][0], column)
            else:
                found.append((column, column))
        return found

    def codes(self, column: int, rows: Ints) -> tuple[Ints, npt.NDArray[np.int32]]:
        """(of each distinct cell of a column in these rows a row that has it, the number of its cell for each row)."""
        length = self.lengths[column][rows]
        if not len(rows) or int(length.max()) > _LONGEST:
            return self._codes_one_by_one(column, rows)
        words = self._words(column, rows, length)
        return _distinct(words, rows) or self._codes_one_by_one(column, rows)

    def shapes(self, column: int, rows: Ints, least: str) -> tuple[Ints, npt.NDArray[np.int32]] | None:
        """As `codes`, with no difference between the digits from `least` on; None where cells are too long for that."""
        length = self.lengths[column][rows]
        if not len(rows) or int(length.max()) > 3 * _WIDE:
            return None
        words = self._words(column, rows, length)
        return _distinct([_without_digits(word, ord(least)) for word in words], rows)

    def begins(self, column: int, rows: Ints, text: str) -> Bools:
        """Of each cell of a column in these rows whether it begins with a text of at most 8 bytes."""
        wanted = np.uint64(int.from_bytes(text.encode(), "little"))
        words = self._at(self._starts[column][rows]) & _KEPT[len(text)]
        found: Bools = (words == wanted) & (self.lengths[column][rows] >= len(text))
        return found

    def whole_numbers(self, column: int, rows: Ints) -> Ints:
        """Cells that are nothing but digits, at most 18 and no zero in front, as numbers; -1 for any other."""
        length = self.lengths[column][rows]
        found = np.full(len(rows), -1, np.int64)
        fits = np.flatnonzero((length > 0) & (length <= DIGITS))
        if not len(fits):
            return found
        start, length = self._starts[column][rows[fits]], length[fits]
        bytes_ = np.frombuffer(self.data, np.uint8)
        value, is_number = np.zeros(len(fits), np.int64), bytes_[start] != ord("0")
        for place in range(int(length.max())):
            has = place < length
            digit = bytes_[np.where(has, start + place, start)] - np.uint8(ord("0"))
            is_number &= digit <= 9
            value = np.where(has, value * 10 + digit, value)
        found[fits] = np.where(is_number, value, -1)
        return found

    def amounts(self, column: int, rows: Ints, mark: str, digits: int) -> tuple[Ints, Bools]:
        """Cells in units of 10**-digits, and which of them are amounts without sign or thousands, and not finer."""
        start, length = self._starts[column][rows], self.lengths[column][rows]
        bytes_ = np.frombuffer(self.data, np.uint8)
        # Beyond a cell's end there may be no byte at all.
        return plain_amounts(lambda place, has: bytes_[np.where(has, start + place, start)], length, mark, digits)

    @cached_property
    def _every(self) -> Words:
        """The word that begins at each byte."""
        return np.ndarray((len(self.data) + 1,), "<u8", self.data + bytes(_WIDE), 0, (1,))

    def _at(self, starts: npt.NDArray[np.int32]) -> Words:
        return self._every[starts]

    def _words(self, column: int, rows: Ints, length: npt.NDArray[np.int32]) -> list[Words]:
        start, words = self._starts[column][rows], self._every
        found = [words[start] & _KEPT[np.minimum(length, _WIDE)]]
        for done in range(_WIDE, int(length.max()), _WIDE):
            # Beyond a cell's end there may be no byte at all.
            rest = np.clip(length - done, 0, _WIDE)
            found.append(words[np.where(rest > 0, start + done, start)] & _KEPT[rest])
        return found

    def _codes_one_by_one(self, column: int, rows: Ints) -> tuple[Ints, npt.NDArray[np.int32]]:
        texts = self.texts(column, rows)
        known: dict[str, int] = {}
        codes = np.fromiter((known.setdefault(text, len(known)) for text in texts), np.int32, len(texts))
        return rows[first_of(codes)], codes


def plain_amounts(
    sign_at: Callable[[int, Bools], npt.NDArray[Any]], length: npt.NDArray[Any], mark: str, digits: int
) -> tuple[Ints, Bools]:
    """Cells in units of 10**-digits, and which of them are amounts without sign or thousands, and not finer.

    These are a 0 or at most nine digits, of which the first is none, then perhaps the mark and one or two more.
    `sign_at`: the characters of all cells at a place, as unsigned numbers; which of the cells are that long is given.
    """
    good = (length > 0) & (length <= LONGEST_AMOUNT)
    numbers, decimals = np.zeros(len(length), np.int64), np.zeros(len(length), np.int64)
    if not good.any():
        return numbers, good
    has_mark, begins_with_0 = np.zeros(len(length), bool), np.zeros(len(length), bool)
    for place in range(int(length[good].max())):
        has = place < length
        sign = sign_at(place, has)
        digit = sign - sign.dtype.type(ord("0"))
        is_digit, is_mark = has & (digit <= 9), has & (sign == ord(mark))
        if place == 0:
            begins_with_0 = digit == 0
        good &= is_digit | (is_mark & ~has_mark) | ~has
        numbers = np.where(is_digit, numbers * 10 + digit, numbers)
        decimals += is_digit & has_mark
        has_mark |= is_mark
    whole = length - decimals - has_mark
    good &= (whole > 0) & (whole <= np.where(begins_with_0, 1, _WHOLE)) & (has_mark == (decimals > 0))
    good &= decimals <= min(digits, _DECIMALS)
    return numbers * 10 ** np.where(good, digits - decimals, 0), good


def _without_digits(words: Words, least: int) -> Words:
    """The words with the digit `least` in the place of each one from it on. Eight bytes at a time, as they stand in a word."""
    low = words & _SEVENS
    is_from = low + _ONES * np.uint64(128 - least)
    is_beyond = low + _ONES * np.uint64(128 - ord("9") - 1)
    is_digit = (is_from & ~is_beyond & ~words & _EIGHTHS) >> np.uint64(7)
    every = is_digit * np.uint64(255)
    found: Words = (words & ~every) | (is_digit * np.uint64(least))
    return found


def _distinct(words: list[Words], rows: Ints) -> tuple[Ints, npt.NDArray[np.int32]] | None:
    """(a row of each distinct cell, the number of each row's cell); None where two cells mix to one."""
    found = alike(words)
    return found and (rows[found[0]], found[1])


def keep_freed_memory() -> None:
    """Has glibc keep what the arrays of one block let go of for those of the next, which else come page by page anew.

    It maps what is larger than any that was let go of, and trims what is twice as large; elsewhere this does nothing.
    """
    np.empty(_FREED, np.uint8)


def pieces(data: bytes, delimiter: str, width: int, encoding: str, *, least: int | None = None) -> list[Piece]:
    """Whole lines of a file, each ended, by what reads them; together they are the data.

    `least`: so many plain lines that follow each other are given as such; fewer are not worth it.
    """
    least = LEAST if least is None else least
    found = _lines(data, ord(delimiter), width)
    if found is None:
        return [Piece(data, None)]
    marks, ends, is_plain = found
    turns = np.flatnonzero(is_plain[1:] != is_plain[:-1]) + 1
    pieces_: list[Piece] = []
    start = 0
    for first, last in zip([0, *turns.tolist()], [*turns.tolist(), len(ends)], strict=True):
        end = int(marks[ends[last - 1]]) + 1
        part = data[start:end] if len(turns) else data
        if is_plain[first] and last - first >= least:
            own = marks[ends[first] - width + 1 : ends[last - 1] + 1].reshape(-1, width)
            pieces_.append(Piece(part, Grid(part, own - start, encoding)))
        elif pieces_ and pieces_[-1].grid is None:
            pieces_[-1] = Piece(pieces_[-1].data + part, None)
        else:
            pieces_.append(Piece(part, None))
        start = end
    return pieces_


def _lines(data: bytes, delimiter: int, width: int) -> tuple[Ints, Ints, Bools] | None:
    """(where delimiters and line ends stand, which of these are line ends, which lines are plain); None for no plain text."""
    if b"\0" in data:
        return None
    bytes_ = np.frombuffer(data, np.uint8)
    is_end = bytes_ == _FEED
    is_mark = (bytes_ == delimiter) | is_end
    quotes = np.flatnonzero(bytes_ == _QUOTE) if b'"' in data else None
    if quotes is not None:
        inside: Any = np.bitwise_xor.accumulate((bytes_ == _QUOTE).view(np.uint8)).view(bool)
        if (is_end & inside).any():
            return None
        is_mark &= ~inside
    marks = np.flatnonzero(is_mark)
    ends = np.flatnonzero(is_end[marks])
    if b"\r" in data and data.count(b"\r") != np.count_nonzero(bytes_[marks[ends] - 1] == _RETURN):
        return None
    is_plain = np.diff(ends, prepend=-1) == width
    if quotes is not None:
        is_plain[np.searchsorted(ends, _badly_quoted(bytes_, quotes, marks))] = False
    return marks, ends, is_plain


def _badly_quoted(bytes_: Any, quotes: Ints, marks: Ints) -> Ints:
    """The cells, by the number of their mark, that hold quotes and do not stand whole in them."""
    cell = np.searchsorted(marks, quotes)
    begins = np.concatenate(([True], cell[1:] != cell[:-1]))
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(quotes)) - 1
    its = cell[first]
    start = np.where(its > 0, marks[its - 1] + 1, 0)
    end = marks[its]
    end = end - (bytes_[end - 1] == _RETURN) * (bytes_[end] == _FEED)
    is_whole = (quotes[first] == start) & (quotes[last] == end - 1) & ((last - first) % 2 == 1)
    # Within, quotes stand in pairs: the second, third and so on of a cell, but for the last one.
    place = np.arange(len(quotes)) - np.repeat(first, last - first + 1)
    is_open = (place % 2 == 1) & (np.arange(len(quotes)) != np.repeat(last, last - first + 1))
    at = np.flatnonzero(is_open)
    lone = at[quotes[at + 1] != quotes[at] + 1]
    return np.concatenate((its[~is_whole], cell[lone]))
