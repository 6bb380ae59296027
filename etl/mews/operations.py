"""Every operation that we may call: its path, whether it changes anything, and what an answer must hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NIL = "00000000-0000-0000-0000-000000000000"


def is_id(value: object) -> bool:
    """Whether `value` is an identifier as Mews gives them (a UUID, not the empty one)."""
    return isinstance(value, str) and UUID.fullmatch(value) is not None and value != _NIL


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `key` must stand in a 200: a list for reads, an identifier for writes; "" for none.

    `is_batch`: it makes several things, and `key` is the list of their identifiers.
    """

    name: str
    key: str
    is_write: bool = False
    is_batch: bool = False

    @property
    def path(self) -> str:
        """Path below the platform address."""
        return f"/api/connector/v1/{self.name}"

    def missing(self, body: Mapping[str, Any]) -> str:
        """The property that a 200 lacks, or "": without it nobody knows whether Mews acted."""
        if not self.key:
            return ""
        value = body.get(self.key)
        if self.is_batch:
            return "" if isinstance(value, list) and all(map(is_id, value)) else self.key
        found = is_id(value) if self.is_write else isinstance(value, (list, str) if self.key == "NowUtc" else list)
        return "" if found else self.key


_ALL = (
    Operation("configuration/get", "NowUtc"),
    Operation("services/getAll", "Services"),
    Operation("products/getAll", "Products"),
    Operation("accountingCategories/getAll", "AccountingCategories"),
    Operation("businessSegments/getAll", "BusinessSegments"),
    Operation("outlets/getAll", "Outlets"),
    Operation("currencies/getAll", "Currencies"),
    Operation("taxEnvironments/getAll", "TaxEnvironments"),
    Operation("taxations/getAll", "TaxRates"),
    Operation("customers/getAll", "Customers"),
    Operation("companies/getAll", "Companies"),
    Operation("bills/getAll", "Bills"),
    Operation("orderItems/getAll", "OrderItems"),
    Operation("payments/getAll", "Payments"),
    Operation("productServiceOrders/getAll", "ProductServiceOrders"),
    Operation("outletItems/getAll", "OutletItems"),
    Operation("orders/add", "OrderId", is_write=True),
    Operation("payments/addExternal", "ExternalPaymentId", is_write=True),
    Operation("customers/add", "Id", is_write=True),
    Operation("orderItems/cancel", "", is_write=True),
    Operation("outletBills/add", "OutletBillIds", is_write=True, is_batch=True),
)

OPERATIONS: dict[str, Operation] = {operation.name: operation for operation in _ALL}
"""By name, such as `orders/add`."""
