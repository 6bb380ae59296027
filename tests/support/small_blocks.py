"""Files of any size read in blocks, of so few bytes that many blocks end within a small file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from etl.reading import grid, line_source
from etl.staging import raw_store, table_rows


@contextmanager
def blocks(size: int, *, in_blocks: bool = True) -> Iterator[None]:
    """Files of any size are read in blocks of about so many bytes, or none is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_source, "BLOCKS_FROM", 0 if in_blocks else 1 << 40)
        patch.setattr(line_source, "PIECE", size)
        patch.setattr(grid, "LEAST", 1 if size % 2 else 3)
        patch.setattr(raw_store, "_SHARE", size)
        patch.setattr(raw_store, "_STRETCH", size)
        patch.setattr(table_rows, "_TOGETHER", 7)
        yield
