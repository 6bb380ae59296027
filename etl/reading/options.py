"""What the mapping folder says about reading an export: settings of `[source]`, columns.csv and values.csv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NUMBER_FIELD = "{number}"
"""Stands for the digits in `source.order_number`."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How the exports of one batch are read, where a person has decided it.

    `encoding`: a codec's name, "" to look. `date_format`: as `etl.reading.dates` takes it, "" to look. `timezone`: IANA
    name that times with an offset are converted to. `empty_words`: cells that are empty but in keys. `sheets`: the
    sheets of a workbook to read, () for all visible ones with the header. `columns`: header -> canonical field, "-"
    for one that is not migrated. `values`: canonical field -> word of the shop -> what it means. `likely`: headers of
    columns.csv that nobody has confirmed, of which samples are kept.
    """

    encoding: str = ""
    date_format: str = ""
    timezone: str = ""
    order_number: str = NUMBER_FIELD
    empty_words: frozenset[str] = frozenset()
    sheets: tuple[str, ...] = ()
    continuation_rows: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    likely: frozenset[str] = frozenset()


DEFAULT = ReadOptions()
"""Nothing is decided: everything is found by looking."""
