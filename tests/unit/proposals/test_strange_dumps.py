"""Dumps with a trap each: what `init` proposes for them reads every order, to the cent."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from decisions import decide
from further_dumps import FURTHER
from made_up import made_up_rows
from strange_dumps import STRANGE, sales

from etl.mapping.folder import read_mapping
from etl.pipeline.init import init
from etl.pipeline.prepare import Export, open_batch
from etl.settings import Settings

DUMPS = STRANGE | FURTHER


def silent(_what: str, _done: int, _total: int | None) -> None:
    """No progress."""


@pytest.mark.parametrize("name", DUMPS)
def test_what_init_proposes_reads_every_order(tmp_path: Path, name: str) -> None:
    """Nothing but service, account, statuses and tax codes is decided by hand; the basis of the prices is proved."""
    shop = sales(made_up_rows())
    dump = DUMPS[name](shop, tmp_path)
    folder = tmp_path / "mappings"
    with ExitStack() as stack:
        begun = init(stack, Settings(folder, ""), Export(dump.paths), store="s", timezone="UTC", progress=silent)
    assert begun.proved["prices_include_tax"] is not dump.is_net
    decide(folder)
    mapping = read_mapping(folder)
    with open_batch(Export(dump.paths), mapping, silent) as (batch, facts):
        assert facts.unassigned_count == 0
        orders = list(batch.orders())
    assert [(one.number, one.problems) for one in orders if not one.is_readable] == []
    assert {one.number: one.order_total for one in orders} == dump.totals
    known = {one.number: one for one in shop}
    for one in orders:
        assert one.order_date is not None
        assert one.order_date.wall.date() == known[dump.known_as.get(one.number, one.number)].when.date()
        assert one.status in ("Completed", "Archived")
        assert (one.delivery_country or one.invoice_country) == known[dump.known_as.get(one.number, one.number)].country
        assert {line.sku for line in one.lines} >= {
            item.sku for item in known[dump.known_as.get(one.number, one.number)].items
        }
