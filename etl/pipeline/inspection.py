"""The job of `inspect`: what is in an export, and whether it can be read, without a network."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from etl.errors import ExitCode, InputError
from etl.mapping.partial import Partial, is_begun, read_partial
from etl.model.money import usual_text
from etl.model.order import Order
from etl.model.problem import Problem
from etl.pipeline import proposing
from etl.pipeline.planning import Progress
from etl.pipeline.prepare import Export, open_with, options_of
from etl.pipeline.proposing import Proposed, propose_for, with_number_hint
from etl.pipeline.readings import Proof
from etl.pipeline.sources import file_documents, problem_document, problems_of_files, texts
from etl.pipeline.stated_totals import StatedTotals
from etl.pipeline.verdict import Verdict, amounts, word_columns
from etl.settings import Settings
from etl.staging.batch import Batch
from etl.staging.facts import BatchFacts, FileFacts

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
    captures: Counter[str] = field(default_factory=Counter)
    sums: dict[str, dict[str, Decimal]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Decimal)))
    money: dict[str, dict[str, dict[str, Decimal]]] = field(default_factory=lambda: defaultdict(dict))
    months: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    proof: Proof = field(default_factory=Proof)
    problems: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    first_problems: list[Problem] = field(default_factory=list)
    numbers: NumberGaps = field(default_factory=NumberGaps)
    stated: StatedTotals = field(default_factory=StatedTotals)

    def add(self, order: Order) -> None:
        """Counts one order."""
        self.orders += 1
        self.lines += len(order.lines)
        self.returns += order.is_return
        self.unreadable += not order.is_readable
        self._add_dates(order)
        self.markets[order.market or "(none)"] += 1
        total = order.order_total or Decimal(0)
        for name, counter, text in (
            ("statuses", self.statuses, order.status),
            ("currencies", self.currencies, order.currency),
            ("countries", self.countries, order.delivery_country or order.invoice_country),
            ("store_types", self.store_types, order.store_type),
        ):
            counter[text or "(none)"] += 1
            self._add_money(name, text or "(none)", order.currency, total)
        for line in order.lines:
            rate = "(none)" if line.vat_percent is None else f"{line.vat_percent.normalize():f}"
            self.rates[rate] += 1
            self._add_money("vat_percents", rate, order.currency, line.total)
        captured, amount = _captured(order)
        self.captures[captured] += 1
        self._add_money("captures", captured, order.currency, total if amount is None else amount)
        self._add_sums(order)
        self.stated.add(
            order.currency, sum((line.total for line in order.lines), order.beside_goods), order.order_total
        )
        for problem in order.problems:
            self.problems[problem.code] += 1
            if problem.is_error and len(self.first_problems) < PROBLEMS_SHOWN:
                self.first_problems.append(problem)
        if not order.parent:
            self.numbers.add(order.number)

    def counted(self) -> dict[str, Counter[str]]:
        """What is counted by its word, by the names of the document."""
        return {
            "statuses": self.statuses,
            "currencies": self.currencies,
            "countries": self.countries,
            "vat_percents": self.rates,
            "store_types": self.store_types,
            "captures": self.captures,
        }

    def _add_money(self, name: str, key: str, currency: str, amount: Decimal) -> None:
        sums = self.money[name].setdefault(key, {})
        sums[currency] = sums.get(currency, Decimal(0)) + amount

    def _add_dates(self, order: Order) -> None:
        if order.order_date is None:
            return
        day = order.order_date.wall.date()
        sums = self.months.setdefault(f"{day:%Y-%m}", {})
        sums[order.currency] = sums.get(order.currency, Decimal(0)) + (order.order_total or Decimal(0))
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


def _captured(order: Order) -> tuple[str, Decimal | None]:
    """The status of what was captured of an order, success before all others, and its sum; None where nothing was."""
    captures = [payment for payment in order.payments if payment.kind == "capture"]
    taken = [payment.amount or Decimal(0) for payment in captures if payment.status == "success"]
    if taken:
        return "success", sum(taken, Decimal(0))
    return next((payment.status for payment in captures if payment.status), "(none)"), None


def inspect(stack: ExitStack, settings: Settings, export: Export, progress: Progress) -> dict[str, Any]:
    """The `inspect --json` document. Of a mapping folder all is used that is there; else what `init` would propose.

    Raises InputError where a file can't be read, and nothing is found to propose.
    """
    partial = read_partial(settings.mappings)
    batch, facts, proposed = open_as_it_can(stack, export, partial, progress)
    words = word_columns(facts.files)
    tally, verdict = Tally(proof=Proof(words)), Verdict(prices_include_tax=partial.basis, words=words)
    expected = facts.orders + facts.nested_returns
    for order in batch.orders(start=export.span.start, end=export.span.end):
        tally.add(order)
        verdict.add(order)
        if tally.orders % 1000 == 0:
            progress("orders", tally.orders, expected)
    problems = [*tally.first_problems, *facts.unassigned][:PROBLEMS_SHOWN]
    attention = tally.unreadable or facts.unassigned_count
    return {
        "command": "inspect",
        "verdict": verdict.document() | {"rows_without_order": facts.unassigned_count},
        "proposals": proposing.document(proposed) if proposed else None,
        "next": next_step(settings, export, partial, verdict, proposed),
        "files": file_documents(facts.files),
        "told": texts(problems_of_files(facts, batch.unused_values())),
        "mapping": partial_text(settings, partial),
        "orders": {"read": tally.orders, "returns": tally.returns, "unreadable": tally.unreadable},
        "lines": {"read": tally.lines, "unassigned": facts.unassigned_count},
        "dates": {"first": str(tally.first or ""), "last": str(tally.last or "")},
        **{name: dict(counter.most_common()) for name, counter in tally.counted().items()},
        "money": {
            name: {key: amounts(sums) for key, sums in by_key.items()} for name, by_key in sorted(tally.money.items())
        },
        "months": {month: amounts(sums) for month, sums in sorted(tally.months.items())},
        "markets": dict(tally.markets.most_common(50)),
        "sums": {
            currency: {name: usual_text(amount, currency) for name, amount in sums.items()}
            for currency, sums in sorted(tally.sums.items())
        },
        "stated": tally.stated.document() if _is_net(partial, proposed) else [],
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


def open_as_it_can(
    stack: ExitStack, export: Export, partial: Partial, progress: Progress
) -> tuple[Batch, BatchFacts, Proposed | None]:
    """The batch as the folder has it read; where no column numbers the orders so, with the proposals of `init`."""
    options = options_of(partial.source, partial.columns, partial.values)
    try:
        batch, facts = stack.enter_context(open_with(export, options, progress))
        if facts.orders and not any(_lacks_lines(file) for file in facts.files):
            return batch, facts, None
        refusal = None
    except InputError as error:
        if error.code != "input.no_order_number":
            raise
        refusal = error
    proposed = propose_for(export, partial)
    if not (proposed.proposals.renames or proposed.order_number) or not proposed.proposals.has_number:
        if refusal:
            raise with_number_hint(refusal, proposed)
        return batch, facts, None
    batch, facts = stack.enter_context(open_with(export, proposed.options, progress))
    return batch, facts, proposed


def _is_net(partial: Partial, proposed: Proposed | None) -> bool:
    """Whether prices are without tax, as the folder says or the orders prove."""
    if partial.basis is not None:
        return partial.basis is False
    return proposed is not None and proposed.proposals.basis is False


def _lacks_lines(file: FileFacts) -> bool:
    """Whether quantity or price stands under no known name: an order number alone makes no known export."""
    return bool({"products.qty", "products.unitPrice"} & set(file.columns.missing)) and bool(file.rows)


def partial_text(settings: Settings, partial: Partial) -> str:
    """What there is of the mapping folder, and what is still missing."""
    if not is_begun(settings.mappings):
        return "none yet"
    parts = [f"{len(partial.columns)} rows of columns.csv and {len(partial.values)} of values.csv were read"]
    if partial.missing:
        parts.append(f"still missing: {', '.join(partial.missing)}")
    parts += [str(fault) for fault in partial.faults]
    return "; ".join(parts)


def next_step(
    settings: Settings, export: Export, partial: Partial, verdict: Verdict, proposed: Proposed | None
) -> dict[str, str]:
    """The one thing to do now."""
    exports = shlex.join(map(str, export.paths))
    folder = "" if str(settings.mappings) == "mappings" else f"--mappings {shlex.quote(str(settings.mappings))} "
    if partial.faults:
        return {"what": f"Correct {partial.faults[0]}", "type": ""}
    if proposed and not partial.missing:
        what = "Add the names of this export to the mapping folder; what stands there stays"
        return {"what": what, "type": f"centra-mews {folder}init {exports}"}
    if partial.missing or proposed:
        return {
            "what": "Write the mapping folder",
            "type": f"centra-mews {folder}init {exports} --store NAME --timezone ZONE",
        }
    causes = verdict.sorted_causes()
    if causes:
        one = causes[0]
        return {"what": f"{one.code}, {one.orders:,} orders: {one.hint or one.message}", "type": ""}
    return {"what": "See what would be sent", "type": f"centra-mews {folder}dry-run {exports}"}
