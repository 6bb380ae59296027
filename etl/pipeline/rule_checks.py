"""What the rows and keys of the mapping say of themselves against Mews, in the words that block an order. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from etl.model.mapping import SECTIONS, Mapping
from etl.model.problem import Problem
from etl.model.reference import Reference
from etl.model.route import Route
from etl.model.rules import UNDECIDED
from etl.pipeline.check import Check, Result

SHOWN = 10
"""Faults that are shown of one subject."""


class _Rule(Protocol):
    """Whatever of the mapping names something in Mews."""

    def check(self, reference: Reference, /) -> Iterator[Problem]:
        """What is wrong with it."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is checked together. `file` is the table whose rows may be undecided, `fill` how to decide them."""

    what: str
    rules: Sequence[_Rule]
    correct: str
    file: str = ""
    fill: str = ""


def _subjects(mapping: Mapping) -> Iterator[_Subject]:
    """All rules of the mapping, in the order in which a person would look."""

    def table(what: str, rules: Sequence[_Rule], file: str, column: str, correct: str = "") -> _Subject:
        fill = f"Fill in {column}, or remove the rows."
        return _Subject(what, rules, correct or f"Correct {file}.", file, fill)

    # An outlet bill has no links and no types of payments, and names an account only where it is told to.
    is_outlet = mapping.settings.route is Route.OUTLET
    accounts: list[_Rule] = [*mapping.accounts.values(), *([mapping.fallback] if mapping.fallback else [])]
    taxes: list[_Rule] = [*mapping.taxes, *mapping.shipping_taxes]
    types: list[_Rule] = [*mapping.payments, *mapping.payment_types]
    correct = "Correct products.csv, or activate the product in Mews."
    yield table("products", list(mapping.products.values()), "products.csv", "product", correct)
    files = "migration.toml, categories.csv and payments.csv" if is_outlet else "migration.toml and categories.csv"
    yield table(
        "accounting categories", _categories(mapping), "categories.csv", "accounting_category", f"Correct {files}."
    )
    yield table("vouchers", mapping.vouchers, "vouchers.csv", "policy")
    if not is_outlet:
        yield table("business segments", list(mapping.segments.values()), "segments.csv", "business_segment")
        yield table("bills", list(mapping.bills.values()), "bills.csv", "bill")
        yield table("linked reservations", list(mapping.reservations.values()), "reservations.csv", "reservation")
    if mapping.settings.names_accounts:
        yield table("accounts", accounts, "accounts.csv", "account", "Correct accounts.csv and accounts.fallback.")
    fill = "Fill in tax_codes, or write exempt."
    yield _Subject("tax codes", taxes, "Correct taxes.csv (or shipping.tax).", "taxes.csv", fill)
    if not is_outlet:
        yield table("payment types", types, "payments.csv", "type", "Enable the type in Mews, or map it to another.")


def _categories(mapping: Mapping) -> Sequence[_Rule]:
    """The accounting categories that are named; on an outlet bill payments have one too."""
    own = [one for section in SECTIONS if (one := mapping.default_category(section)).target]
    if mapping.settings.route is Route.OUTLET:
        balance = mapping.balance_category
        own += [balance] if balance.target else []
        own += [rule.category for rule in mapping.payments if rule.accounting_category]
    return [*own, *mapping.categories]


def rule_checks(mapping: Mapping, reference: Reference) -> Iterator[Check]:
    """Every rule of the mapping, whether an order needs it or not."""
    for subject in _subjects(mapping):
        problems = [problem for rule in subject.rules for problem in rule.check(reference)]
        undecided = sum(problem.code.endswith(UNDECIDED) for problem in problems)
        faults = [problem.message for problem in problems if not problem.code.endswith(UNDECIDED)]
        yield _found(subject.what, len(subject.rules) - undecided, list(dict.fromkeys(faults)), subject.correct)
        if undecided:
            detail = (
                f"{undecided} row{'s' * (undecided > 1)} of {subject.file} {'are' if undecided > 1 else 'is'} undecided"
            )
            yield Check(subject.what, Result.WARNING, detail, subject.fill)
    yield from _missing(mapping, reference)


def _found(what: str, count: int, faults: list[str], next_step: str) -> Check:
    if faults:
        more = f" And {len(faults) - SHOWN} more." if len(faults) > SHOWN else ""
        return Check(what, Result.ERROR, " ".join(faults[:SHOWN]) + more, next_step)
    return Check(what, Result.OK, f"{count} named, all usable" if count else "none named")


def _missing(mapping: Mapping, reference: Reference) -> Iterator[Check]:
    """What no rule says and somebody should know."""
    is_outlet = mapping.settings.route is Route.OUTLET
    if not mapping.settings.products.accounting_category and not is_outlet:
        yield Check(
            "accounting categories",
            Result.WARNING,
            'items without one land under "None" in the accounting report, and products has no default',
            "Set products.accounting_category (and that of shipping and vouchers) in migration.toml.",
        )
    segments = [found for rule in mapping.segments.values() if (found := rule.segment(reference))]
    others = [one.name for one in segments if one.service_id.lower() not in ("", reference.service.id.lower())]
    if others and not is_outlet:
        yield Check(
            "business segments",
            Result.UNPROVED,
            f"{', '.join(sorted(set(others)))} belong to another service; Mews does not tell whether it takes them here",
            "Post one order of that market first (--only).",
        )
    if mapping.fallback is None and mapping.settings.names_accounts:
        yield Check(
            "fallback account",
            Result.WARNING,
            "there is none: orders without a row are blocked",
            "Set accounts.fallback to a paymaster account if that is not meant.",
        )
