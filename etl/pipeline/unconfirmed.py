"""Rows of columns.csv and values.csv that nobody has confirmed: a dry run names them first, a run refuses them.

Rule: design section 3a.
"""

from __future__ import annotations

from typing import Any

from etl.errors import MappingError
from etl.model.mapping import ColumnRule, Mapping, ValueRule
from etl.staging.facts import BatchFacts

SHOWN = 10


def likely_rows(mapping: Mapping, facts: BatchFacts) -> list[dict[str, Any]]:
    """Each likely row with its place, what it says, and samples of what it is applied to."""
    samples = {header: cells for file in facts.files for header, cells in file.samples}
    return [
        {
            "place": str(rule.place),
            "says": _said(rule),
            "samples": list(samples.get(rule.header, ()) if isinstance(rule, ColumnRule) else (rule.value,)),
        }
        for rule in mapping.likely
    ]


def _said(rule: ColumnRule | ValueRule) -> str:
    if isinstance(rule, ColumnRule):
        return f"{rule.header} holds {rule.field}" if rule.field != "-" else f"{rule.header} is not migrated"
    return f"{rule.field} {rule.value or '(empty)'} means {rule.means}"


def refuse_unconfirmed(mapping: Mapping) -> None:
    """Raises MappingError that lists the likely rows: real accounts need a person's word for each."""
    rows = mapping.likely
    if not rows:
        return
    listed = [f"  {rule.place}: {_said(rule)}" for rule in rows[:SHOWN]]
    if len(rows) > SHOWN:
        listed.append(f"  and {len(rows) - SHOWN} more")
    count = f"{len(rows)} rows are" if len(rows) != 1 else "1 row is"
    raise MappingError(
        "\n".join([f"{count} likely, and nobody has confirmed them. Nothing was sent.", *listed]),
        code="mapping.unconfirmed",
        place=str(rows[0].place),
        hint="Look at the samples in `centra-mews dry-run`, then write yes into the column sure of each row that is right.",
    )
