"""The mapping folder, read and checked whole before the first order: every fault at once, or one value.

Rule: design section 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from etl.errors import MappingError
from etl.mapping import rows
from etl.mapping.check import check_patterns, check_taxes
from etl.mapping.rows import Reading
from etl.mapping.settings import FILE as SETTINGS_FILE
from etl.mapping.settings import read_readable, read_settings
from etl.mapping.table import Table
from etl.mapping.tables import FolderTables, read_tables
from etl.mapping.workbook import WORKBOOK
from etl.model.faults import Fault, nearest
from etl.model.identity import content_hash
from etl.model.mapping import Mapping, Mews, Settings
from etl.model.mapping_tables import TABLES
from etl.model.place import Place
from etl.model.route import Route
from etl.model.rules import TaxRule

_OUTLET_UNUSED = (
    'migration.toml: [outlet] names {outlet}, and target.route is "orders": every order is charged to an account. Write '
    'route = "outlet" into [target] if bills of the outlet are meant.'
)
FORMAT_VERSION = 1
"""Version of the mapping format; part of the digest."""

FILES = (SETTINGS_FILE, *TABLES, WORKBOOK)


class FaultyMappingError(MappingError):
    """The mapping folder can't be used; `faults` are all that is to be corrected, in the order of files and rows."""

    def __init__(self, message: str, faults: Sequence[Fault], *, place: str, hint: str) -> None:
        super().__init__(message, place=place, hint=hint)
        self.faults = tuple(faults)


_SPREADSHEETS = frozenset({"xlsx", "xls", "xlsm", "ods", "numbers"})


def read_mapping(folder: Path) -> Mapping:
    """The mapping folder as a value.

    Raises MappingError that lists every fault with file, row, column, value and nearest known name.
    `Mapping.notices` tells what was met and is harmless. Effects: reads the folder.
    """
    _require(folder)
    reading = Reading()
    settings = read_settings(folder / SETTINGS_FILE, reading.faults) if (folder / SETTINGS_FILE).is_file() else None
    if settings is not None:
        reading.order_numbers = settings.source.order_number
    tables = read_tables(folder)
    _unknown_files(folder, tables, reading)
    reading.faults += [*tables.faults, *(fault for table in tables.by_name.values() for fault in table.faults)]
    if settings is not None and settings.route is Route.ORDERS and settings.outlet.outlet:
        reading.notices.append(_OUTLET_UNUSED.format(outlet=settings.outlet.outlet))
    reading.notices += [*tables.notices, *(notice for table in tables.by_name.values() for notice in table.notices)]
    mapping = _mapping(settings, tables.by_name, reading)
    if reading.faults or mapping is None:
        raise _refusal(folder, reading.faults)
    return mapping


@dataclass(frozen=True, slots=True)
class SeenMapping:
    """As much of a mapping folder as can be read. `mapping` is None while anything is missing or wrong.

    `faults` are what is to be corrected; `missing` and `hint` say what to do where there is no folder to correct.
    `service`, `enterprise_id`, `mews`, `fallback`, `route` and `outlet` are those of migration.toml, as far as it has them.
    """

    mapping: Mapping | None
    faults: tuple[Fault, ...] = ()
    missing: str = ""
    hint: str = ""
    service: str = ""
    enterprise_id: str = ""
    mews: Mews = field(default_factory=Mews)
    fallback: str = ""
    route: Route = Route.ORDERS
    outlet: str = ""

    @property
    def lacks(self) -> str:
        """The key that says where orders go, if nothing stands there: each route has one of its own; else ""."""
        if self.route is Route.OUTLET:
            return "" if self.outlet else "outlet.outlet"
        return "" if self.service else "target.service"

    @property
    def wants_fallback(self) -> bool:
        """Whether somebody is still to be named who is charged where no row says whom."""
        names = self.mapping.settings.names_accounts if self.mapping else self.route is Route.ORDERS
        return names and not self.fallback


def look_at_mapping(folder: Path) -> SeenMapping:
    """The folder as far as it goes, for work that does not need all of it. Never raises for what is in it."""
    faults: tuple[Fault, ...] = ()
    missing = hint = ""
    try:
        mapping = read_mapping(folder)
    except FaultyMappingError as error:
        faults = error.faults
    except MappingError as error:
        missing, hint = error.message, error.hint
    else:
        settings = mapping.settings
        target, named = settings.target, (settings.accounts.fallback, settings.route, settings.outlet.outlet)
        return SeenMapping(mapping, (), "", "", target.service, target.enterprise_id, settings.mews, *named)
    return SeenMapping(None, faults, missing, hint, *read_readable(folder / SETTINGS_FILE))


def _require(folder: Path) -> None:
    init = f"centra-mews --mappings {folder} init EXPORT..."
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise MappingError(
            f"The mapping folder {folder} {what}.",
            code="mapping.missing",
            place=str(folder),
            hint=f"Write one from your export with `{init}`, or name yours with --mappings DIR."
            if not folder.exists()
            else "Name the folder with --mappings DIR, such as --mappings mappings.",
        )
    if not any((folder / name).is_file() for name in (SETTINGS_FILE, "taxes.csv", WORKBOOK)):
        raise MappingError(
            f"The mapping folder {folder} has no {SETTINGS_FILE} and no taxes.csv.",
            code="mapping.missing",
            place=str(folder),
            hint=f"Write both from your export with `{init}`, or name yours with --mappings DIR.",
        )


def _unknown_files(folder: Path, tables: FolderTables, reading: Reading) -> None:
    """A table under a wrong name would be left out in silence, and its decisions with it."""
    try:
        present = {path.name for path in folder.iterdir() if path.is_file()}
    except OSError as error:
        raise MappingError(
            f"The mapping folder {folder} can't be read: {error.strerror or error}.",
            place=str(folder),
            hint="Make it readable for you, or name another with --mappings DIR.",
        ) from error
    for name in sorted(present - set(FILES)):
        if name.startswith((".", "~")) or name.endswith(("~", ".md", ".bak")):
            continue
        stem, _, suffix = name.partition(".")
        known = {file.partition(".")[0]: file for file in FILES}
        near = known.get(nearest(stem.split(" ")[0].split("-")[0], known, cutoff=0.8), "")
        if not near:
            reading.notices.append(f"{name}: is no file of the mapping folder and was not read.")
        elif near in present:
            reading.notices.append(f"{name}: was not read; {near} was.")
        else:
            how = (
                f"Save it as {near.rpartition('.')[2].upper()} under that name."
                if suffix in _SPREADSHEETS
                else "Rename it."
            )
            reading.faults.append(
                Fault(Place(name), f"There is no such file in a mapping folder. Did you mean {near}? {how}")
            )
    for name in (SETTINGS_FILE, "taxes.csv"):
        # A workbook that can't be read has said so.
        if name not in present and name not in tables.by_name and (name == SETTINGS_FILE or not tables.faults):
            reading.faults.append(
                Fault(Place(name), "The file is missing. `centra-mews init EXPORT...` writes one into an empty folder.")
            )


def _mapping(settings: Settings | None, tables: dict[str, Table], reading: Reading) -> Mapping | None:
    def table(name: str) -> Table:
        return tables.get(name, Table(name))

    taxes = rows.read_taxes(table("taxes.csv"), reading)
    products = rows.read_products(table("products.csv"), reading)
    accounts = rows.read_accounts(table("accounts.csv"), reading)
    categories = rows.read_categories(table("categories.csv"), reading)
    vouchers = rows.read_vouchers(table("vouchers.csv"), reading)
    payments = rows.read_payments(table("payments.csv"), reading)
    segments = rows.read_segments(table("segments.csv"), reading)
    columns = rows.read_columns(table("columns.csv"), reading)
    values = rows.read_values(table("values.csv"), reading)
    bills = rows.read_bills(table("bills.csv"), reading)
    reservations = rows.read_reservations(table("reservations.csv"), reading)
    controls = rows.read_controls(table("controls.csv"), reading)
    waivers = rows.read_waivers(table("waivers.csv"), reading)
    faults, notices = check_taxes(taxes)
    reading.faults += faults + check_patterns(categories) + check_patterns(vouchers)
    reading.notices += notices
    if settings is None:
        return None
    content: dict[str, Sequence[object]] = {
        "taxes": [_tax_content(rule) for rule in taxes],
        "products": [[key, rule.target] for key, rule in products.items()],
        "accounts": [[key, rule.target] for key, rule in accounts.items()],
        "categories": [[rule.key_type, rule.key, rule.target] for rule in categories],
        "vouchers": [[rule.code, rule.policy, rule.accounting_category] for rule in vouchers],
        "payments": [[rule.method, rule.type, rule.accounting_category] for rule in payments],
        "segments": [[key, rule.target] for key, rule in segments.items()],
        "columns": [[rule.header, rule.field] for rule in columns],
        "values": [[rule.field, rule.value, rule.means] for rule in values],
        "bills": [[key, rule.target] for key, rule in bills.items()],
        "reservations": [[key, rule.target] for key, rule in reservations.items()],
        "controls": [[row.month, row.currency, row.orders, _plain(row.total), _plain(row.tax)] for row in controls],
        "waivers": [[one.order_number, one.problem_code, one.reason, one.by, one.date] for one in waivers],
    }
    return Mapping(
        settings=settings,
        taxes=taxes,
        products=products,
        accounts=accounts,
        categories=categories,
        vouchers=vouchers,
        payments=payments,
        segments=segments,
        columns=columns,
        values=values,
        bills=bills,
        reservations=reservations,
        controls=controls,
        waivers=waivers,
        notices=tuple(reading.notices),
        digest=_digest(settings, content),
    )


def _tax_content(rule: TaxRule) -> list[object]:
    return [
        rule.country,
        rule.rate.value,
        _plain(rule.percent),
        rule.valid_from,
        rule.valid_before,
        rule.store_type,
        rule.sku,
        None if rule.tax_codes is None else sorted(set(rule.tax_codes)),
        rule.accept_rate_difference,
    ]


def _plain(number: Decimal | None) -> str | None:
    return None if number is None else f"{number.normalize():f}"


def _digest(settings: Settings, tables: AnyMapping[str, Sequence[object]]) -> str:
    """Hash of the decisions: not of comments, row order, repeated rows, file formats or [mews]."""
    sections = settings.model_dump(exclude={"mews"})
    sections["source"]["total_tolerance"] = _plain(settings.source.total_tolerance)
    for key in ("import_statuses", "import_flags", "empty_words"):
        sections["source"][key] = sorted(set(sections["source"][key]))
    if settings.route is Route.ORDERS:
        # Later than the rest, and of no meaning there: a folder of before keeps the digest that ledgers hold.
        del sections["outlet"], sections["target"]["route"]
    content = {
        "version": FORMAT_VERSION,
        "settings": sections,
        # Each row as its own hash: rows may hold None beside text, which does not sort.
        "tables": {name: sorted({content_hash(row) for row in table}) for name, table in tables.items()},
    }
    return content_hash(content)


def _refusal(folder: Path, faults: Iterable[Fault]) -> MappingError:
    order = {name: index for index, name in enumerate(FILES)}
    listed = sorted(
        dict.fromkeys(faults),
        key=lambda fault: (order.get(fault.place.file, -1), fault.place.row or 0, fault.place.column),
    )
    count = f"{len(listed)} faults" if len(listed) != 1 else "1 fault"
    return FaultyMappingError(
        "\n".join([f"The mapping folder {folder} has {count}:", *(f"  {fault}" for fault in listed)]),
        listed,
        place=str(folder),
        hint="Correct the files named and run the command again; nothing was read from the export and nothing sent.",
    )
