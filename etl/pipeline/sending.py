"""What `run` and `undo` hand to the load stage: how Mews is reached, and the facts of the run."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from etl.errors import InternalError
from etl.load.bill_poster import BillPoster
from etl.load.poster import Poster
from etl.load.session import Reach, RunFacts
from etl.model.mapping import Mapping
from etl.model.plan import Basis
from etl.model.reference import Pricing, Reference
from etl.model.route import Route
from etl.pipeline.connect import Link
from etl.pipeline.planning import earliest_consumption
from etl.waiting import SETTLING, WAITS

_EVER = datetime.min.replace(tzinfo=UTC)


def poster_of(facts: RunFacts) -> type[Poster]:
    """Who posts on the route of a run."""
    return BillPoster if facts.is_outlet else Poster


def reach_of(link: Link) -> Reach:
    """How Mews is reached. Raises InternalError for a connection that can't write."""
    if link.writer is None:
        raise InternalError("this connection can't write")
    return Reach(
        writer=link.writer,
        reader=link.reader,
        limiter=link.limiter,
        clock=link.clock,
        sleep=WAITS.sleep(SETTLING),
        rng=random.Random(),  # noqa: S311 - jitter, no secret
        people=link.reader,
        bills=link.reader.bills,
    )


def run_facts(run_id: str, mapping: Mapping, reference: Reference) -> RunFacts:
    """The facts of one run on this property."""
    settings = mapping.settings
    is_outlet = settings.route is Route.OUTLET
    return RunFacts(
        run_id=run_id,
        store=settings.source.store,
        service_id=reference.place.id,
        basis=Basis.GROSS if reference.pricing is Pricing.GROSS else Basis.NET,
        settle=timedelta(seconds=float(settings.mews.settle_seconds)),
        concurrency=settings.mews.concurrency,
        # Nothing is said of the age of outlet bills: those older than the window are a kind of their own.
        window_start=(lambda _now: _EVER) if is_outlet else earliest_consumption(mapping, reference),
        bills_per_request=settings.outlet.bills_per_request if is_outlet else 0,
    )
