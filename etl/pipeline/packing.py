"""Orders that were taken by columns, packed for the page as columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from etl.columns.block import Block, Column
from etl.columns.entries import Entries, source_of
from etl.columns.taken import Bulk
from etl.model.export import plain
from etl.pipeline.entry_words import ONE_NUMBER, PARTS, short_rule
from etl.report.cells import PAYMENT
from etl.report.packed_orders import OpenedEntries, OpenedRows, Texts, packed_orders

Heads = tuple[str, Sequence[str], Sequence[str]]
"""The name of a file, and the headers of its orders and lines."""


def packed_bulk(block: Block, bulk: Bulk, entries: Entries, heads: Heads) -> bytes:
    """What the orders of `bulk`, which was taken from `block`, open to."""
    source = source_of(block, np.array(bulk.at, np.int64), len(heads[1]), len(heads[2]))
    order, line = ([_texts(column) for column in columns] for columns in (source.order, source.line))
    rows = OpenedRows(ONE_NUMBER, heads, source.numbers, order, source.first, source.rows, line)
    taxes = [(" ".join(codes), short_rule(rule)) for codes, rule in entries.taxes[:-1]]
    taxes.append((PAYMENT, ""))
    opened = OpenedEntries(bulk.sums.currency[1], entries.letters, entries.names, taxes, PARTS, *entries[3:])
    return packed_orders(rows, opened)


def _texts(column: Column) -> Texts:
    """The column without the marks of cells' kinds; most have none."""
    if "".join(column.texts).isprintable():
        # Marks are control characters, which are not printable.
        return Texts(column.texts, column.codes)
    return Texts(list(map(plain, column.texts)), column.codes)
