"""Which column of a file is which field: `columns.csv` first, then the names of the vocabularies."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from etl.errors import InputError, MappingError
from etl.model.mapping import NOT_MIGRATED as NOT_MIGRATED_FIELD
from etl.model.place import Place
from etl.reading.kinds import NESTED_FIELDS, Kind
from etl.reading.names import KINDS, LINE, ORDER_NUMBER
from etl.staging.vocabulary import (
    ALIASES,
    ATTENTION,
    EXPECTED,
    FOLDED,
    FOLDED_GET_ORDERS,
    FOLDED_INTEGRATION,
    FOLDED_NOT_MIGRATED,
    REPEATED,
    REPEATED_TAILS,
    SECRET,
    Vocabulary,
    known_names,
    vocabulary_of,
)

DECLARED = "left out by columns.csv"
NAMEABLE = frozenset({NOT_MIGRATED_FIELD, *NESTED_FIELDS})
"""What columns.csv may name beside columns: nothing, and the lists of an order object with their fields."""


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
        """Expected fields that the file does not have; returns of get-returns have none of their own."""
        if self.vocabulary is Vocabulary.GET_RETURNS:
            return ()
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
            canonical = target if target in NAMEABLE else canonical_field(target, Vocabulary.GET_ORDERS)
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
        """Whether a row of cells (the keys of an object) names an order number, or a return of get-returns."""
        found = self.vocabulary(cells)
        return found in (Vocabulary.INTEGRATION, Vocabulary.GET_RETURNS) or any(
            self.field(cell, Vocabulary.GET_ORDERS) == ORDER_NUMBER for cell in cells
        )

    def vocabulary(self, headers: Iterable[str]) -> Vocabulary:
        """Whose names these are."""
        return vocabulary_of({header.strip().casefold() for header in headers} - set(self._folded))

    def rename(self, header: str) -> str | None:
        """The field that `columns.csv` gives a header."""
        return self._renames.get(header) or self._folded.get(header.strip().casefold())

    def field(self, header: str, vocabulary: Vocabulary, *, is_flat: bool = True) -> str | None:
        """The field that a header stands for, or None. In flat files get-orders' line fields may stand without prefix."""
        header = header.strip()
        found = self.rename(header) or canonical_field(header, vocabulary)
        if found not in KINDS:
            return None
        if not is_flat and found.startswith(LINE) != header.startswith(LINE):
            return None
        return found

    def column(
        self, index: int, header: str, vocabulary: Vocabulary, layout: Layout, *, is_flat: bool = True
    ) -> Column | None:
        """The column, entered into the layout's lists; None where it must not be stored."""
        if is_secret(header):
            layout.not_migrated[header] = SECRET
            return None
        found = self.field(header, vocabulary, is_flat=is_flat)
        if found is not None:
            column = Column(index, header, found, kind_of(header, found, vocabulary))
            (layout.line if found.startswith(LINE) else layout.order).append(column)
            if self.rename(header):
                layout.renamed[header] = found
            return column
        column = Column(index, header)
        layout.other.append(column)
        reason = DECLARED if self.rename(header) == NOT_MIGRATED_FIELD else reason_of(header)
        if reason:
            layout.not_migrated[header] = reason
        else:
            layout.unknown[header] = (
                nearest(header, known_names(vocabulary)) if header and len(layout.unknown) < SUGGESTED else ""
            )
        return column

    def layout(self, headers: Sequence[str], place: str) -> Layout:
        """What the columns of a flat file are.

        Raises InputError where no column holds the order number, or two columns have one name.
        """
        if not self.is_header(headers):
            raise _no_number(headers, place, self)
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
            raise _no_number(headers, place, self)
        return layout


SUGGESTED = 300
"""For so many unknown names of a file the nearest known one is looked for."""
_HEADING = re.compile(r"[^\d\W][^=<>{}]{0,60}")


def _no_number(headers: Sequence[str], place: str, names: Names) -> InputError:
    """The refusal of a table without order numbers; its first row is shown only where it is a header, not content."""
    named = [header.strip() for header in headers if header.strip()]
    if len(named) == 1 and any(
        names.field(part.strip(), Vocabulary.GET_ORDERS) for part in re.split(r"[,;\t|]", named[0])
    ):
        return InputError(
            f"{place} has one cell a row: quotation marks stand around whole rows, delimiters and all.",
            code="input.no_order_number",
            place=place,
            hint="Export the orders again, or take the quotation marks at both ends of the rows away.",
        )
    is_known = any(names.field(header, Vocabulary.GET_ORDERS) for header in named)
    is_heading = len(named) >= 4 and all(_HEADING.fullmatch(header) for header in named)
    shown = f"; its columns are: {', '.join(named)[:300]}" if is_known or is_heading else ""
    return InputError(
        f"{place} has no column with the order number{shown}.",
        code="input.no_order_number",
        place=place,
        hint="Name the column orderNumber, or give it that field in columns.csv.",
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like `name`, or ""."""
    folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.72)
    return folded[close[0]] if close else ""


def canonical_field(header: str, vocabulary: Vocabulary) -> str | None:
    """The field that a name stands for in a vocabulary, in any case."""
    folded = header.casefold()
    if vocabulary is Vocabulary.INTEGRATION:
        return _graphql_field(folded)
    found = FOLDED.get(folded)
    if found is not None or vocabulary is Vocabulary.CREATE_ORDER:
        return found
    return FOLDED_GET_ORDERS.get(folded) or FOLDED_GET_ORDERS.get(f"{LINE}{folded}")


def _graphql_field(folded: str) -> str | None:
    if folded.startswith("lines."):
        folded = LINE + folded.removeprefix("lines.")
    for tail in ("", ".value", ".code"):
        found = folded.endswith(tail) and FOLDED_INTEGRATION.get(folded.removesuffix(tail))
        if found:
            return found
    return None


def kind_of(header: str, found: str, vocabulary: Vocabulary) -> Kind:
    """How the cells of a column are read."""
    if header.strip().casefold() == "orderstatus":
        return Kind.STATUS_NUMBER
    if found == "voucherValue" and (vocabulary is not Vocabulary.CREATE_ORDER or not _is_own(header, found)):
        # Other shops write a discount with either sign; orderTotal is the control.
        return Kind.VOUCHER
    return KINDS[found]


def _is_own(header: str, found: str) -> bool:
    return header.strip().casefold() == found.casefold()


def reason_of(header: str, *, is_flat: bool = True) -> str:
    """Why a column is not migrated, or "" where it is unknown. In flat files names of lines may stand without prefix."""
    if header.casefold().startswith(ATTENTION):
        return "a remark of attention.csv"
    folded = header.casefold()
    if folded.startswith("lines."):
        folded = LINE + folded.removeprefix("lines.")
    if folded.endswith(REPEATED_TAILS):
        return REPEATED
    return FOLDED_NOT_MIGRATED.get(folded) or (is_flat and FOLDED_NOT_MIGRATED.get(f"{LINE}{folded}")) or ""


def _check_once(layout: Layout, place: str) -> None:
    """Two columns may share a field only where the second one is another name of get-orders for it."""
    seen: dict[str, Column] = {}
    for column in (*layout.order, *layout.line):
        earlier = seen.setdefault(column.field, column)
        if earlier is not column and not {earlier.header.casefold(), column.header.casefold()} & ALIASES:
            raise _twice(earlier.header, column.header, place)


def _twice(first: str, second: str, place: str) -> InputError:
    return InputError(
        f"{place} has two columns for the same thing: {first} and {second}.",
        code="input.duplicate_column",
        place=f"{place}, column {second}",
        hint="Remove or rename one of them.",
    )
