"""What was sent, as the ledger froze it, as the side that Mews is compared with. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from etl.evidence.values import ExpectedEntry, ExpectedPayment
from etl.model.payload import entries_of
from etl.model.plan import Basis
from etl.model.rows import PAYMENT

Predicted = tuple[str, Decimal, Decimal, Decimal]
"""Line, net, tax, gross."""


def sent_entries(
    payload: Mapping[str, Any], basis: Basis, predicted: Iterable[Predicted], stem: str
) -> tuple[ExpectedEntry, ...]:
    """The entries of an `orders/add` payload, or of an outlet bill; `stem` and line make the identifiers of `predicted`."""
    amounts = {f"{stem}:{line}": (net, gross) for line, net, _, gross in predicted}
    return tuple(_sent_entry(entry, count, basis, amounts) for entry, count in entries_of(payload))


def _sent_entry(
    entry: Mapping[str, Any], count: int, basis: Basis, amounts: Mapping[str, tuple[Decimal, Decimal]]
) -> ExpectedEntry:
    unit = entry["UnitAmount"]
    identifier = str(entry.get("ExternalIdentifier", ""))
    net, gross = amounts.get(identifier, (None, None))
    return ExpectedEntry(
        identifier=identifier,
        name=str(entry.get("Name") or entry.get("ProductId") or ""),
        count=count,
        total=_amount(unit, basis) * count,
        codes=tuple(unit["TaxCodes"]),
        category_id=str(entry.get("AccountingCategoryId") or ""),
        net=net,
        gross=gross,
        is_payment=entry.get("Type") == PAYMENT,
    )


def payload_currency(payload: Mapping[str, Any]) -> str:
    """The one currency of an `orders/add` payload, "" without entries."""
    for entry, _ in entries_of(payload):
        return str(entry["UnitAmount"]["Currency"])
    return ""


def sent_payment(part: str, mews_id: str, payload: Mapping[str, Any], basis: Basis) -> ExpectedPayment:
    """A `payments/addExternal` payload."""
    return ExpectedPayment(
        part=part,
        id=mews_id,
        identifier=str(payload.get("ExternalIdentifier", "")),
        type=str(payload.get("Type", "")),
        amount=_amount(payload["Amount"], basis),
        currency=str(payload["Amount"]["Currency"]),
        account_id=str(payload.get("AccountId", "")),
    )


def _amount(unit: Mapping[str, Any], basis: Basis) -> Decimal:
    value = unit.get("GrossValue" if basis is Basis.GROSS else "NetValue")
    return Decimal(0) if value is None else Decimal(str(value))
