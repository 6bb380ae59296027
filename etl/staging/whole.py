"""An order goes whole or not at all: what was not read or placed of it blocks it, unless its total proves it no part.

Rule: design section 3, "The accounting starts at the byte".
"""

from __future__ import annotations

from etl.model.place import Place
from etl.staging.draft import Draft
from etl.staging.objects import Flat
from etl.staging.overlap import precision_of

DECLARE = (
    "Name what it holds in columns.csv (such as line_items.sku, products.sku), "
    "or write the name with the field - if it is not to be migrated."
)


def check_unread(draft: Draft, flat: Flat, place: Place) -> None:
    """Blocks an order of which a list of objects or a nested amount was not read.

    Where orderTotal is given and foots exactly without them, they are proved to be no part of it, and are told.
    """
    if not flat.unread:
        return
    is_proved = bool(draft.lines) and draft.foots(draft.lines, precision_of(draft.values.get("currency") or ""))
    for unread in flat.unread[:5]:
        at = place.at(unread.path)
        if is_proved:
            draft.tell("column.unread", f"The order holds {unread}, which was not read; orderTotal foots without.", at)
        else:
            draft.fault("order.incomplete", f"The order holds {unread}, which was not read.", at, hint=DECLARE)
