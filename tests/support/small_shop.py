"""A shop of a few orders, its mapping folder and a Mews that takes them: what end-to-end tests start from."""

from __future__ import annotations

import csv
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from cli_run import Done, Shell

from etl.model.identity import parse_identifier
from etl.sandbox.core import Sandbox
from etl.sandbox.server import RunningSandbox
from etl.sandbox.world import World
from etl.sandbox.world_file import load_world

STATES = (
    "ready",
    "posted",
    "recovered",
    "already_posted",
    "rejected",
    "unknown",
    "blocked",
    "skipped",
    "changed",
    "undone",
)
SUMS = ("planned", "rounding", "rejected", "blocked", "skipped", "changed", "undone")
HEADER = (
    "orderNumber",
    "orderDate",
    "status",
    "currency",
    "invoiceAddress.email",
    "deliveryAddress.country",
    "shippingValue",
    "comment",
    "orderTotal",
    "products.sku",
    "products.qty",
    "products.unitPrice",
    "products.vatPercent",
    "products.itemText.product",
)
MIGRATION = """
[source]
store = "{store}"
timezone = "Europe/London"
prices_include_tax = true
default_currency = "GBP"
[target]
service = "{service}"
{target}
[accounts]
fallback = "ac000000-0000-4000-a000-000000000001"
[products]
accounting_category = "ca000000-0000-4000-a000-000000000001"
[shipping]
accounting_category = "ca000000-0000-4000-a000-000000000003"
[mews]
rate_limit = "100000/1s"
settle_seconds = {settle}
timeout_seconds = {timeout}
concurrency = {concurrency}
"""
TAXES = "country,vat_percent,valid_from,valid_before,tax_codes\n*,20,,,UK-20%\n*,0,,,UK-0%\nCH,20,,,\n"


def unlimited(name: str = "gross-uk") -> World:
    """A world without a request limit, so that no test waits for it."""
    return replace(load_world(name), limit=None)


def row(number: object, *, price: object = "12.00", qty: object = 1, **more: object) -> dict[str, str]:
    """One line of a completed order to Britain; keywords are the last parts of the columns' names."""
    values: dict[str, object] = {
        "orderNumber": number,
        "orderDate": "2024-05-01 10:00:00",
        "status": "Completed",
        "currency": "GBP",
        "invoiceAddress.email": "ann@example.com",
        "deliveryAddress.country": "GB",
        "shippingValue": "0.00",
        "products.sku": "CUP",
        "products.qty": qty,
        "products.unitPrice": price,
        "products.vatPercent": "20",
        "products.itemText.product": "Cup",
    }
    for name, value in more.items():
        (column,) = [one for one in HEADER if one.rpartition(".")[2] == name]
        values[column] = value
    return {name: str(values.get(name, "")) for name in HEADER}


def rows(count: int, *, first: int = 1001) -> list[dict[str, str]]:
    """That many orders of two lines each, all prices different."""
    found = []
    for number in range(first, first + count):
        found.append(row(number, price=f"{number % 97}.{number % 89:02d}"))
        found.append(row(number, price="3.50", qty=2, sku="BOWL", product="Bowl"))
    return found


def write_export(path: Path, lines: Iterable[dict[str, str]], *, header: Sequence[str] = HEADER) -> Path:
    """The lines as a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(lines)
    return path


@dataclass
class SmallShop:
    """A working folder of one test: mapping folder, export, shell."""

    folder: Path
    shell: Shell
    mews: RunningSandbox

    @property
    def mapping(self) -> Path:
        return self.folder / "mapping"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.sqlite"

    @property
    def sandbox(self) -> Sandbox:
        return self.mews.sandbox

    @property
    def store(self) -> str:
        """Every folder is a store of its own, so that tests can share a sandbox."""
        return self.shell.env["STORE"]

    def plain(self, *arguments: str | Path, timeout: float = 120) -> Done:
        """The installed command exactly as typed, without `--json`."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("centra-mews")), *map(str, arguments)],
            cwd=self.folder,
            env=self.shell.environment() | {"CENTRA_MEWS_MAPPINGS": str(self.mapping)},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def export(self, lines: Iterable[dict[str, str]], name: str = "orders.csv") -> Path:
        """Writes an export into the folder."""
        return write_export(self.folder / name, lines)

    def map(
        self,
        *,
        taxes: str = TAXES,
        service: str = "eid:WEB-SHOP",
        target: str = 'rebates = "allow"',
        settle: object = "0.5",
        timeout: object = 100,
        concurrency: int = 8,
        store: str = "",
    ) -> None:
        """Writes the mapping folder."""
        self.mapping.mkdir(exist_ok=True)
        text = MIGRATION.format(
            store=store or self.store,
            service=service,
            target=target,
            settle=settle,
            timeout=timeout,
            concurrency=concurrency,
        )
        (self.mapping / "migration.toml").write_text(text, "utf-8")
        (self.mapping / "taxes.csv").write_text(taxes, "utf-8")

    def held(self) -> Counter[str]:
        """How often Mews holds each order of this store: distinct OrderIds."""
        ids: dict[str, set[str]] = {}
        for item in self.sandbox.items:
            parsed = parse_identifier(item.external_identifier or "")
            if parsed is not None and parsed[0].store == self.store:
                ids.setdefault(parsed[0].number, set()).add(item.order_id)
        return Counter({number: len(orders) for number, orders in ids.items()})

    def held_sum(self) -> Decimal:
        """Gross of everything that Mews holds of this store."""
        total = Decimal(0)
        for item in self.sandbox.items:
            parsed = parse_identifier(item.external_identifier or "")
            if parsed is not None and parsed[0].store == self.store:
                total += Decimal(item.amount.gross)
        return total

    def ledger_value(self, query: str) -> object:
        """One value of the ledger, read past the program."""
        with sqlite3.connect(self.ledger) as connection:
            found = connection.execute(query).fetchone()
        connection.close()
        return found[0] if found else None


def open_shop(folder: Path, mews: RunningSandbox, store: str, **mapping: object) -> SmallShop:
    """A shop with its mapping folder written."""
    shop = SmallShop(folder, Shell(folder, mews.url, folder / "mapping", {"STORE": store}), mews)
    shop.map(**mapping)  # type: ignore[arg-type]
    return shop


def check_counts(document: dict) -> None:
    """Design 2 and 7.10: every order read is in one state, and the money adds up."""
    orders = document["orders"]
    assert set(orders) == {"read", *STATES}
    assert orders["read"] == sum(orders[state] for state in STATES)
    for total in document["totals"]:
        assert Decimal(total["source"]) == sum((Decimal(total[name]) for name in SUMS), Decimal(0)), total
