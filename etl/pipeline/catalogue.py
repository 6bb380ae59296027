"""The catalogue `mappings/mews/*.csv`: what the enterprise has to choose from, as tables that people look things up in.

Rule: design sections 2 and 3a. It holds people's addresses, so only its owner may read it; no command reads it as a table
of the mapping.
"""

from __future__ import annotations

import csv
import io
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from etl.errors import UsageError
from etl.mews.catalogue import read_catalogue
from etl.model.catalogue import Catalogue
from etl.model.mapping import Mews
from etl.model.reference import Account, Named, Product, Service, Strategy, TaxRate, Validity
from etl.model.rules import PAYMASTER, REFUSED_CLASSIFICATION
from etl.pipeline.connect import connect
from etl.reading.numbers import plain_rate
from etl.report.cells import CsvRows, printable, safe_cell
from etl.settings import Connection, Settings
from etl.transform.consumption import zone

FOLDER = "mews"
"""Name of the folder in the mapping folder."""

Rows = list[Sequence[str]]
E = TypeVar("E", Named, Product, Account)


async def catalogue_online(
    settings: Settings,
    connection: Connection,
    *,
    service: str = "",
    enterprise_id: str = "",
    emails: Iterable[str] = (),
    accounts: Iterable[str] = (),
    wants_fallback: bool = False,
) -> Catalogue:
    """The catalogue behind the tokens, with no mapping needed; for `init`. Effects: reads Mews.

    Raises MewsError where Mews can't be reached or refuses the tokens.
    """
    async with connect(connection, Mews(), enterprise_id=enterprise_id, ledger=settings.ledger, writes=False) as link:
        return await read_catalogue(
            link.reader, service=service, emails=emails, accounts=accounts, wants_fallback=wants_fallback
        )


def catalogue_tables(catalogue: Catalogue) -> dict[str, tuple[Sequence[str], Rows]]:
    """File name to header and rows. Pure; entities in use first, each by name."""
    services = {one.id.lower(): one.name for one in catalogue.services}

    def service_name(key: str) -> str:
        return services.get(key.lower(), key)

    return {
        "services.csv": (
            ("id", "name", "external_identifier", "active", "takes_orders"),
            [
                (one.id, one.name, one.external_identifier, _yes(one.is_active), _yes(one.is_orderable))
                for one in sorted(
                    catalogue.services, key=lambda one: (not (one.is_active and one.is_orderable), one.name, one.id)
                )
            ],
        ),
        "outlets.csv": (
            ("id", "name", "active"),
            [(one.id, one.name, _yes(one.is_active)) for one in _in_use_first(catalogue.outlets)],
        ),
        "products.csv": (
            ("id", "name", "external_identifier", "active", "service", "accounting_category"),
            [
                (
                    *(one.id, one.name, one.external_identifier, _yes(one.is_active)),
                    *(service_name(one.service_id), one.accounting_category),
                )
                for one in _in_use_first(catalogue.products)
            ],
        ),
        "accounts.csv": (
            ("id", "kind", "name", "email", "external_identifier", "active", "merged_into", "classification"),
            [
                (
                    *(one.id, one.kind, one.name, one.email, one.external_identifier),
                    *(_yes(one.is_active), one.merged_into, _classification(one)),
                )
                for one in _in_use_first(catalogue.accounts)
            ],
        ),
        "tax_codes.csv": (
            ("code", "rate", "valid_from", "valid_before", "taxation", "kind"),
            [
                row
                for one in sorted(catalogue.tax_rates.values(), key=_by_rate)
                for row in _tax_rows(one, catalogue.timezone)
            ],
        ),
        "categories.csv": (
            ("id", "name", "code", "active"),
            [(one.id, one.name, one.external_code, _yes(one.is_active)) for one in _in_use_first(catalogue.categories)],
        ),
        "segments.csv": (
            ("id", "name", "active", "service"),
            [
                (one.id, one.name, _yes(one.is_active), service_name(one.service_id))
                for one in _in_use_first(catalogue.segments)
            ],
        ),
        "payment_types.csv": (("type",), [(one,) for one in sorted(catalogue.payment_types)]),
    }


def _classification(account: Account) -> str:
    """Whether it is meant for charges, or must not be charged; what else a hotel thinks of a guest is nobody's business."""
    return " ".join(one for one in (PAYMASTER, REFUSED_CLASSIFICATION) if one in account.classifications)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _in_use_first(entities: Iterable[E]) -> list[E]:
    return sorted(entities, key=lambda one: (not one.is_active, one.name.casefold(), one.id))


def _by_rate(rate: TaxRate) -> tuple[str, object, str]:
    return rate.strategy.value, -rate.value, rate.code


def _tax_rows(rate: TaxRate, timezone: str) -> Rows:
    """One row for each interval in which Mews takes the code, in the enterprise's own time."""
    amount = f"{rate.value.normalize():f} {rate.currency} a piece" if rate.strategy is Strategy.FLAT else _percent(rate)
    kind = f"{rate.strategy.value} of {' '.join(rate.base)}" if rate.base else rate.strategy.value
    periods = [(one.start, one.end) for one in rate.validity] or [(None, None)]
    return [
        (rate.code, amount, _local(start, timezone), _local(end, timezone), rate.taxation, kind)
        for start, end in periods
    ]


def _percent(rate: TaxRate) -> str:
    return f"{(rate.value * 100).normalize():f} %"


def _local(moment: datetime | None, timezone: str) -> str:
    """The date where the interval starts at midnight, as most do; else date and time."""
    if moment is None:
        return ""
    local = moment.astimezone(zone(timezone))
    return f"{local:%Y-%m-%d}" if not (local.hour or local.minute or local.second) else f"{local:%Y-%m-%d %H:%M:%S}"


def write_catalogue(mappings: Path, catalogue: Catalogue) -> list[Path]:
    """Writes `mappings/mews/*.csv` anew, each file whole or not at all, and gives their paths.

    Raises UsageError where the folder can't be written. Effects: creates the folders; only their owner may read the files.
    """
    folder = mappings / FOLDER
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        for name, (header, rows) in catalogue_tables(catalogue).items():
            _replace(folder / name, _text(header, rows))
            paths.append(folder / name)
    except OSError as error:
        raise UsageError(
            f"{folder} can't be written: {error.strerror or error}.",
            code="catalogue.unwritable",
            place=str(folder),
            hint="Name the mapping folder with --mappings DIR, such as --mappings mappings."
            if folder.parent.is_file()
            else "Free some space, or make the mapping folder writable for you.",
        ) from error
    return paths


def stored_catalogue(mappings: Path) -> dict[str, tuple[Sequence[str], Rows]]:
    """File name to header and rows, as the catalogue was written last; tables that can't be read are left out."""
    found: dict[str, tuple[Sequence[str], Rows]] = {}
    for path in sorted((mappings / FOLDER).glob("*.csv")):
        try:
            with path.open(encoding="utf-8-sig", newline="") as stream:
                header, *rows = list(csv.reader(stream))
        except (OSError, UnicodeDecodeError, csv.Error, ValueError):
            continue
        found[path.name] = (header, [[cell.removeprefix("'") for cell in row] for row in rows])
    return found


def has_catalogue(mappings: Path) -> bool:
    """Whether Mews was ever asked what it has."""
    return (mappings / FOLDER / "services.csv").is_file()


def stored_services(mappings: Path) -> list[str]:
    """The services that take orders, by name and Id, as the catalogue was written last; [] where there is none."""
    return [
        _named(row)
        for row in _stored(mappings, "services.csv")
        if row.get("active") == "yes" and row.get("takes_orders") == "yes"
    ]


def is_orderable(mappings: Path, service: str) -> bool | None:
    """Whether the service (id or `eid:`) takes orders, by the catalogue as it was written last; None where there is none."""
    rows = _stored(mappings, "services.csv")
    known = (
        Service(
            row["id"],
            row.get("name", ""),
            is_active=row.get("active") == "yes",
            is_orderable=row.get("takes_orders") == "yes",
            external_identifier=row.get("external_identifier", ""),
        )
        for row in rows
    )
    return any(one.is_active and one.is_orderable and one.is_named(service) for one in known) if rows else None


def stored_names(mappings: Path, file: str) -> tuple[str, ...]:
    """The entities in use of one table of the catalogue, by name and Id; of payment types the type alone."""
    rows = _stored(mappings, file)
    return tuple(row["type"] if "type" in row else _named(row) for row in rows if row.get("active", "yes") == "yes")


def paymasters(mappings: Path) -> tuple[str, ...]:
    """The accounts that Mews means for postings without a guest, by name and Id, as the catalogue was written last."""
    rows = (row for row in _stored(mappings, "accounts.csv") if row.get("active") == "yes")
    return tuple(_named(row) for row in rows if PAYMASTER in row.get("classification", "").split())


@dataclass(frozen=True, slots=True)
class StoredRates:
    """The tax codes as the catalogue was written last: enough for candidates, never for filling in a cell."""

    tax_rates: Mapping[str, TaxRate]
    timezone: str
    tax_country: str = ""


def stored_rates(mappings: Path, timezone: str) -> StoredRates | None:
    """The codes on the price itself, with their days in `timezone`; None where there is no catalogue."""
    rates: dict[str, TaxRate] = {}
    for row in _stored(mappings, "tax_codes.csv"):
        code, percent = row.get("code", ""), plain_rate(row.get("rate", "").removesuffix(" %"))
        if not code or percent is None or row.get("kind") != Strategy.RELATIVE.value:
            continue
        known = rates.get(code, TaxRate(code, row.get("taxation", ""), Strategy.RELATIVE, percent / 100))
        interval = Validity(*(_moment(row.get(name, ""), timezone) for name in ("valid_from", "valid_before")))
        rates[code] = replace(known, validity=(*known.validity, interval))
    return StoredRates(rates, timezone) if rates else None


def _moment(text: str, timezone: str) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=zone(timezone)).astimezone(UTC) if text else None


def _stored(mappings: Path, file: str) -> list[dict[str, str]]:
    header, lines = stored_catalogue(mappings).get(file, ((), []))
    return [dict(zip(header, line, strict=False)) for line in lines]


def _named(row: Mapping[str, str]) -> str:
    """An entity of the catalogue in words: `Web shop (5e00..)`."""
    return f"{row['name']} ({row['id']})" if row.get("name") else row["id"]


def _text(header: Sequence[str], rows: Rows) -> str:
    text = io.StringIO()
    writer = CsvRows(text, newline="\r\n")
    writer.write(header)
    for row in rows:
        writer.write([safe_cell(printable(cell)) for cell in row])
    return text.getvalue()


def _replace(path: Path, text: str) -> None:
    """A new file in the place of the old one: never readable by others, never half written."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            # With a byte order mark Excel reads UTF-8; without it, names with accents come out wrong.
            stream.write(text.encode("utf-8-sig"))
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
