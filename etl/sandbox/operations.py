"""Which function answers which operation: the table of everything that the sandbox can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from etl.sandbox import outlet_reads, outlet_writes, reads, writes
from etl.sandbox.call import Call

TABLE: dict[str, Callable[[Call], dict[str, Any]]] = {
    "accountingCategories/getAll": reads.accounting_categories,
    "bills/getAll": reads.bills,
    "businessSegments/getAll": reads.business_segments,
    "companies/getAll": reads.companies,
    "configuration/get": reads.configuration,
    "currencies/getAll": reads.currencies,
    "customers/add": writes.add_customer,
    "customers/getAll": reads.customers,
    "enterprises/getAll": reads.enterprises,
    "orderItems/cancel": writes.cancel_items,
    "orderItems/getAll": reads.order_items,
    "orders/add": writes.add_order,
    "outletBills/add": outlet_writes.add_bills,
    "outletItems/getAll": outlet_reads.outlet_items,
    "outlets/getAll": outlet_reads.outlets,
    "payments/addExternal": writes.add_payment,
    "payments/getAll": reads.payments,
    "productServiceOrders/getAll": reads.product_service_orders,
    "products/getAll": reads.products,
    "services/getAll": reads.services,
    "taxEnvironments/getAll": reads.tax_environments,
    "taxations/getAll": reads.taxations,
}
