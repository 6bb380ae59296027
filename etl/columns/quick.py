"""What the fast lane gives of an order: its part of the plan id, and what is reported of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from etl.model.plan import Verdict
from etl.model.problem import Problem

Paid = tuple[str, str, int]
"""Part, type or name, amount in smallest units: as `OrderStatus.paid`."""

Booked = tuple[int, int, bool]
"""Net and gross in smallest units, and whether any of it carries a tax code."""

Shown = tuple[str, str, int, int, tuple[str, ...], int, int, str]
"""Line, name, count, unit and codes of an entry, its predicted net (where its unit is one: gross), the row of the export (0 for
none), the mapping's rule."""


class Report(NamedTuple):
    """What is reported of an order, in plain values that are stored quickly: amounts in units of 10**-precision.

    `total`: of the source, with tax, or without where it has its prices so (`is_net`); the plan has less of it by `rounding`, of conversion. `consumption`: ISO, UTC. `taxes` by tax-code set and `categories` by
    AccountingCategoryId, each in the order in which the entries have them. `paid`: its payments, those of a bill (`is_bill`) as
    items of it.
    """

    number: str
    currency: str
    precision: int
    total: int
    account_id: str
    consumption: str
    month: str
    line_count: int
    taxes: tuple[tuple[tuple[str, ...], Booked], ...]
    categories: tuple[tuple[str, Booked], ...]
    unproved: tuple[str, ...]
    paid: tuple[Paid, ...] = ()
    is_bill: bool = False
    rounding: int = 0
    is_net: bool = False

    @property
    def gross(self) -> int:
        """What is booked of it, with tax."""
        return sum([gross for _, (_, gross, _) in self.taxes])


class Quick(NamedTuple):
    """A ready order that is blocked by nothing.

    `line`: as `plan.plan_line` gives it. `signature`: what orders have in common that are decided by the same rules; of
    each the first is planned both ways. `problems`: what is told of the order all the same.
    `is_footed_with_shipping`: it has shipping, and a stated total that agrees. `beside`: where it was asked for.
    """

    line: bytes
    report: Report
    signature: tuple[Any, ...]
    problems: tuple[Problem, ...] = ()
    is_footed_with_shipping: bool = False
    beside: Beside | None = None

    @property
    def number(self) -> str:
        """Its number."""
        return self.report.number

    @property
    def consumption(self) -> str:
        """ISO, UTC."""
        return self.report.consumption


class Beside(NamedTuple):
    """What a person is shown of the entries beside what the plan line says of them, entry by entry as they stand there.

    `nets`: predicted, in smallest units. `rows`: of the export, 0 where none stands for it. `rules`: the row of the mapping
    that decided on the taxes, "" beside the goods. `names`: of products, which are sent without one; "" for items.
    """

    nets: list[int]
    rows: list[int]
    rules: list[str]
    names: list[str]


class Held(NamedTuple):
    """An order that is not sent: one that is skipped, or blocked by a problem. `line` and `signature` as of a `Quick`.

    `total`: of the source, in units of 10**-precision, with tax, or without where it has its prices so (`is_net`); `stated`:
    then its orderTotal, where it has one. `consumption`: ISO, UTC; "" of a skipped order. `has_shipping`: whether anything is
    said of its shipping. `is_old`: it was consumed before the editable window.
    """

    number: str
    line: bytes
    signature: tuple[Any, ...]
    currency: str
    precision: int
    total: int
    consumption: str
    month: str
    line_count: int
    skip_reason: str
    problems: tuple[Problem, ...]
    has_shipping: bool
    is_bill: bool = False
    is_old: bool = False
    is_net: bool = False
    stated: int | None = None

    @property
    def verdict(self) -> Verdict:
        """Skipped or blocked."""
        return Verdict.SKIPPED if self.skip_reason else Verdict.BLOCKED
