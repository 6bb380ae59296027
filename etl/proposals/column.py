"""What is proposed for one column of a dump."""

from __future__ import annotations

from dataclasses import dataclass

from etl.model.mapping import Sure


@dataclass(frozen=True, slots=True)
class ColumnProposal:
    """What a column is: `field` "" and `sure` None where it is open, with the fields that it may be."""

    header: str
    field: str = ""
    sure: Sure | None = None
    evidence: str = ""
    candidates: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
