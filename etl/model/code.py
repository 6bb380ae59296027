"""What a problem code is: its title, hint and origin. The codes are in `etl.model.codes`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """Where the cause lies."""

    SOURCE = "source"
    MAPPING = "mapping"
    MEWS = "mews"
    LEDGER = "ledger"


@dataclass(frozen=True, slots=True)
class Code:
    """One problem code. `can_waive`: a person may accept it in waivers.csv (Mews would still take the order).

    `can_accept`: a person may accept there that the order stays as it is; nothing is sent, `reconcile` counts it as done.
    """

    code: str
    title: str
    hint: str
    origin: Origin
    can_waive: bool = False
    can_accept: bool = False
