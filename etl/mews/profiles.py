"""Entries of reference answers -> values of `etl.model.reference`. Pure."""

from __future__ import annotations

from etl.mews.fields import Json, essential, part, text, texts
from etl.model.reference import Account, Bill, Named, Product, Service


def is_active(row: Json) -> bool:
    """Whether an entity is in use: IsActive, and not deleted; what says nothing of it is."""
    return row.get("IsActive") is not False and text(row, "ActivityState") != "Deleted"


def service(row: Json) -> Service:
    """One entry of `Services`; orderable is discriminator Additional (older servers: Type Orderable)."""
    kind = text(part(row, "Data"), "Discriminator") or text(row, "Type")
    return Service(
        id=essential(row, "Id", "Service"),
        name=text(row, "Name") or _any_name(row),
        is_active=is_active(row),
        is_orderable=kind in ("Additional", "Orderable"),
        external_identifier=text(row, "ExternalIdentifier"),
    )


def product(row: Json) -> Product:
    """One entry of `Products`."""
    return Product(
        id=essential(row, "Id", "Product"),
        name=text(row, "Name") or _any_name(row),
        is_active=is_active(row),
        service_id=text(row, "ServiceId"),
        accounting_category=text(row, "AccountingCategoryId"),
        external_identifier=text(row, "ExternalIdentifier"),
    )


def category(row: Json) -> Named:
    """One entry of `AccountingCategories`."""
    return Named(
        id=essential(row, "Id", "AccountingCategory"),
        name=text(row, "Name"),
        is_active=is_active(row),
        external_code=text(row, "ExternalCode") or text(row, "Code"),
    )


def outlet(row: Json) -> Named:
    """One entry of `Outlets`."""
    return Named(id=essential(row, "Id", "Outlet"), name=text(row, "Name"), is_active=is_active(row))


def segment(row: Json) -> Named:
    """One entry of `BusinessSegments`."""
    return Named(
        id=essential(row, "Id", "BusinessSegment"),
        name=text(row, "Name"),
        is_active=is_active(row),
        service_id=text(row, "ServiceId"),
    )


def customer(row: Json) -> Account:
    """One entry of `Customers`; merged profiles are not active."""
    merged = text(row, "MergeTargetId")
    return Account(
        id=essential(row, "Id", "Customer"),
        kind="Customer",
        name=" ".join(filter(None, (text(row, "FirstName"), text(row, "LastName")))),
        is_active=is_active(row) and not merged,
        email=text(row, "Email"),
        classifications=texts(row, "Classifications"),
        merged_into=merged,
    )


def company(row: Json) -> Account:
    """One entry of `Companies`; merged profiles are not active."""
    merged = text(row, "MergeTargetId")
    return Account(
        id=essential(row, "Id", "Company"),
        kind="Company",
        name=text(row, "Name"),
        is_active=is_active(row) and not merged,
        email=text(row, "InvoicingEmail"),
        external_identifier=text(row, "ExternalIdentifier"),
        merged_into=merged,
    )


def bill(row: Json) -> Bill:
    """One entry of `Bills`."""
    return Bill(
        id=essential(row, "Id", "Bill"),
        account_id=text(row, "AccountId") or text(row, "CustomerId") or text(row, "CompanyId"),
        is_open=essential(row, "State", "Bill") == "Open",
    )


def _any_name(row: Json) -> str:
    names = part(row, "Names")
    return next((name for name in names.values() if isinstance(name, str) and name), "")
