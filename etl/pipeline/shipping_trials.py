"""Which setting of `shipping.tax` the export's own sums of tax and totals agree with, found by planning orders again. Pure.

Rule: design section 5. Nothing here decides: the hint of a problem names the setting, a person writes it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from etl.model.mapping import SHIPPING_WORDS
from etl.model.order import Order
from etl.model.plan import PlannedOrder, Verdict
from etl.transform.context import Context
from etl.transform.order import plan_order

WATCHED = frozenset({"tax.total_differs", "total.mismatch"})
"""What another tax of the shipping may clear."""
_TRIED = 500
"""So many orders of either kind are planned again at most."""
_CODES = 12


@dataclass(slots=True)
class ShippingTrials:
    """Plans orders with shipping again under each setting that the mapping does not have.

    `odd`: orders whose sums disagree, and `plain` those that agree, among the first of either kind; `clears` and
    `spoils`: how many of each change sides under a setting.
    """

    ctx: Context
    odd: int = 0
    plain: int = 0
    clears: Counter[str] = field(default_factory=Counter)
    spoils: Counter[str] = field(default_factory=Counter)
    _held: list[Order] = field(default_factory=list)
    _others: dict[str, Context] = field(default_factory=dict)

    def add(self, order: Order, planned: PlannedOrder) -> None:
        """Looks at an order as it was planned."""
        if not order.shipping or planned.verdict is Verdict.SKIPPED or order.parent:
            return
        if _disagrees(planned):
            if self.odd < _TRIED:
                self.odd += 1
                self._try(order, planned, self.clears, is_odd=True)
                self._look_at_plain()
        elif planned.verdict is Verdict.READY and (order.tax_total is not None or order.order_total is not None):
            if self.odd and self.plain < _TRIED:
                self._held.append(order)
                self._look_at_plain()
            elif len(self._held) < _TRIED:
                self._held.append(order)

    def document(self) -> dict[str, Any] | None:
        """The settings that clear most orders, best first; None where no order disagrees or none clears any."""
        found = [
            {"setting": name, "clears": count, "spoils": self.spoils[name]}
            for name, count in self.clears.most_common()
            if count > self.spoils[name]
        ]
        return {"orders": self.odd, "others": self.plain, "settings": found} if found else None

    def hint(self) -> str:
        """The best setting in words, "" for none."""
        found = self.document()
        if found is None:
            return ""
        best = max(found["settings"], key=lambda one: one["clears"] - one["spoils"])
        text = f'{best["clears"]:,} of {self.odd:,} agree with shipping.tax = "{best["setting"]}" in migration.toml'
        if best["spoils"]:
            return f"{text}, but {best['spoils']:,} of {self.plain:,} others no longer do."
        return f"{text}, and so do all {self.plain:,} others that were tried." if self.plain else f"{text}."

    def _look_at_plain(self) -> None:
        """What agrees as it is must not be spoiled: tried as soon as one order disagrees."""
        for order in self._held[: _TRIED - self.plain]:
            self.plain += 1
            self._try(order, None, self.spoils, is_odd=False)
        self._held.clear()

    def _try(self, order: Order, planned: PlannedOrder | None, counts: Counter[str], *, is_odd: bool) -> None:
        for name, ctx in self._settings().items():
            result = plan_order(order, ctx)
            disagrees = _disagrees(result) or not _no_worse(result, planned)
            counts[name] += disagrees is not is_odd

    def _settings(self) -> dict[str, Context]:
        if not self._others:
            mapping = self.ctx.mapping
            codes = dict.fromkeys(
                rule.tax_codes[0] for rule in mapping.taxes if rule.tax_codes and len(rule.tax_codes) == 1
            )
            for name in (*SHIPPING_WORDS, *list(codes)[:_CODES]):
                if name != mapping.settings.shipping.tax:
                    shipping = mapping.settings.shipping.model_copy(update={"tax": name})
                    settings = mapping.settings.model_copy(update={"shipping": shipping})
                    self._others[name] = replace(self.ctx, mapping=replace(mapping, settings=settings))
        return self._others


def _disagrees(planned: PlannedOrder) -> bool:
    return any(problem.code in WATCHED for problem in planned.problems)


def _no_worse(result: PlannedOrder, before: PlannedOrder | None) -> bool:
    """Whether nothing blocks the order that did not before."""
    known = WATCHED.union(before.codes if before is not None else ())
    return all(problem.code in known for problem in result.problems if problem.is_error)
