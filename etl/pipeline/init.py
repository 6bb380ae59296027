"""The job of `init`: from any dump to a mapping folder, with what the orders prove and what a person has to decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from etl.errors import ExitCode, InputError, UsageError
from etl.mapping.additions import Written
from etl.mapping.folder import look_at_mapping
from etl.mapping.homes import Home, home_of
from etl.mapping.partial import read_partial
from etl.mapping.scaffold import DumpFacts, money_of, scaffold_files
from etl.mapping.settings import FILE, faults_of_source
from etl.pipeline import proposing
from etl.pipeline.gathering import Gathered
from etl.pipeline.planning import Progress
from etl.pipeline.prepare import Export, open_with
from etl.pipeline.proposing import Proposed, propose_for, with_number_hint
from etl.pipeline.sources import problems_of_files, texts
from etl.pipeline.verdict import Verdict, word_columns
from etl.proposals.propose import says_without_tax
from etl.settings import Settings


@dataclass(frozen=True, slots=True)
class Begun:
    """What `init` has done: files, proposals, what is told of the export, and which orders foot with it.

    `open`: what a person still has to write, before Mews was asked.
    """

    written: Sequence[Written]
    proposed: Proposed
    told: Sequence[str]
    faults: Sequence[str]
    verdict: Verdict
    proved: dict[str, Any]
    home: Home
    open: tuple[str, ...]
    facts: DumpFacts = DumpFacts()

    def document(self) -> dict[str, Any]:
        """The `init --json` document."""
        return {
            "command": "init",
            "files": [str(one.path) for one in self.written if one.is_new],
            "added": {str(one.path): one.added for one in self.written if one.added},
            "notes": {str(one.path): one.note for one in self.written if one.note},
            "faults": list(self.faults),
            "verdict": self.verdict.document(),
            "proved": self.proved,
            "own_shipping": self.facts.own_shipping,
            **proposing.document(self.proposed),
            "exit_code": int(ExitCode.DONE),
        }


def init(
    stack: ExitStack,
    settings: Settings,
    export: Export,
    *,
    store: str,
    timezone: str,
    progress: Progress,
    wants_workbook: bool = False,
) -> Begun:
    """Writes a mapping folder for the export, or adds to the one that is there what it lacks.

    `wants_workbook`: the tables become sheets of mapping.xlsx, as they do where one stands.
    Raises InputError where a file can't be read, UsageError where the folder can't be written, or store or timezone is none.
    """
    if faults := faults_of_source(store, timezone):
        hint = "Give --store a short name such as uk, and --timezone a name such as Europe/London."
        raise UsageError(" ".join(faults), code="init.source", hint=hint)
    home = home_of(settings.mappings, wants_workbook=wants_workbook)
    partial = read_partial(settings.mappings, store=store, timezone=timezone)
    proposed = propose_for(export, partial)
    try:
        batch, facts = stack.enter_context(open_with(export, proposed.options, progress))
    except InputError as error:
        # What a person has to decide first can only be written into a folder that is there.
        dump = DumpFacts(columns=_column_rows(proposed), values=_value_rows(proposed), proved=_pattern(proposed))
        home.write(scaffold_files(dump, store=store, timezone=timezone))
        raise _begun(with_number_hint(error, proposed), settings.mappings) from error
    gathered = Gathered(partial.source.default_country)
    verdict = Verdict(prices_include_tax=partial.basis, words=word_columns(facts.files))
    for count, order in enumerate(batch.orders(start=export.span.start, end=export.span.end)):
        gathered.add(order)
        verdict.add(order)
        if count % 1000 == 0:
            progress("orders", count, facts.orders + facts.nested_returns)
    proved = _pattern(proposed)
    met = gathered.facts()
    basis = verdict.proved_basis()
    if basis is None and "b2b" not in met.store_types:
        # The tax of an order may stand in a column of its own, which no line has a rate for.
        basis = proposed.proposals.basis
    if basis is not None and not says_without_tax(proposed.proposals):
        proved["prices_include_tax"] = basis
    dump = replace(
        met,
        columns=_column_rows(proposed),
        values=_value_rows(proposed),
        proved=proved,
        signs=proposed.proposals.signs,
    )
    written = home.write(scaffold_files(dump, store=store, timezone=timezone))
    faults = [str(fault) for fault in partial.faults]
    return Begun(
        written,
        proposed,
        texts(problems_of_files(facts)),
        faults,
        verdict,
        proved,
        home,
        _open_cells(settings, home, proved, dump),
        dump,
    )


def _open_cells(settings: Settings, home: Home, proved: Mapping[str, Any], dump: DumpFacts) -> tuple[str, ...]:
    """Required settings and tax cells that are empty."""
    found = []
    seen = look_at_mapping(settings.mappings)
    partial = read_partial(settings.mappings)
    if not dump.currencies and not partial.source.default_currency:
        sign = f" (it has {', '.join(sorted(dump.signs))})" if dump.signs else ""
        found.append(f"source.default_currency in {FILE}; the export names no currency{sign}")
    if "prices_include_tax" not in proved and partial.basis is None:
        found.append(f"source.prices_include_tax in {FILE}; no totals prove whether prices are with tax")
    if seen.lacks:
        found.append(f"{seen.lacks} in {FILE}")
    taxes = home.table("taxes.csv")
    undecided = [row for row in taxes.rows if not row.cells["tax_codes"]] if taxes else []
    if undecided:
        count = f"{len(undecided):,} row{'s' * (len(undecided) > 1)}"
        found.append(f"tax_codes of {count} in {home.where('taxes.csv')}")
    return tuple(found)


def _pattern(proposed: Proposed) -> dict[str, Any]:
    found: dict[str, Any] = {"order_number": proposed.order_number} if proposed.order_number else {}
    if proposed.proposals.date_format:
        found["date_format"] = proposed.proposals.date_format
    return found | ({"sheets": proposed.sheets} if proposed.sheets else {})


def _begun(error: InputError, folder: Path) -> InputError:
    """The refusal, with what was found all the same and where to go on."""
    where = "columns.csv" if error.code in ("input.no_order_number", "input.duplicate_column") else "migration.toml"
    return InputError(
        error.message,
        code=error.code,
        place=error.place,
        hint=f"{error.hint} What was found so far stands in {folder}: decide it in {where} there and run init again.",
    )


def _column_rows(proposed: Proposed) -> list[Sequence[str]]:
    """Rows of columns.csv; those that a person has to look at stand last."""
    columns = sorted(proposed.proposals.columns, key=lambda one: not one.field)
    return [
        (
            *(one.header, one.field, one.sure.value if one.sure else ""),
            *(one.evidence, " | ".join(one.candidates), " | ".join(one.samples)),
        )
        for one in columns
    ]


def _value_rows(proposed: Proposed) -> list[Sequence[str]]:
    return [
        (
            *(one.field, one.value, one.means, one.sure.value if one.sure else ""),
            *(one.evidence, " | ".join(one.candidates), f"{one.orders:,}", money_of(one.money)),
        )
        for one in proposed.values
    ]
