"""Whether the whole history can be booked, and by which route: told before anything is sent. Pure.

Rule: design sections 5 (editable window) and 9: no window is documented for outlet bills.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from etl.model.catalogue import Catalogue
from etl.model.mapping import Mapping as MigrationMapping
from etl.model.reference import Reference
from etl.model.route import Route
from etl.pipeline.planning import PlanFacts
from etl.transform.consumption import Intervals, local_day, window_start

_DURATION = re.compile(
    r"P(?:([0-9.]+)Y)?(?:([0-9.]+)M)?(?:([0-9.]+)W)?(?:([0-9.]+)D)?(?:T(?:([0-9.]+)H)?(?:([0-9.]+)M)?(?:([0-9.]+)S)?)?"
)
_UNITS = ("year", "month", "week", "day", "hour", "minute", "second")


def history_told(catalogue: Catalogue, days: Mapping[date, int]) -> str:
    """What `init` says of a history that the route orders can't book, by the days of its orders; "" for nothing.

    The shorter interval is taken to bind, as by default.
    """
    if catalogue.now is None or not (catalogue.accounting_interval and catalogue.operational_interval):
        return ""
    start = window_start(catalogue, "shorter", catalogue.now)
    older = sum(count for day, count in days.items() if day < local_day(start, catalogue.timezone))
    window = duration_words(_binding(catalogue, "shorter", catalogue.now))
    return _told(older, sum(days.values()), Route.ORDERS, window)


def feasibility(plan: PlanFacts, mapping: MigrationMapping, reference: Reference) -> dict[str, Any]:
    """`feasibility` of the `--json` document; `told` says it in a sentence, "" where there is nothing to say."""
    window, older = duration_words(binding_interval(mapping, reference)), plan.outside_window
    return {
        "at_their_own_date": plan.inside_window,
        "older_than_the_editable_window": older,
        "bookable_from_utc": plan.earliest.isoformat() if plan.earliest else None,
        "route": mapping.settings.route.value,
        "window": window,
        "told": _told(older, plan.inside_window + older, mapping.settings.route, window),
    }


def binding_interval(mapping: MigrationMapping, reference: Reference) -> str:
    """The ISO 8601 duration of the editable window that is taken to bind."""
    return _binding(reference, mapping.settings.target.editable_window, reference.now)


def _binding(enterprise: Intervals, which: str, now: datetime) -> str:
    intervals = {"accounting": enterprise.accounting_interval, "operational": enterprise.operational_interval}
    if which != "shorter":
        return intervals[which]
    return intervals[max(intervals, key=lambda one: window_start(enterprise, one, now))]


def duration_words(interval: str) -> str:
    """`7 days` of `P0M7DT0H0M0S`; the text itself where it is no such duration."""
    match = _DURATION.fullmatch(interval)
    if match is None:
        return interval
    counts = [(count, unit) for count, unit in zip(match.groups(), _UNITS, strict=True) if count and float(count)]
    return " ".join(f"{count} {unit}{'' if count == '1' else 's'}" for count, unit in counts) or "nothing"


def _told(older: int, total: int, route: Route, window: str) -> str:
    if not older:
        return ""
    if route is Route.OUTLET:
        return (
            f"{older:,} of {total:,} orders are older than the editable window ({window}). None is documented for outlet bills: "
            "they keep their own dates, and the run sends one of them first, alone."
        )
    return (
        f"This history can't be booked by orders/add at its own dates (window of {window}): {older:,} of {total:,} orders are "
        f'older. The outlet route can: all {total:,}, at their own dates (target.route = "outlet").'
    )
