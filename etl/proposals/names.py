"""The names of columns in other shops' exports: `names.csv`, one header a line, with the field that it may be.

A header may stand under several fields; its content and the footing of the orders decide among them.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from etl.proposals.stems import fields_by_stem

_RETURN_WORDS = (
    "return returns refund creditnote creditmemo credit gutschrift retoure ruckgabe rucksendung storno avoir retour remboursement "
    "devolucion abono retur kreditnota kreditfaktura returnering creditnota creditfactuur notadicredito reso"
)
RETURN_WORDS = frozenset(_RETURN_WORDS.split())
"""Words, as `spelled`, for an order that gives money back."""
LINE_TOTAL = "line total"
"""What names.csv calls amounts that say again what quantity and price say."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "%": " percent ", "№": "no", "º": "o", "°": "o", "#": " no "}
)
_CURRENCY = re.compile(r"\b(?:in )?(?:eur|gbp|usd|sek|dkk|nok|chf|pln)\b|[€£$]")
_DOTTED = re.compile(r"\w+(?:\.\w+)+")
_IN_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_QUALIFIED = re.compile(
    r"\b(?:gross|brutto|bruto|net|netto|neto|ttc|ht|(?:incl|inkl|inc|excl|exkl|ex|including|excluding|with|mit|ohne|sans|hors|plus)"
    r"(?: of)?(?: (?:tax|vat|ust|mwst|tva|iva|moms|btw|mva))?|(?:iva|tva|vat|btw|moms) (?:inclusa|incluido|comprise|included|incl|inkl|excl|exkl))\b"
)
"""What a header says of the tax in its amounts."""
_NET = re.compile(r"\b(?:net|netto|neto|excl|exkl|ex|ht|ohne|sans|sin|hors|without|excluding|excluido)\b")
_GIVEN_BACK = re.compile(
    r"refund|erstatt|gutgeschrieben|rembours|reembols|devuelt|aterbetal|terugbetaal|rimbors|credited|zwrot|palaut"
)
_WITH_TAX = re.compile(r"\b(?:ttc|gross|brutto|incl|inkl|inc|including|included|inclusa|incluido|net a payer)\b")


def spelled(header: str) -> str:
    """A header without case, accents, marks and currency: `Line-Item Price (EUR)` is `lineitemprice`."""
    return "".join(words(header).split())


def words(header: str) -> str:
    """The words of a header in lower case, without accents and marks."""
    text = unicodedata.normalize("NFKD", _CAMEL.sub(" ", header)).casefold().translate(_LETTERS)
    text = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    text = _CURRENCY.sub(" ", re.sub(r"[^\w€£$]+|_", " ", text)).replace("mw st", "mwst")
    return " ".join(text.split())


def says_net(header: str) -> bool:
    """Whether a header says that its amounts are without tax."""
    text = words(header)
    return _NET.search(text) is not None and _WITH_TAX.search(text) is None


def gives_back(header: str) -> bool:
    """Whether a header says that its amounts were given back to the customer."""
    return _GIVEN_BACK.search(words(header)) is not None


@cache
def known_names() -> dict[str, tuple[str, ...]]:
    """Header as `spelled` -> the fields that it may be, likeliest first."""
    found: dict[str, list[str]] = {}
    text = files("etl.proposals").joinpath("names.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        fields = found.setdefault(spelled(row["header"]), [])
        if row["field"] not in fields:
            fields.append(row["field"])
    return {name: tuple(fields) for name, fields in found.items()}


@cache
def _places() -> dict[tuple[str, str], int]:
    text = files("etl.proposals").joinpath("names.csv").read_text("utf-8")
    found: dict[tuple[str, str], int] = {}
    for number, row in enumerate(csv.DictReader(text.splitlines())):
        found.setdefault((row["field"], spelled(row["header"])), number)
    return found


_UNKNOWN = 1_000_000
"""Behind every line of names.csv."""


def preference(field: str, header: str) -> int:
    """Between headers that may be one field the smaller is likelier: the line of names.csv."""
    parts, places = header.split("."), _places()
    tails = (spelled(" ".join(parts[start:])) for start in range(len(parts)))
    return min((places[field, tail] for tail in tails if (field, tail) in places), default=_UNKNOWN)


@cache
def fields_named(header: str) -> tuple[str, ...]:
    """The fields that a header may be by its name; of a dotted name the whole counts before its last parts.

    A header that nobody is known for is taken without what is said of tax, and then word by word.
    """
    names = known_names()
    # Dots divide names in objects; in `Art.-Nr.` they shorten words.
    parts = header.split(".") if _DOTTED.fullmatch(header) else [header]
    found: list[str] = []
    for start in range(len(parts)):
        found += [name for name in names.get(spelled(" ".join(parts[start:])), ()) if name not in found]
    bare = _QUALIFIED.sub(" ", words(_IN_BRACKETS.sub(" ", header))) if not found else ""
    found += names.get("".join(bare.split()), ())
    return tuple(found) or fields_by_stem(words(" ".join(parts)))


def is_heading(cells: Sequence[str]) -> bool:
    """Whether a row of cells, or the keys of an object, is the header of a dump: an order number and two more names.

    What has a date and a total of its own is numbered by its bare `id`: lines and customers have no such total.
    """
    named = [fields_named(cell) for cell in cells if cell.strip()]
    if any("orderNumber" in fields for fields in named):
        return sum(map(bool, named)) > 2
    likeliest = {fields[0] for fields in named if fields}
    return likeliest >= {"orderDate", "orderTotal"} and any(spelled(cell) == "id" for cell in cells)


_WORD = re.compile(r"[^\d\W][^=<>{}\n]{0,60}")


def may_be_heading(cells: Sequence[str]) -> bool:
    """Whether a row could be a header in a language that nobody here knows: four different words and no value."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return len(filled) >= 4 and len(set(filled)) == len(filled) and all(map(_WORD.fullmatch, filled))
