"""What `recover` read of an order that this ledger never sent, as either side of a comparison. Pure.

`observed`: the document that the ledger keeps of it: account, consumed, items (identifier, count, net, gross, currency,
codes). Ledgers of earlier versions know no counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from etl.evidence.values import ExpectedEntry
from etl.model.plan import Basis
from etl.model.rows import OrderItemRow

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def observed_entries(observed: Mapping[str, Any], basis: Basis) -> tuple[ExpectedEntry, ...]:
    """What `recover` read of an order: no payload of ours proves it. Items of one identifier count together."""
    sums: dict[tuple[str, bool], list[Any]] = {}
    for item in observed.get("items", ()):
        key = (str(item.get("identifier") or ""), bool(item.get("payment")))
        row = sums.setdefault(key, [0, Decimal(0), Decimal(0), set()])
        row[0] += int(item.get("count") or 0)
        row[1] += Decimal(str(item["net"]))
        row[2] += Decimal(str(item["gross"]))
        row[3].update(item.get("codes") or ())
    return tuple(
        ExpectedEntry(
            identifier=identifier,
            name=identifier,
            count=count or None,
            total=gross if basis is Basis.GROSS else net,
            codes=tuple(sorted(codes)),
            net=net,
            gross=gross,
            is_payment=is_payment,
        )
        for (identifier, is_payment), (count, net, gross, codes) in sums.items()
    )


def observed_moment(observed: Mapping[str, Any]) -> datetime | None:
    """The time of consumption that `recover` read."""
    text = str(observed.get("consumed") or "")
    return datetime.fromisoformat(text) if text else None


def observed_rows(observed: Mapping[str, Any]) -> list[OrderItemRow]:
    """The items as they were read: what the ledger does not keep of them is left empty. Cancelled ones as first booked."""
    return [_row(item, observed) for item in observed.get("items", ())]


def _row(item: Mapping[str, Any], observed: Mapping[str, Any]) -> OrderItemRow:
    net, gross = Decimal(str(item["net"])), Decimal(str(item["gross"]))
    return OrderItemRow(
        id=str(item.get("id") or ""),
        order_id=str(observed.get("order_id") or ""),
        account_id=str(item.get("account") or observed.get("account") or ""),
        service_id="",
        notes="",
        name="",
        external_identifier=str(item.get("identifier") or ""),
        count=int(item.get("count") or 0),
        unit_net=Decimal(0),
        unit_gross=Decimal(0),
        net=net,
        gross=gross,
        # The codes alone were kept.
        taxes=tuple((str(code), Decimal(0)) for code in item.get("codes") or ()),
        original_net=net,
        original_gross=gross,
        currency=str(item["currency"]),
        created=_LONG_AGO,
        updated=_LONG_AGO,
        consumed=observed_moment(observed),
        canceled=None,
        closed=None,
        state="Canceled" if item.get("canceled") else "Open",
        type="",
    )
