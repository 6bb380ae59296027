"""What an order of a report opens to: its rows in the export beside its entries in Mews.

A plan knows both; where only the ledger is read, the entries are those that were frozen before they were sent, and the
rows are read again from the export, if it still is what the run read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from etl.columns.quick import Beside
from etl.evidence.observed import observed_entries
from etl.ledger.ledger import Ledger
from etl.ledger.records import ORDER_PART, LedgerOrder, loads
from etl.model.identity import parse_identifier, split_number
from etl.model.money import digits_of
from etl.model.payload import entries_of
from etl.model.place import Place
from etl.model.plan import Basis, Entry, letters_of
from etl.model.shares import CAPTURED, CREDIT
from etl.pipeline.entry_words import ONE_NUMBER, PARTS, short_rule
from etl.pipeline.kept_entries import Kept
from etl.pipeline.prepare import Prepared
from etl.pipeline.source_again import Rows, SourceAgain
from etl.report.cells import PAYMENT, amount_text
from etl.report.facts import EntryRow, Opened, OrderDetail, SourceRows
from etl.report.plain_detail import PlainDetail
from etl.staging.source_rows import FileRows, FileText

Booked = Mapping[str, tuple[Decimal, Decimal]]
"""By name of the line: net and gross as Mews showed them."""
Read = Callable[[Collection[str]], Mapping[str, Booked]]
"""What Mews showed of the named orders."""

_PAID = frozenset((CREDIT, *CAPTURED))
ROWS_NAMED = 5
_NOTHING = Kept("[]", Beside([], [], [], []))
"""What is shown of the entries of an order that is not sent."""


def planned_details(prepared: Prepared, ledger: Ledger | None) -> Callable[[Collection[str]], Iterator[Opened]]:
    """The details of planned orders; entries carry what Mews showed of them where the ledger kept that."""
    precisions = {code: currency.precision for code, currency in prepared.reference.currencies.items()}
    store, batch = prepared.store, prepared.batch

    def of(numbers: Collection[str]) -> Iterator[Opened]:
        held = ledger.lookup(numbers) if ledger else {}
        kept = store.entries.named(numbers) if store.entries else {}
        light = [number for number in numbers if number in kept and number not in held]
        unsent = dict.fromkeys(store.unsent([number for number in numbers if number not in held]), _NOTHING)
        if light or unsent:
            kept = {**kept, **unsent}
            plain = {
                number: _plain_detail(number, rows, kept[number])
                for number, rows in batch.plain_rows([*light, *unsent])
            }
            yield from plain.values()
            numbers = [number for number in numbers if number not in plain]
        if not numbers:
            return
        rows = dict(batch.source_rows(numbers))
        for order in store.named(list(numbers)):
            files = rows.get(split_number(order.number)[0], [])
            booked = _observed(held[order.number]) if order.number in held else {}
            entries = [_entry(entry, digits_of(order.currency, precisions), booked) for entry in order.entries]
            yield OrderDetail(order.number, _joined(order.number, files), [_source(one) for one in files], entries)

    return of


def _plain_detail(number: str, rows: FileText, kept: Kept) -> PlainDetail:
    """An order by columns: its rows stand in one flat file."""
    source = (rows.where, rows.order_headers, rows.line_headers)
    nets, places, rules, names = kept.beside
    short = [short_rule(rule) for rule in rules]
    return PlainDetail(number, ONE_NUMBER, source, rows.groups, kept.entries, nets, places, short, names, PARTS)


def ledger_details(
    ledger: Ledger, precisions: Mapping[str, int], source: SourceAgain, read: Read | None = None
) -> Callable[[Collection[str]], Iterator[OrderDetail]]:
    """The details of orders as the ledger froze them; `read` gives what Mews showed just now."""

    def of(numbers: Collection[str]) -> Iterator[OrderDetail]:
        held = ledger.lookup(numbers)
        rows = source.rows({number: order.plan_run_id for number, order in held.items()})
        shown = read(numbers) if read else {}
        for number, order in held.items():
            booked = shown.get(number) or _observed(order)
            sent = [one for one in ledger.attempts(number, generation=order.generation) if one.part == ORDER_PART]
            entries: list[EntryRow] = []
            if sent:
                predicted = {line: (net, tax, gross) for line, net, tax, gross in sent[-1].predicted}
                places = digits_of(order.currency, precisions)
                origins = _origins(order)
                entries = [
                    _sent(one, count, predicted, places, booked, origins) for one, count in entries_of(sent[-1].payload)
                ]
            elif order.has_posted:
                entries = seen_entries(loads(order.observed, {}), booked, digits_of(order.currency, precisions))
            files = rows[number].files
            joined = _joined(number, files) + _since(order) if files else _not_there(order, rows[number])
            yield OrderDetail(number, joined, [_source(one) for one in files], entries)

    return of


def _since(order: LedgerOrder) -> str:
    """What must be said where the rows are a later version of what stands in Mews."""
    return (
        " It was posted from an earlier version of them; the entries are those that were sent." if order.changed else ""
    )


def _not_there(order: LedgerOrder, rows: Rows) -> str:
    places = list(dict.fromkeys(str(one.place) for one in order.problems if one.place.file))[:ROWS_NAMED]
    named = f" Its problems stand at {'; '.join(places)}." if places else ""
    return f"{rows.why_not or 'The export holds no row of it.'} The report of the run shows them.{named}"


def _origins(order: LedgerOrder) -> dict[str, tuple[str, str]]:
    """By name of the line: file and row that it comes from, and the row of the mapping that taxes it."""
    kept = order.facts.get("origin", {})
    rows = {
        line: f"{file}, row {', '.join(map(str, dict.fromkeys(rows)))}"
        for file, lines in kept.get("files", {}).items()
        for line, rows in lines.items()
    }
    rules = {line: short_rule(rule) for rule, lines in kept.get("rules", {}).items() for line in lines}
    return {line: (rows.get(line, ""), rules.get(line, "")) for line in rows.keys() | rules.keys()}


def _source(one: FileRows) -> SourceRows:
    return SourceRows(one.where, (one.order_headers, one.line_headers), one.groups)


def _joined(order_number: str, files: Sequence[FileRows]) -> str:
    """The rule that made these rows one order, in a sentence."""
    if not files:
        return ""
    number, nested = split_number(order_number)
    if any(one.is_correction for one in files):
        text = f"The rows of the --corrections file take the place of the export's rows of order {number}."
    elif len({one.where for one in files}) > 1 or len(files) > 1:
        text = (
            f"Order {number} is met more than once: equal parts count once, different ones only where the whole foots."
        )
    else:
        text = number.join(ONE_NUMBER)
    below = sum(one.below for one in files)
    if below:
        text += f" {below} row{'s' * (below != 1)} below name no order and are its lines only if it foots with them."
    if nested:
        text += f" {order_number} is a return nested in it."
    return text


def _entry(entry: Entry, precision: int, booked: Booked) -> EntryRow:
    predicted = entry.predicted
    letters = letters_of(entry.line)
    origin, rule = PARTS.get(letters, ("", ""))
    amounts = [amount_text(one, precision) for one in (entry.unit, predicted.net, predicted.tax, predicted.gross)]
    return EntryRow(
        line=entry.line,
        name=entry.name,
        count=str(entry.count),
        unit=amounts[0],
        codes=" ".join(entry.codes) or (PAYMENT if letters in _PAID else "exempt"),
        net=amounts[1],
        tax=amounts[2],
        gross=amounts[3],
        **_booked(booked.get(entry.line), precision),
        origin=_row_text(entry.place) or origin,
        rule=short_rule(entry.rule) or rule,
    )


def _booked(amounts: tuple[Decimal, Decimal] | None, precision: int) -> dict[str, str]:
    if amounts is None:
        return {}
    net, gross = amounts
    return {"booked_tax": amount_text(gross - net, precision), "booked_gross": amount_text(gross, precision)}


def _row_text(place: Place) -> str:
    return f"row {place.row}" if place.row is not None else ""


def _observed(order: LedgerOrder) -> Booked:
    """What Mews showed of an order when the ledger last noted it."""
    if not order.observed:
        return {}
    found = {}
    for item in loads(order.observed, {}).get("items", ()):
        parsed = parse_identifier(str(item.get("identifier") or ""))
        if parsed and not item.get("canceled"):
            found[parsed[1]] = (Decimal(str(item["net"])), Decimal(str(item["gross"])))
    return found


def seen_entries(observed: Mapping[str, Any], booked: Booked, precision: int) -> list[EntryRow]:
    """The entries of an order that `recover` found: as Mews showed them, since nobody here predicted them."""
    found = []
    for one in observed_entries(observed, Basis.GROSS):
        parsed = parse_identifier(one.identifier)
        line = parsed[1] if parsed else one.identifier
        if not one.is_payment:
            found.append(
                EntryRow(
                    line=line,
                    name="",
                    count="" if one.count is None else str(one.count),
                    unit="",
                    codes="" if one.codes is None else " ".join(one.codes) or "exempt",
                    net="",
                    tax="",
                    gross="",
                    **_booked(booked.get(line), precision),
                    origin="found in Mews by recover",
                )
            )
    return found


def _sent(
    entry: Mapping[str, Any],
    count: int,
    predicted: Mapping[str, tuple[Decimal, Decimal, Decimal]],
    precision: int,
    booked: Booked,
    origins: Mapping[str, tuple[str, str]],
) -> EntryRow:
    parsed = parse_identifier(str(entry.get("ExternalIdentifier") or ""))
    line = parsed[1] if parsed else ""
    unit = entry["UnitAmount"]
    letters = letters_of(line)
    part = PARTS.get(letters, ("", ""))
    origin, rule = (one or other for one, other in zip(origins.get(line, ("", "")), part, strict=True))
    amounts = [amount_text(one, precision) for one in predicted.get(line, ())] or ["", "", ""]
    return EntryRow(
        line=line,
        name=str(entry.get("Name") or entry.get("ProductId") or ""),
        count=str(count),
        unit=amount_text(Decimal(str(unit.get("GrossValue", unit.get("NetValue", 0)))), precision),
        codes=" ".join(unit.get("TaxCodes", ())) or (PAYMENT if letters in _PAID else "exempt"),
        net=amounts[0],
        tax=amounts[1],
        gross=amounts[2],
        **_booked(booked.get(line), precision),
        origin=origin,
        rule=rule,
    )
