"""Which setting of `shipping.tax` the export's own sums of tax and totals agree with, found by planning orders again. Pure.

Rule: design section 5. Nothing here decides: the hint of a problem names the setting, a person writes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from etl.model.mapping import SHIPPING_WORDS
from etl.model.order import Order
from etl.model.plan import Basis, PlannedOrder, Verdict
from etl.model.reference import Pricing
from etl.transform.context import Context
from etl.transform.order import plan_order

WATCHED = frozenset({"tax.total_differs", "total.mismatch"})
"""What another tax of the shipping may clear."""
_TRIED = 500
"""So many orders of either kind are planned again at most."""
_CODES = 12


Named = Callable[[Sequence[str]], Iterable[Order]]
"""Numbers to the orders as they are read."""


def _nobody(_: Sequence[str]) -> Iterable[Order]:
    """Stands for reading where no order is known by its number only."""
    return ()


@dataclass(slots=True)
class ShippingTrials:
    """Plans orders with shipping again under each setting that the mapping does not have, once somebody asks.

    `odd`: orders whose sums disagree, and `plain` those that agree, among the first of either kind; `clears` and
    `spoils`: how many of each change sides under a setting. `named` reads orders that are known by number only.
    """

    ctx: Context
    named: Named = field(default=_nobody, repr=False)
    odd: int = 0
    plain: int = 0
    clears: Counter[str] = field(default_factory=Counter)
    spoils: Counter[str] = field(default_factory=Counter)
    _odd: list[tuple[Order, PlannedOrder] | None] = field(default_factory=list)
    _plain: list[Order | str] = field(default_factory=list)
    _others: dict[str, Context] = field(default_factory=dict)
    _is_tried: bool = False

    def add(self, order: Order, planned: PlannedOrder) -> None:
        """Looks at an order as it was planned."""
        if not order.shipping or planned.verdict is Verdict.SKIPPED or order.parent:
            return
        if _disagrees(planned):
            if len(self._odd) < _TRIED:
                self._odd.append((order, planned))
        elif planned.verdict is Verdict.READY and (order.tax_total is not None or order.order_total is not None):
            self._keep(order)

    def add_plain(self, numbers: Sequence[str]) -> None:
        """Takes note of orders with shipping, ready as they are, whose totals agree."""
        self._plain.extend(numbers[: max(0, _TRIED - len(self._plain))])

    def add_odd(self) -> None:
        """Takes note of an order with shipping whose total disagrees under each setting."""
        if len(self._odd) < _TRIED:
            self._odd.append(None)

    def _keep(self, order: Order | str) -> None:
        if len(self._plain) < _TRIED:
            self._plain.append(order)

    def document(self) -> dict[str, Any] | None:
        """The settings that clear most orders, best first; None where no order disagrees or none clears any."""
        self._try_all()
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

    def _try_all(self) -> None:
        """Tries each setting on what disagrees; one that clears any of it must not spoil what agrees as it is."""
        if self._is_tried:
            return
        self._is_tried, self.odd = True, len(self._odd)
        settings = self._settings() if self._odd else {}
        for order, planned in filter(None, self._odd):
            for name, ctx in settings.items() if self._may_depend(planned) else ():
                result = plan_order(order, ctx)
                self.clears[name] += not _disagrees(result) and _no_worse(result, planned)
        self.plain = len(self._plain) if self._odd else 0
        helping = {name: ctx for name, ctx in settings.items() if self.clears[name]}
        for order in self._agreeing() if helping else ():
            for name, ctx in helping.items():
                result = plan_order(order, ctx)
                self.spoils[name] += _disagrees(result) or not _no_worse(result, None)
        self._odd.clear()
        self._plain.clear()

    def _may_depend(self, planned: PlannedOrder) -> bool:
        """Whether the tax of the shipping can have to do with it: a total with tax, sent with tax, is the same under each."""
        is_total = WATCHED.intersection(planned.codes) == {"total.mismatch"}
        is_as_sold = planned.basis is Basis.GROSS and self.ctx.reference.pricing == Pricing.GROSS
        return not (is_total and is_as_sold)

    def _agreeing(self) -> Iterator[Order]:
        yield from (one for one in self._plain if isinstance(one, Order))
        numbers = [one for one in self._plain if isinstance(one, str)]
        yield from (one for one in self.named(numbers) if not one.parent)

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
