"""Keys of the mapping that a person would read like an order's: keys are exact, so what is near a row is told. Pure.

Rule: design section 4 (keys exact and case-sensitive, near misses suggested).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache

from etl.model.place import Place
from etl.model.problem import notice
from etl.transform.context import Context, Findings

_DASH = re.compile("[\u2010-\u2015\u2212\u00ad_-]+")
_PATTERN = re.compile(r"[*?\[]")
_EMAIL = "email"


@dataclass(slots=True)
class _Rows:
    """The keys of one table as they are read: spelled -> as they stand, and those that are patterns."""

    exact: dict[tuple[str, str], str] = field(default_factory=dict)
    patterns: list[tuple[str, str, str]] = field(default_factory=list)

    def near(self, kind: str, key: str) -> str:
        """The row's key that reads like this one, or ""."""
        like = _as_read(kind, key)
        found = self.exact.get((kind, like)) or next(
            (row for its, pattern, row in self.patterns if its == kind and fnmatchcase(like, pattern)), ""
        )
        return "" if found == key else found


def near_key(ctx: Context, table: str, keys: Mapping[str, str]) -> tuple[str, str]:
    """Of keys by their kind, none of which has a row: (the key, the row's key that it looks like), or ("", "")."""
    rows = ctx.near_rows.get(table)
    if rows is None:
        rows = ctx.near_rows[table] = _rows_of(ctx, table)
    if not (rows.exact or rows.patterns):
        return "", ""
    found = ((key, rows.near(kind, key)) for kind, key in keys.items() if key)
    return next(((key, near) for key, near in found if near), ("", ""))


def tell_near(ctx: Context, found: Findings, table: str, keys: Mapping[str, str], place: Place) -> None:
    """Tells the row that was probably meant of keys that have none."""
    key, near = near_key(ctx, table, keys)
    if near:
        text = f"{key} has no row in {table}.csv, where keys are exact; {near} has one."
        found.add(notice("key.near", text, order=found.number, place=place, value=key))


def _rows_of(ctx: Context, table: str) -> _Rows:
    rows = _Rows()
    for kind, key in _keys(ctx, table):
        if _PATTERN.search(key):
            rows.patterns.append((kind, _as_read(kind, key), key))
        else:
            rows.exact.setdefault((kind, _as_read(kind, key)), key)
    return rows


def _keys(ctx: Context, table: str) -> Iterator[tuple[str, str]]:
    """(kind, key) of every row of a table; the kind of tables that have one only is ""."""
    mapping = ctx.mapping
    match table:
        case "products":
            yield from mapping.products
        case "accounts":
            yield from mapping.accounts
        case "categories":
            yield from ((rule.key_type, rule.key) for rule in mapping.categories)
        case "vouchers":
            yield from (("", rule.code) for rule in mapping.vouchers)
        case "payments":
            yield from (("", rule.method) for rule in mapping.payments)
        case _:
            yield from (("", market) for market in mapping.segments)


@lru_cache(maxsize=16_384)
def _as_read(kind: str, key: str) -> str:
    return key.casefold() if kind == _EMAIL else spelled(key)


def spelled(key: str) -> str:
    """A key without what the eye passes over: case, blanks, kinds of dashes and widths, and zeros that Excel takes."""
    text = unicodedata.normalize("NFKC", key).casefold()
    return _DASH.sub("-", "".join(text.split())).removesuffix(".0").lstrip("0")
