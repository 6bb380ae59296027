"""Values as cells: exact amounts, and texts that no spreadsheet runs as a formula. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import IO

from etl.model.attention import runs_as_formula
from etl.model.money import money_text

_UNPRINTABLE = re.compile("[\ud800-\udfff]")


def safe_cell(text: str) -> str:
    """`text` with an apostrophe before it where a spreadsheet would run it; numbers stay numbers.

    Rule: design section 7.9, and OWASP's list of leading characters.
    """
    return "'" + text if runs_as_formula(text) else text


def printable(text: str) -> str:
    """`text` without halves of characters, which no file can hold."""
    return text if text.isascii() else _UNPRINTABLE.sub("\ufffd", text)


PAYMENT = "(payment)"
"""What stands for the tax codes of a payment, which is neither taxed nor exempt."""


def amount_text(amount: Decimal | None, precision: int) -> str:
    """The amount with a point and at least `precision` decimals; "" where there is none."""
    if amount is None:
        return ""
    text = str(amount)
    # Nearly every amount is already at its currency's precision.
    if len(text) > precision and "E" not in text and (text[-precision - 1] == "." if precision else "." not in text):
        return text if amount or text[0] != "-" else text[1:]
    return money_text(amount, precision)


_SIMPLE_LENGTH = 200


def are_simple(texts: Sequence[str]) -> bool:
    """Whether all are of some letters and digits of ASCII alone: neither JSON, CSV, XML nor a spreadsheet sees more in them."""
    joined = "".join(texts)
    return joined.isascii() and joined.isalnum() and all(texts) and max(map(len, texts)) <= _SIMPLE_LENGTH


class CsvRows:
    """Rows of delimited text. Cells that hold any newline are always quoted, whatever the row ends with."""

    def __init__(self, stream: IO[str], *, delimiter: str = ",", quote: str = '"', newline: str = "\n") -> None:
        self._plain = csv.writer(stream, delimiter=delimiter, quotechar=quote, lineterminator=newline)
        self._quoted = csv.writer(
            stream, delimiter=delimiter, quotechar=quote, lineterminator=newline, quoting=csv.QUOTE_ALL
        )

    def write_all(self, rows: Sequence[Sequence[str]]) -> None:
        """Writes rows of texts as they are."""
        joined = "".join(map("".join, rows))
        if "\r" not in joined and "\n" not in joined:
            self._plain.writerows(rows)
            return
        for row in rows:
            self.write(row)

    def write(self, cells: Sequence[str]) -> None:
        """Writes one row of texts as they are."""
        # csv quotes only the newline that ends its own rows, and readers take the other one as a row's end.
        joined = "".join(cells)
        (self._quoted if "\r" in joined or "\n" in joined else self._plain).writerow(cells)
