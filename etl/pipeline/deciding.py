"""The step that decides a cell: which it is, what a person may choose from, and what it sets free.

Rule: design sections 2 (`next`) and 3a: candidates are shown, nothing is filled in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from etl.mapping.settings import FILE
from etl.mapping.tables import place_of
from etl.mapping.whereabouts import row_of, row_of_setting
from etl.model.faults import Fault
from etl.model.mapping import Mapping as MappingFolder
from etl.model.reference import Reference
from etl.model.rules import RateKind, TaxRule
from etl.pipeline.candidates import tax_subject
from etl.pipeline.catalogue import StoredRates, has_catalogue, paymasters, stored_names, stored_rates, stored_services
from etl.pipeline.causes import ASK_MEWS, UNPAID, Cause, Causes, Effect, decision_of, setting_of
from etl.pipeline.step import Desk, Step, with_effect
from etl.pipeline.tax_candidates import NOT_ALWAYS, codes_valid, tax_candidates
from etl.proposals.values import meanings_of

SERVICE = "target.service"
OUTLET = "outlet.outlet"
_SHOWN = 10
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "source.prices_include_tax": ("true", "false", '"b2c"'),
    "products.bundles": ("bundle", "contents"),
    "target.rebates": ("allow", "block"),
    "target.outside_editable_window": ("clamp", "block"),
    "target.clamped_vat": ("declare", "block"),
    "outlet.payments": ("captures", "balance", "none"),
}
_NAMED_IN: Mapping[str, str] = {
    "categories.csv": "categories.csv",
    "segments.csv": "segments.csv",
    "payments.csv": "payment_types.csv",
}
"""Table of the mapping -> table of the catalogue whose entities it names."""
_TAX_CELLS = frozenset({"tax.undecided", "tax.rate_differs", "tax.code_not_valid", "tax.code_unknown"})
_PLAIN_ID = re.compile(r"\((\S+)\)$")


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known without a network: the mapping folder, and what Mews told last. `is_fresh`: since the last change."""

    mapping: MappingFolder
    reference: Reference | None
    is_fresh: bool = True


def first_fault(fault: Fault, more: int, desk: Desk) -> Step:
    """The step for the first fault of a folder that can't be used; `more` faults follow it."""
    if fault.place.column == SERVICE:
        return THE_SERVICE.step(desk, fault.place.row)
    if fault.place.column == OUTLET:
        return _OUTLET.step(desk, fault.place.row)
    rest = f" ({more} more after it)" if more else ""
    choices = _CHOICES.get(fault.place.column, ()) if fault.place.file == FILE else ()
    return Step(
        f"{fault}{rest}", fault.place.file, fault.place.row, fault.place.column, choices, sheet=fault.place.sheet
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where orders go, which nobody can guess. `names`: how it may be named in the setting `key`.

    `known`: those of the catalogue in this folder; `none`: what Mews says where it has none.
    """

    key: str
    known: Callable[[Path], Sequence[str]]
    names: str
    one: str
    many: str
    none: str

    def step(self, desk: Desk, row: int | None) -> Step:
        """One of the catalogue's, else Mews is asked for them."""
        folder = desk.settings.mappings
        if known := self.known(folder):
            what = f"{FILE} row {row}: write {self.names} of {self.one} into {self.key} (candidates {', '.join(known)})"
            return Step(what, FILE, row, self.key, _ids(known))
        ask = desk.typed("preflight", *desk.files)
        if has_catalogue(folder):
            return Step(f"{self.key}: Mews {self.none}", FILE, row, self.key, type=ask)
        if desk.has_tokens:
            return Step(f"Ask Mews which {self.many} it has, for {self.key}", FILE, row, type=ask)
        return Step(
            f"Write the three MEWS_ variables into .env, then let preflight list the {self.many}", ".env", type=ask
        )


THE_SERVICE = _Place(
    SERVICE,
    stored_services,
    "the Id",
    "a service",
    "services",
    "has no active additional service; ask the hotel to set one up for the shop, then ask Mews again",
)
_OUTLET = _Place(
    OUTLET,
    partial(stored_names, file="outlets.csv"),
    "the Id or the name",
    "an outlet",
    "outlets",
    "lists no outlet for this integration; ask the hotel to set one up and Mews to open it",
)


def decision(desk: Desk, chosen: tuple[Cause, Effect], causes: Causes, known: Knowledge) -> Step:
    """The step for the cell that comes first."""
    cause, alone = chosen
    effect = alone if alone.orders else causes.open[cause]
    words = "unlocks" if alone.orders else "with other decisions it keeps back"
    if cause.code in ASK_MEWS and not known.is_fresh:
        what = "Compare the mapping with Mews again: cells have changed since it was asked"
        return with_effect(Step(what, type=desk.typed("preflight", *desk.files)), effect, words)
    return with_effect(_cell(desk, cause, effect, known), effect, words)


def how_paid(desk: Desk, unpaid: Effect) -> Step:
    """How a history was paid that comes as outlet bills, some of which are left open."""
    cause = setting_of(UNPAID)
    return with_effect(_setting(desk, cause, decision_of(cause).verb), unpaid, "bills that do not come to zero:")


def _cell(desk: Desk, cause: Cause, effect: Effect, known: Knowledge) -> Step:
    folder, verb = desk.settings.mappings, decision_of(cause).verb
    if cause.file == FILE:
        return _setting(desk, cause, verb)
    rule = next((one for one in known.mapping.taxes if cause.file == "taxes.csv" and one.place.row == cause.row), None)
    candidates = _candidates(desk, cause, rule, effect, known)
    place, row = place_of(folder, cause.file), cause.row
    command = ""
    if cause.file == "values.csv":
        found = row_of(folder, cause.file, {"field": cause.field, "value": cause.subject})
        row = found.place.row if found else None
    if row is None and (cause.file == "values.csv" or cause.code == "tax.unmapped"):
        source = known.mapping.settings.source
        command = desk.typed("init", *desk.files, "--store", source.store, "--timezone", source.timezone)
        verb = f"{verb}; init adds the row" if cause.file == "values.csv" else verb
    where = f"{place.table} row {row}" if row else place.table
    subject = _subject(cause, rule)
    parts = ", ".join(part for part in (where, subject, _years(effect.months) if subject else "") if part)
    what = f"{parts}: {verb}{_shown(candidates, cause)}"
    if not candidates and _has_codes(cause, rule) and _tax_world(desk, known) is not None:
        what += " (no code of that rate is valid then)"
    column = decision_of(cause).column if row else ""
    return Step(what, place.file, row, column, _ids(candidates), type=command, sheet=place.sheet)


def _setting(desk: Desk, cause: Cause, verb: str) -> Step:
    """A key of migration.toml."""
    folder, key = desk.settings.mappings, cause.field
    row = row_of_setting(folder, key)
    candidates = _choices(folder, key)
    where = f"{FILE} row {row}, {key}" if row else f"{FILE}, {key}"
    is_named = key not in _CHOICES and bool(candidates)
    shown = f" (candidates {', '.join(candidates[:_SHOWN])})" if is_named else ""
    hint = "" if shown or key != "accounts.fallback" else _where_accounts_are(desk)
    return Step(f"{where}: {verb}{shown}{hint}", FILE, row, key, _ids(candidates))


def _choices(folder: Path, key: str) -> tuple[str, ...]:
    """What a key of migration.toml may say: words, or what Mews has of what it names."""
    if key == "accounts.fallback":
        return paymasters(folder)
    if key.endswith("category"):
        return stored_names(folder, "categories.csv")
    return _CHOICES.get(key, ())


def _where_accounts_are(desk: Desk) -> str:
    """How a person finds an AccountId where the catalogue has no paymaster account."""
    if has_catalogue(desk.settings.mappings):
        return " (Mews has no account of classification PaymasterAccount that preflight found: make one, run preflight, and it is listed)"
    return " (with tokens, preflight lists the paymaster accounts)"


def _candidates(desk: Desk, cause: Cause, rule: TaxRule | None, effect: Effect, known: Knowledge) -> tuple[str, ...]:
    if cause.file == "values.csv":
        return meanings_of(cause.field, cause.subject)
    if cause.file in _NAMED_IN:
        return stored_names(desk.settings.mappings, _NAMED_IN[cause.file])
    world = _tax_world(desk, known)
    if rule is None or not _has_codes(cause, rule) or world is None:
        return ()
    first, last = _span(effect.months)
    start, end = rule.valid_from or first, rule.valid_before or last
    if rule.rate is not RateKind.PERCENT:
        return codes_valid(world, start, end)
    found = tax_candidates(world, country=rule.country, percent=rule.percent, start=start, end=end)
    return (*found.whole, *(f"{code}{NOT_ALWAYS}" for code in found.partly))


def _has_codes(cause: Cause, rule: TaxRule | None) -> bool:
    """Whether the cell is one of tax codes."""
    return rule is not None and cause.code in _TAX_CELLS


def _tax_world(desk: Desk, known: Knowledge) -> Reference | StoredRates | None:
    """The codes that Mews has, as they were read last; None where it was never asked."""
    zone = known.mapping.settings.source.timezone
    return known.reference or stored_rates(desk.settings.mappings, zone)


def _shown(candidates: tuple[str, ...], cause: Cause) -> str:
    if not candidates:
        return ""
    joint = " " if cause.file == "taxes.csv" else ", "
    more = f" and {len(candidates) - _SHOWN} more" if len(candidates) > _SHOWN else ""
    return f" (candidates {joint.join(candidates[:_SHOWN])}{more})"


def _ids(candidates: Iterable[str]) -> tuple[str, ...]:
    """What is to be written: of `Web shop (5e00..)` the Id, of a code its name."""
    return tuple(found[1] if (found := _PLAIN_ID.search(one)) else one.removesuffix(NOT_ALWAYS) for one in candidates)


def _subject(cause: Cause, rule: TaxRule | None) -> str:
    if rule is None:
        named = f"{cause.field} {cause.subject}" if cause.file == "values.csv" else cause.subject
        return named.strip()
    return tax_subject(rule)


def _years(months: Iterable[str]) -> str:
    years = sorted({month[:4] for month in months})
    return years[0] if len(years) == 1 else f"{years[0]} to {years[-1]}" if years else ""


def _span(months: Iterable[str]) -> tuple[date | None, date | None]:
    """First day of the first month, and of the month after the last."""
    known = sorted(months)
    if not known:
        return None, None
    end = date.fromisoformat(f"{known[-1]}-01") + timedelta(days=32)
    return date.fromisoformat(f"{known[0]}-01"), end.replace(day=1)
