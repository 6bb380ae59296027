"""Staged orders to the plan of a batch: one decision over the whole file, then order by order.

dry-run and run share every line of this module.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from urllib.parse import urlsplit

from etl.mapping.lookup import TaxTable, find_glob, find_payment, find_voucher
from etl.model.mapping import Mapping
from etl.model.plan import PlannedOrder, Verdict, plan_line
from etl.model.reference import Reference
from etl.pipeline.plan_store import PlanStore
from etl.staging.batch import Batch
from etl.transform.arithmetic import Arithmetic
from etl.transform.consumption import window_at, window_start
from etl.transform.context import Context, Footing, Lookups, waivers_of
from etl.transform.order import footings, plan_order

PUBLIC_DEMO_HOST = "api.mews-demo.com"

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Span:
    """The local order dates that a command is narrowed to; `end` exclusive."""

    start: date | None = None
    end: date | None = None


@dataclass(slots=True)
class PlanFacts:
    """What is known of the plan as a whole. `earliest`: from which consumption on Mews takes orders."""

    plan: str = ""
    footing: Footing | None = None
    footing_votes: dict[str, int] = field(default_factory=dict)
    earliest: datetime | None = None
    inside_window: int = 0
    outside_window: int = 0


def make_context(mapping: Mapping, reference: Reference, *, now: datetime, orders: int) -> Context:
    """The rules' surroundings at `now` (Mews's clock) for a batch of about `orders` orders."""
    count, seconds = mapping.settings.mews.limit
    run_seconds = Decimal(orders) * seconds / count
    return Context(
        mapping,
        reference,
        Lookups(TaxTable(mapping.taxes), find_glob, find_voucher, find_payment),
        window_at(reference, mapping.settings, now, run_seconds),
        Arithmetic(reference),
        waivers=waivers_of(mapping),
        is_public_demo=urlsplit(reference.platform).hostname == PUBLIC_DEMO_HOST,
    )


def earliest_consumption(mapping: Mapping, reference: Reference) -> Callable[[datetime], datetime]:
    """Mews's now to the earliest consumption that it takes then."""
    return lambda now: window_start(reference, mapping.settings.target.editable_window, now)


def plan_batch(
    batch: Batch, ctx: Context, store: PlanStore, *, span: Span, has_tax_modes: bool, expected: int, progress: Progress
) -> PlanFacts:
    """Plans every order of the batch into `store` and gives the plan id.

    `expected` orders are shown as the end of the progress. `has_tax_modes`: orders may carry a basis of their own (get-orders). The way in which orderTotal of orders without tax foots is decided over the whole batch first.
    """
    facts = PlanFacts(earliest=ctx.window.start)
    facts.footing, facts.footing_votes = _decide_footing(batch, ctx, span, has_tax_modes=has_tax_modes)
    if facts.footing:
        ctx = replace(ctx, footing=facts.footing)
    digest = hashlib.sha256()

    def planned() -> Iterator[PlannedOrder]:
        parent = ("", Verdict.READY)
        for count, order in enumerate(batch.orders(start=span.start, end=span.end), 1):
            verdict = parent[1] if order.parent and order.parent == parent[0] else None
            result = plan_order(order, ctx, verdict)
            if not order.parent:
                parent = (order.number, result.verdict)
            digest.update(plan_line(result, ctx.mapping.settings.source.store))
            _count_window(result, ctx, facts)
            if count % 1000 == 0:
                progress("transform", count, expected)
            yield result

    store.fill(planned())
    facts.plan = "sha256:" + digest.hexdigest()
    return facts


def _count_window(order: PlannedOrder, ctx: Context, facts: PlanFacts) -> None:
    if order.verdict is Verdict.SKIPPED or order.true_consumption is None:
        return
    if order.true_consumption >= ctx.window.start:
        facts.inside_window += 1
    else:
        facts.outside_window += 1


def _decide_footing(
    batch: Batch, ctx: Context, span: Span, *, has_tax_modes: bool
) -> tuple[Footing | None, dict[str, int]]:
    """The footing that most orders without tax prove; None where there is no such order."""
    votes: Counter[Footing] = Counter()
    if ctx.mapping.settings.source.prices_include_tax is True and not has_tax_modes:
        return None, {}
    for order in batch.orders(start=span.start, end=span.end):
        votes.update(footings(order, ctx))
    if not votes:
        return None, {}
    ranking = list(Footing)
    best = max(votes, key=lambda footing: (votes[footing], -ranking.index(footing)))
    return best, {footing.value: votes[footing] for footing in ranking}
