"""Reversals that Mews returns without a mark, noted for a reconciliation by the ids that the ledger has of them.

Rule: design sections 2 and 9: an undone order comes to nothing. Where marks no longer come back, the scan takes its reversal
for somebody else's order, while the order, which was posted when they did, still seems to stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from etl.evidence.read_back import ReadBack
from etl.evidence.reader import BillReader
from etl.ledger.ledger import Ledger
from etl.ledger.records import Part, PartKind
from etl.model.states import State
from etl.reconcile.notebook import Notebook, Page
from etl.reconcile.scan import add_item, add_payment
from etl.reconcile.values import ORDER_PART, UNDO_PART


async def note_unmarked(
    ledger: Ledger, notebook: Notebook, back: ReadBack, bills: BillReader | None, size: int
) -> None:
    """To be called after the scan: reads the reversals of what it met, `size` orders at a time, that it did not meet.

    Raises MewsError. Effects: writes the notebook.
    """
    for batch in notebook.sightings(size):
        met = {one.mews_id.lower() for seen in batch.values() for one in seen}
        parts = [part for found in ledger.parts(batch).values() for part in _reversals(found)]
        unmet = {part.mews_id: part for part in parts if part.mews_id.lower() not in met}
        if not unmet:
            continue
        if bills is not None:
            closed = {
                order.number: order.consumption
                for order in ledger.lookup({one.number for one in unmet.values()}).values()
            }
            bills.remember({key: when for key, part in unmet.items() if (when := closed.get(part.number)) is not None})
        notebook.see(await _read(back, unmet))


async def _read(back: ReadBack, unmet: dict[str, Part]) -> Page:
    page = Page()
    orders = [key for key, part in unmet.items() if _what(part) == ORDER_PART]
    for key, rows in (await back.items(orders)).items():
        for row in rows:
            add_item(page, row, unmet[key].number, unmet[key].generation, UNDO_PART)
    for key, paid in (await back.payments([one for one in unmet if one not in orders])).items():
        part = unmet[key]
        name = f"{UNDO_PART}:{_what(part)}" if part.kind is PartKind.UNDO else part.part
        add_payment(page, paid, part.number, part.generation, name)
    return page


def _reversals(parts: Iterable[Part]) -> Iterator[Part]:
    """The opposites in Mews among these, and the payments paid back; a cancellation leaves nothing to be read."""
    for part in parts:
        is_opposite = part.kind is PartKind.UNDO and part.state is State.POSTED and part.mews_id != part.target
        is_paid_back = part.kind is PartKind.PAYMENT and part.state is State.UNDONE and part.mews_id
        if is_opposite or is_paid_back:
            yield part


def _what(part: Part) -> str:
    """What an undo part reverses: the order, or a payment by its name."""
    return part.part.partition(":")[2]
