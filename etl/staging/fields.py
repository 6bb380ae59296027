"""The fields an export may have, in both vocabularies, and which column of a file is which.

Rule: the Centra contract. A column or field is one line here; its parser is in `etl.reading.parse`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from etl.errors import InputError, MappingError
from etl.model.mapping import NOT_MIGRATED as NOT_MIGRATED_FIELD
from etl.model.place import Place
from etl.reading.kinds import NESTED_FIELDS, Kind


class Vocabulary(StrEnum):
    """Whose names a file uses."""

    CREATE_ORDER = "create-order"
    GET_ORDERS = "get-orders"


LINE = "products."
ORDER_NUMBER = "orderNumber"
_ADDRESSES = ("invoiceAddress", "deliveryAddress", "address")
_ADDRESS_TEXTS = ("firstName", "lastName", "tele", "cell", "attn", "address", "coaddress", "city", "zipcode", "state")
_PAYMENT_TEXTS = ("method", "transaction", "response", "external_url")

FIELDS: dict[str, Kind] = {
    ORDER_NUMBER: Kind.ORDER_NUMBER,
    "orderDate": Kind.DATE,
    "deliveryDate": Kind.DATE,
    "cancelDate": Kind.DATE,
    "status": Kind.STATUS,
    "storeType": Kind.STORE,
    "currency": Kind.CURRENCY,
    "pricelistId": Kind.ID,
    "pricelist": Kind.TEXT,
    "marketId": Kind.ID,
    "market": Kind.TEXT,
    **{f"{address}.email": Kind.EMAIL for address in _ADDRESSES},
    **{f"{address}.{name}": Kind.TEXT for address in _ADDRESSES for name in _ADDRESS_TEXTS},
    **{f"{address}.country": Kind.COUNTRY for address in _ADDRESSES},
    "customerId": Kind.ID,
    "accountId": Kind.ID,
    "buyerId": Kind.ID,
    "buyerName": Kind.TEXT,
    "createdFromOrigin.type": Kind.ORIGIN,
    "createdFromOrigin.id": Kind.ID,
    "internalOrder": Kind.BOOL,
    "shippingValue": Kind.AMOUNT,
    "voucherValue": Kind.AMOUNT,
    "voucherCode": Kind.TEXT,
    "orderTotal": Kind.AMOUNT,
    "comment": Kind.TEXT,
    "internalComment": Kind.TEXT,
    "poNumber": Kind.TEXT,
    "payment.id": Kind.TEXT,
    "payment.method": Kind.TEXT,
    **{f"payment.{part}.status": Kind.PAYMENT_STATUS for part in ("auth", "capture")},
    **{f"payment.{part}.amount": Kind.AMOUNT for part in ("auth", "capture")},
    **{f"payment.{part}.{name}": Kind.TEXT for part in ("auth", "capture") for name in _PAYMENT_TEXTS},
    "products.qty": Kind.QTY,
    "products.id": Kind.KEY,
    "products.ean": Kind.EAN,
    "products.sku": Kind.SKU,
    "products.item": Kind.KEY,
    "products.unitPrice": Kind.AMOUNT,
    "products.originalPrice": Kind.AMOUNT,
    "products.vatPercent": Kind.PERCENT,
    "products.comment": Kind.TEXT,
    "products.itemText.sku": Kind.SKU,
    **{f"products.itemText.{name}": Kind.TEXT for name in ("brand", "product", "variant", "size")},
}
"""The create-order names, with the export's own columns."""

_EXTRA: dict[str, Kind] = {
    "hold": Kind.BOOL,
    "waitingForPayment": Kind.BOOL,
    "suspect": Kind.BOOL,
    "taxTotal": Kind.AMOUNT,
    "taxAdded": Kind.SWITCH,
    "taxDeducted": Kind.SWITCH,
    "selectionId": Kind.TEXT,
    "invoiceAddress.name": Kind.TEXT,
    "invoiceAddress.company": Kind.TEXT,
    "invoiceAddress.vatNumber": Kind.TEXT,
    "deliveryAddress.name": Kind.TEXT,
    "deliveryAddress.company": Kind.TEXT,
    "deliveryAddress.vatNumber": Kind.TEXT,
    "payment.plugin": Kind.TEXT,
    "payment.type": Kind.TEXT,
    "payment.reference": Kind.TEXT,
    "payment.description": Kind.TEXT,
    "products.lineId": Kind.TEXT,
    "products.variantSku": Kind.SKU,
    "products.sizeSku": Kind.SKU,
    "products.isBundle": Kind.BOOL,
    "products.isPartOfBundle": Kind.BOOL,
}
"""What only get-orders tells."""

KINDS: dict[str, Kind] = FIELDS | _EXTRA

_ADDRESS_NAMES = {
    "Name": "name",
    "Company": "company",
    "Email": "email",
    "Tele": "tele",
    "Cell": "cell",
    "Address": "address",
    "Coaddress": "coaddress",
    "Zipcode": "zipcode",
    "City": "city",
    "State": "state",
    "Country": "country",
    "VAT": "vatNumber",
}

_GET_ORDERS: dict[str, str] = {
    "orderId": ORDER_NUMBER,
    "orderStatus": "status",
    "preferredDeliveryDate": "deliveryDate",
    "estimatedDeliveryDate": "deliveryDate",
    "orderCurrency": "currency",
    "orderStore": "storeType",
    **{f"billing{suffix}": f"invoiceAddress.{name}" for suffix, name in _ADDRESS_NAMES.items()},
    **{f"delivery{suffix}": f"deliveryAddress.{name}" for suffix, name in _ADDRESS_NAMES.items()},
    "grandTotalValue": "orderTotal",
    "grandTotalTaxValue": "taxTotal",
    "otherComment": "comment",
    "paymentPlugin": "payment.plugin",
    "paymentType": "payment.type",
    "paymentMethod": "payment.method",
    "paymentReference": "payment.reference",
    "paymentDescription": "payment.description",
    "products.price": "products.unitPrice",
    "products.taxPercent": "products.vatPercent",
    "products.upc": "products.ean",
    "products.name": "products.itemText.product",
    "products.variant": "products.itemText.variant",
    "products.brand": "products.itemText.brand",
    "products.size": "products.itemText.size",
}
"""get-orders name -> the name used here. Of two columns for one field the first that is not empty counts."""

_ONLY_GET_ORDERS = frozenset(
    {"orderid", "orderstatus", "ordercurrency", "orderstore", "grandtotalvalue", "billingemail"}
)
"""Names, in lower case, that tell get-orders from create-order."""

_DIRECTIVE = "a directive to Centra's own import"
_CONTROL = "a control sum; orderTotal is the control"
_LEFT_OUT = "left out by columns.csv"
_SECRET = "personal data that is not stored"  # noqa: S105 - a reason
NOT_MIGRATED: dict[str, str] = {
    "customerRegister": "says how Centra registers the customer",
    "customerSetNewPassword": "says how Centra registers the customer",
    **dict.fromkeys(
        ("deliveryWindow", "warehouseGroup", "adjustStock", "forceCreate", "createOnly", "sendEmail", "applyVouchers"),
        _DIRECTIVE,
    ),
    "ipAddress": _SECRET,
    "weight": "Mews has no place for it",
    "harmCode": "Mews has no place for it",
    "warehouses": "Mews has no place for it",
    "shipments": "Mews has no place for it",
    **dict.fromkeys(("totalItemsPrice", "totalItemsWithoutTax", "totalItemsDiscount"), _CONTROL),
    **dict.fromkeys(
        (
            "products.totalPrice",
            "products.totalPriceWithTax",
            "products.totalPriceWithoutTax",
            "products.taxValue",
            "products.totalTaxValue",
        ),
        _CONTROL,
    ),
    "products.weight": "Mews has no place for it",
    "products.harmCode": "Mews has no place for it",
    "products.warehouses": "Mews has no place for it",
}
ATTENTION = ("centra_mews", "attention.")
"""Columns that attention.csv adds start so; they are ignored when the file is fed again."""

EXPECTED = (
    "orderDate",
    "status",
    "currency",
    "invoiceAddress.email",
    "deliveryAddress.country",
    "shippingValue",
    "voucherValue",
    "orderTotal",
    "products.qty",
    "products.sku",
    "products.unitPrice",
    "products.vatPercent",
)
"""Fields whose absence is worth telling."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file: where it stands, what it is called there, and what it is.

    `field` is "" for a column that is not read.
    """

    index: int
    header: str
    field: str = ""
    kind: Kind = Kind.TEXT


@dataclass(slots=True)
class Layout:
    """What the columns of one file are.

    `order` and `line` are read; `other` is carried along for attention.csv. Columns of personal data
    that is not stored are in none of them. For JSON the lists grow while the file is read.
    """

    vocabulary: Vocabulary
    order: list[Column] = field(default_factory=list)
    line: list[Column] = field(default_factory=list)
    other: list[Column] = field(default_factory=list)
    not_migrated: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)

    @property
    def fields(self) -> set[str]:
        """The fields that the file has."""
        return {column.field for column in (*self.order, *self.line)}

    @property
    def missing(self) -> tuple[str, ...]:
        """Expected fields that the file does not have."""
        present = self.fields
        if "address.country" in present or "invoiceAddress.country" in present:
            present.add("deliveryAddress.country")
        if "address.email" in present:
            present.add("invoiceAddress.email")
        if present & {"products.ean", "products.id", "products.item"}:
            present.add("products.sku")
        return tuple(name for name in EXPECTED if name not in present)


def is_secret(header: str) -> bool:
    """Whether the column holds personal data that must not be stored."""
    name = header.rpartition(".")[2].replace("_", "").replace(" ", "").casefold()
    return name in {"ipaddress", "ip", "clientip", "customerip", "remoteip"}


class Names:
    """Looks up what a header means: `columns.csv` first, then the names of both vocabularies."""

    def __init__(self, renames: Mapping[str, str] | None = None, place: Place | None = None) -> None:
        """Raises MappingError where a rename names a field that does not exist."""
        self._renames: dict[str, str] = {}
        for header, target in (renames or {}).items():
            canonical = target if target in _NAMEABLE else self._canonical(target, Vocabulary.GET_ORDERS)
            if canonical is None:
                known = nearest(target, KINDS)
                raise MappingError(
                    f"columns.csv gives {header!r} the field {target!r}, which does not exist.",
                    code="mapping.field_unknown",
                    place=str(place or "columns.csv"),
                    hint=f"Did you mean {known}?" if known else "Use a field name of Centra's create-order.",
                )
            self._renames[header.strip()] = canonical
        self._folded = {name.casefold(): target for name, target in self._renames.items()}

    @property
    def renames(self) -> Mapping[str, str]:
        """Header -> field of `columns.csv`."""
        return self._renames

    def is_header(self, cells: Sequence[str]) -> bool:
        """Whether a row of cells names an order number."""
        return any(self.field(cell, Vocabulary.GET_ORDERS) == ORDER_NUMBER for cell in cells)

    def vocabulary(self, headers: Iterable[str]) -> Vocabulary:
        """Whose names these are."""
        names = {header.strip().casefold() for header in headers} - set(self._folded)
        return Vocabulary.GET_ORDERS if names & _ONLY_GET_ORDERS else Vocabulary.CREATE_ORDER

    def rename(self, header: str) -> str | None:
        """The field that `columns.csv` gives a header."""
        return self._renames.get(header) or self._folded.get(header.strip().casefold())

    def field(self, header: str, vocabulary: Vocabulary, *, is_flat: bool = True) -> str | None:
        """The field that a header stands for, or None. In flat files get-orders' line fields may stand without prefix."""
        header = header.strip()
        found = self.rename(header) or self._canonical(header, vocabulary)
        if found not in KINDS:
            return None
        if not is_flat and found and found.startswith(LINE) != header.startswith(LINE):
            return None
        return found

    @staticmethod
    def _canonical(header: str, vocabulary: Vocabulary) -> str | None:
        folded = _FOLDED.get(header.casefold())
        if folded is not None:
            return folded
        if vocabulary is Vocabulary.GET_ORDERS:
            return _FOLDED_GET_ORDERS.get(header.casefold()) or _FOLDED_GET_ORDERS.get(f"{LINE}{header}".casefold())
        return None

    def column(
        self, index: int, header: str, vocabulary: Vocabulary, layout: Layout, *, is_flat: bool = True
    ) -> Column | None:
        """The column, entered into the layout's lists; None where it must not be stored."""
        if is_secret(header):
            layout.not_migrated[header] = _SECRET
            return None
        found = self.field(header, vocabulary, is_flat=is_flat)
        if found is not None:
            column = Column(index, header, found, self._kind(header, found, vocabulary))
            (layout.line if found.startswith(LINE) else layout.order).append(column)
            if self.rename(header):
                layout.renamed[header] = found
            return column
        column = Column(index, header)
        layout.other.append(column)
        is_left_out = self.rename(header) == NOT_MIGRATED_FIELD
        reason = _LEFT_OUT if is_left_out else _reason(header)
        if reason:
            layout.not_migrated[header] = reason
        else:
            layout.unknown[header] = nearest(header, _known_names(vocabulary)) if header else ""
        return column

    @staticmethod
    def _kind(header: str, found: str, vocabulary: Vocabulary) -> Kind:
        if header.strip().casefold() == "orderstatus":
            return Kind.STATUS_NUMBER
        if found == "voucherValue" and vocabulary is Vocabulary.GET_ORDERS:
            return Kind.VOUCHER
        return KINDS[found]

    def layout(self, headers: Sequence[str], place: str) -> Layout:
        """What the columns of a flat file are.

        Raises InputError where no column holds the order number, or two columns have one name.
        """
        vocabulary = self.vocabulary(headers)
        layout = Layout(vocabulary)
        seen: dict[str, str] = {}
        for index, raw in enumerate(headers):
            header = raw.strip()
            if header and header in seen:
                raise _twice(header, header, place)
            seen[header] = header
            self.column(index, header, vocabulary, layout)
        _check_once(layout, place)
        if ORDER_NUMBER not in layout.fields:
            raise InputError(
                f"{place} has no column with the order number; its columns are: {', '.join(h for h in headers if h)[:300]}.",
                code="input.no_order_number",
                place=place,
                hint="Name the column orderNumber, or give it that field in columns.csv.",
            )
        return layout


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like `name`, or ""."""
    folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.72)
    return folded[close[0]] if close else ""


def _reason(header: str) -> str:
    if header.casefold().startswith(ATTENTION):
        return "a remark of attention.csv"
    folded = header.casefold()
    return _FOLDED_NOT_MIGRATED.get(folded) or _FOLDED_NOT_MIGRATED.get(f"{LINE}{header}".casefold()) or ""


def _check_once(layout: Layout, place: str) -> None:
    """Two columns may share a field only where the second one is another name of get-orders for it."""
    seen: dict[str, Column] = {}
    for column in (*layout.order, *layout.line):
        earlier = seen.setdefault(column.field, column)
        if earlier is not column and not {earlier.header, column.header} & _ALIASES:
            raise _twice(earlier.header, column.header, place)


def _twice(first: str, second: str, place: str) -> InputError:
    return InputError(
        f"{place} has two columns for the same thing: {first} and {second}.",
        code="input.duplicate_column",
        place=f"{place}, column {second}",
        hint="Remove or rename one of them.",
    )


def _known_names(vocabulary: Vocabulary) -> Iterable[str]:
    return KINDS if vocabulary is Vocabulary.CREATE_ORDER else [*KINDS, *_GET_ORDERS]


_NAMEABLE = frozenset({NOT_MIGRATED_FIELD, *NESTED_FIELDS})
_FOLDED = {name.casefold(): name for name in KINDS}
_FOLDED_GET_ORDERS = {name.casefold(): name for name in KINDS} | {
    name.casefold(): target for name, target in _GET_ORDERS.items()
}
_FOLDED_NOT_MIGRATED = {name.casefold(): reason for name, reason in NOT_MIGRATED.items()}
_ALIASES = frozenset({"preferredDeliveryDate", "estimatedDeliveryDate", "otherComment", "products.upc", "upc"})
