"""Entries of reference answers -> values of `etl.model.reference`. Pure."""

from __future__ import annotations

from etl.mews import entities
from etl.mews.fields import Json
from etl.model.reference import Account, Bill, Named, Product, Service


def service(row: Json) -> Service:
    """One entry of `Services`; orderable is discriminator Additional (older servers: Type Orderable)."""
    found = entities.Service.read(row)
    kind = found.data.discriminator or found.type
    is_orderable = kind in ("Additional", "Orderable")
    return Service(found.id, found.any_name, found.is_used, is_orderable, found.external_identifier)


def product(row: Json) -> Product:
    """One entry of `Products`."""
    found = entities.Product.read(row)
    return Product(
        id=found.id,
        name=found.any_name,
        is_active=found.is_used,
        service_id=found.service_id,
        accounting_category=found.accounting_category_id,
        external_identifier=found.external_identifier,
    )


def category(row: Json) -> Named:
    """One entry of `AccountingCategories`."""
    found = entities.AccountingCategory.read(row)
    return Named(found.id, found.name, found.is_used, found.external_code or found.code)


def outlet(row: Json) -> Named:
    """One entry of `Outlets`."""
    found = entities.Outlet.read(row)
    return Named(found.id, found.name, found.is_used)


def segment(row: Json) -> Named:
    """One entry of `BusinessSegments`."""
    found = entities.BusinessSegment.read(row)
    return Named(found.id, found.name, found.is_used, service_id=found.service_id)


def customer(row: Json) -> Account:
    """One entry of `Customers`; merged profiles are not active."""
    found = entities.Customer.read(row)
    return Account(
        id=found.id,
        kind="Customer",
        name=" ".join(filter(None, (found.first_name, found.last_name))),
        is_active=found.is_used and not found.merge_target_id,
        email=found.email,
        classifications=found.classifications,
        merged_into=found.merge_target_id,
    )


def company(row: Json) -> Account:
    """One entry of `Companies`; merged profiles are not active."""
    found = entities.Company.read(row)
    return Account(
        id=found.id,
        kind="Company",
        name=found.name,
        is_active=found.is_used and not found.merge_target_id,
        email=found.invoicing_email,
        external_identifier=found.external_identifier,
        merged_into=found.merge_target_id,
    )


def bill(row: Json) -> Bill:
    """One entry of `Bills`."""
    found = entities.Bill.read(row)
    return Bill(found.id, found.account_id or found.customer_id or found.company_id, found.state == "Open")
