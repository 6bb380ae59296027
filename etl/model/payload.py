"""What a request carries: JSON with exact amounts, serialised once. Pure.

What is kept in the ledger, hashed and sent is one and the same value: nobody can change it in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import simplejson
from simplejson.raw_json import RawJSON

from etl.model.identity import content_hash


class Operation(StrEnum):
    """What changes something in Mews."""

    ADD_ORDER = "orders/add"
    ADD_PAYMENT = "payments/addExternal"
    CANCEL_ITEMS = "orderItems/cancel"
    ADD_CUSTOMER = "customers/add"
    ADD_BILLS = "outletBills/add"


@dataclass(frozen=True, slots=True)
class Payload:
    """The body of one request without tokens. `content`: the bytes that are kept and sent.

    `hash` is equal for equal content, whatever the digits behind the point that are zero: a refusal holds until what
    is sent means something else.
    """

    content: bytes
    hash: str

    @property
    def text(self) -> str:
        """The bytes as the ledger keeps them."""
        return self.content.decode()


def freeze(body: Mapping[str, Any]) -> Payload:
    """The body as it will be kept and sent. Raises ValueError or TypeError for what is no JSON."""
    return Payload(dump(body), content_hash(body))


def dump(body: Mapping[str, Any]) -> bytes:
    """`body` as JSON, Decimals digit by digit. Raises ValueError or TypeError for what is no JSON."""
    text: str = _QUICK.encode(body)
    if "E+" in text or "E-" in text or "NaN" in text or "Infinity" in text:
        # Never 1E+2: not every reader of JSON numbers takes an exponent for money. Or a name has these letters.
        text = _ENCODER.encode(body)
    return text.encode()


def entries_of(body: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], int]]:
    """The entries of an `orders/add`, or of an outlet bill, each with its count, which the API names in two ways."""
    for group, count in (("ProductOrders", "Count"), ("Items", "UnitCount")):
        for entry in body.get(group, ()):
            yield entry, int(entry[count])


def _exact(value: object) -> RawJSON:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("an amount is no number")
        return RawJSON(format(value, "f"))
    raise TypeError(f"{type(value).__name__} has no place in a request")


_FORM: dict[str, Any] = {
    "separators": (",", ":"),
    "ensure_ascii": False,
    "allow_nan": False,
    "namedtuple_as_object": False,
    # A body has no circles; one that had would end as too deep.
    "check_circular": False,
}
_ENCODER = simplejson.JSONEncoder(use_decimal=False, default=_exact, **_FORM)
_QUICK = simplejson.JSONEncoder(use_decimal=True, default=_exact, **_FORM)
"""Writes a Decimal as `str` does: the same digits, unless it has an exponent or is no number."""
