"""The jobs of `inspect` and `init`: what is in an export, without a network."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from etl.errors import EtlError, ExitCode
from etl.mapping.scaffold import DumpFacts, RateFact, scaffold_files, write_scaffold
from etl.model.mapping import Mapping
from etl.model.order import Order
from etl.model.problem import Problem
from etl.pipeline.planning import Progress
from etl.pipeline.prepare import Export, open_batch, read_mapping_of
from etl.pipeline.readings import Proof
from etl.pipeline.sources import file_document, texts, told
from etl.report.summary import money_text
from etl.settings import Settings

PROBLEMS_SHOWN = 20
KEYS_SHOWN = 10
JUMP = 100_000
"""A leap in the numbers as long as this is another numbering, not missing orders."""


@dataclass(slots=True)
class NumberGaps:
    """Gaps in the order numbers, which come in ascending order: an export can't prove its own completeness."""

    previous: int | None = None
    gaps: int = 0
    missing: int = 0
    examples: list[str] = field(default_factory=list)
    jumps: list[str] = field(default_factory=list)

    def add(self, number: str) -> None:
        """Counts what lies between the last number and this one."""
        if not number.isdigit():
            return
        value = int(number)
        if self.previous is not None and value > self.previous + JUMP:
            self.jumps.append(f"{self.previous} to {value}")
        elif self.previous is not None and value > self.previous + 1:
            self.gaps += 1
            self.missing += value - self.previous - 1
            if len(self.examples) < KEYS_SHOWN:
                first, last = self.previous + 1, value - 1
                self.examples.append(str(first) if first == last else f"{first} to {last}")
        self.previous = value


@dataclass(slots=True)
class Tally:
    """Counts and sums over the orders of an export."""

    orders: int = 0
    lines: int = 0
    returns: int = 0
    unreadable: int = 0
    first: date | None = None
    last: date | None = None
    statuses: Counter[str] = field(default_factory=Counter)
    currencies: Counter[str] = field(default_factory=Counter)
    countries: Counter[str] = field(default_factory=Counter)
    rates: Counter[str] = field(default_factory=Counter)
    markets: Counter[str] = field(default_factory=Counter)
    store_types: Counter[str] = field(default_factory=Counter)
    sums: dict[str, dict[str, Decimal]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Decimal)))
    proof: Proof = field(default_factory=Proof)
    problems: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    first_problems: list[Problem] = field(default_factory=list)
    numbers: NumberGaps = field(default_factory=NumberGaps)

    def add(self, order: Order) -> None:
        """Counts one order."""
        self.orders += 1
        self.lines += len(order.lines)
        self.returns += order.is_return
        self.unreadable += not order.is_readable
        self._add_dates(order)
        self.statuses[order.status or "(none)"] += 1
        self.currencies[order.currency or "(none)"] += 1
        self.countries[order.delivery_country or order.invoice_country or "(none)"] += 1
        self.markets[order.market or "(none)"] += 1
        self.store_types[order.store_type or "(none)"] += 1
        for line in order.lines:
            self.rates["(none)" if line.vat_percent is None else f"{line.vat_percent.normalize():f}"] += 1
        self._add_sums(order)
        for problem in order.problems:
            self.problems[problem.code] += 1
            if problem.is_error and len(self.first_problems) < PROBLEMS_SHOWN:
                self.first_problems.append(problem)
        if not order.parent:
            self.numbers.add(order.number)

    def _add_dates(self, order: Order) -> None:
        if order.order_date is None:
            return
        day = order.order_date.wall.date()
        self.first = day if self.first is None else min(self.first, day)
        self.last = day if self.last is None else max(self.last, day)

    def _add_sums(self, order: Order) -> None:
        sums = self.sums[order.currency or "(none)"]
        lines = sum((line.total for line in order.lines), Decimal(0))
        sums["lines"] += lines
        sums["shipping"] += order.shipping
        sums["voucher"] += order.voucher_value
        if order.order_total is not None:
            sums["orderTotal"] += order.order_total
            self.proof.add(order)


def inspect(stack: ExitStack, settings: Settings, export: Export, progress: Progress) -> dict[str, Any]:
    """The `inspect --json` document. A mapping folder is used for columns.csv only, where there is one."""
    mapping, mapping_error = _mapping_if_any(settings)
    batch, facts = stack.enter_context(open_batch(export, mapping, progress))
    tally = Tally()
    expected = facts.orders + facts.nested_returns
    for order in batch.orders(start=export.span.start, end=export.span.end):
        tally.add(order)
        if tally.orders % 1000 == 0:
            progress("orders", tally.orders, expected)
    problems = [*tally.first_problems, *facts.unassigned][:PROBLEMS_SHOWN]
    attention = tally.unreadable or facts.unassigned_count
    return {
        "command": "inspect",
        "files": [file_document(file) for file in facts.files],
        "told": texts(told(facts, batch.unused_values())),
        "mapping": mapping_error or ("read for columns.csv" if mapping else "none yet"),
        "orders": {"read": tally.orders, "returns": tally.returns, "unreadable": tally.unreadable},
        "lines": {"read": tally.lines, "unassigned": facts.unassigned_count},
        "dates": {"first": str(tally.first or ""), "last": str(tally.last or "")},
        "statuses": dict(tally.statuses.most_common()),
        "currencies": dict(tally.currencies.most_common()),
        "countries": dict(tally.countries.most_common()),
        "vat_percents": dict(tally.rates.most_common()),
        "markets": dict(tally.markets.most_common(50)),
        "store_types": dict(tally.store_types.most_common()),
        "sums": {
            currency: {name: money_text(amount, 2) for name, amount in sums.items()}
            for currency, sums in sorted(tally.sums.items())
        },
        "footing": {
            "orders_with_total": tally.proof.orders,
            "readings": dict(tally.proof.foots.most_common()),
            "better": [name for name, _ in tally.proof.better],
            "in_no_reading": tally.proof.failing,
        },
        "number_gaps": {
            "gaps": tally.numbers.gaps,
            "missing_numbers": tally.numbers.missing,
            "examples": tally.numbers.examples,
            "jumps": tally.numbers.jumps,
        },
        "problems": [
            {"code": code, "orders": count} for code, count in sorted(tally.problems.items(), key=lambda row: -row[1])
        ],
        "first_problems": [problem_document(problem) for problem in problems],
        "exit_code": int(ExitCode.ATTENTION if attention else ExitCode.DONE),
    }


def problem_document(problem: Problem) -> dict[str, Any]:
    """A problem as data."""
    return {
        "code": problem.code,
        "order": problem.order,
        "file": problem.place.file,
        "sheet": problem.place.sheet,
        "row": problem.place.row,
        "column": problem.place.column,
        "value": problem.value,
        "message": problem.message,
    }


def init(
    stack: ExitStack, settings: Settings, export: Export, *, store: str, timezone: str, progress: Progress
) -> tuple[list[Path], list[str]]:
    """Writes a mapping folder for the export; gives its files, and what is told of the export.

    Raises UsageError where a file would be overwritten.
    """
    batch, facts = stack.enter_context(open_batch(export, None, progress))
    unknown = [name for file in facts.files for name, _ in file.columns.unknown]
    dump = gather(batch.orders(start=export.span.start, end=export.span.end), unknown)
    paths = write_scaffold(settings.mappings, scaffold_files(dump, store=store, timezone=timezone))
    return paths, texts(told(facts))


def gather(orders: Iterable[Order], unknown_columns: Sequence[str] = ()) -> DumpFacts:
    """Every SKU, country x VAT rate x period, market, account key and voucher code of the orders."""
    keys: dict[str, dict[str, str]] = {"sku": {}, "ean": {}, "id": {}, "item": {}}
    rates: dict[tuple[str, Decimal | None], list[Any]] = {}
    named: dict[str, Counter[str]] = defaultdict(Counter)
    for order in orders:
        country = order.delivery_country or order.invoice_country
        day = order.order_date.wall.date() if order.order_date else None
        for line in order.lines:
            for name, known in keys.items():
                if key := getattr(line, name):
                    known.setdefault(key, line.product)
            named["brand"][line.brand] += 1
            row = rates.setdefault((country, line.vat_percent), [day, day, 0])
            if day is not None:
                row[0], row[1] = min(row[0] or day, day), max(row[1] or day, day)
            row[2] += 1
        for name, text in (
            ("email", order.email),
            ("customerId", order.customer_id),
            ("accountId", order.account_id),
            ("buyerId", order.buyer_id),
            ("market", order.market),
            ("currency", order.currency),
            ("store_type", order.store_type),
            ("status", order.status),
            ("voucher", order.voucher_code),
            *(("voucher", voucher.code) for voucher in order.vouchers),
            *(("method", payment.method) for payment in order.payments),
        ):
            named[name][text] += 1
    for counter in named.values():
        del counter[""]

    def counted(name: str) -> dict[str, str]:
        return {key: f"{count} orders" if count > 1 else "1 order" for key, count in named[name].items()}

    ordered = sorted(rates.items(), key=lambda item: (item[0][0], item[0][1] is not None, item[0][1] or 0))
    return DumpFacts(
        skus=keys["sku"],
        eans=keys["ean"],
        ids=keys["id"],
        items=keys["item"],
        countries_rates=[RateFact(country, percent, *row) for (country, percent), row in ordered],
        emails=counted("email"),
        customer_ids=counted("customerId"),
        account_ids=counted("accountId"),
        buyer_ids=counted("buyerId"),
        markets=list(named["market"]),
        currencies=[code for code, _ in named["currency"].most_common()],
        voucher_codes=list(named["voucher"]),
        payment_methods=list(named["method"]),
        brands=list(named["brand"]),
        store_types=list(named["store_type"]),
        statuses=list(named["status"]),
        unknown_columns=unknown_columns,
    )


def _mapping_if_any(settings: Settings) -> tuple[Mapping | None, str]:
    if not settings.mappings.is_dir():
        return None, ""
    try:
        return read_mapping_of(settings), ""
    except EtlError as error:
        # An export can be looked at before its mapping is right.
        return None, f"not usable yet: {error.message.splitlines()[0]}"
