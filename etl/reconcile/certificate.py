"""The certificate: what was compared, with what result, from which sources; to be signed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from etl.model.mapping import Waiver
from etl.model.route import Route
from etl.model.words import counted, moment_words
from etl.reconcile.totals import TotalRow
from etl.reconcile.values import Klass

ROLES = ("Prepared by", "Reviewed by")
_AS_SENT = "with the amounts, taxes, dates and accounts that were sent."


@dataclass(frozen=True, slots=True)
class RunFact:
    """One run that posted: its plan, and the hashes of what it was made from. `sources`: file name -> hash."""

    run_id: str
    command: str
    plan_id: str
    started: str
    sources: Mapping[str, Any]
    mapping: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """Everything that the signatures stand for. `generated` is Mews's time of the read-back, aware UTC."""

    generated: datetime
    enterprise: str
    enterprise_id: str
    service: str
    store: str
    platform: str
    mapping: str
    runs: tuple[RunFact, ...]
    counts: Mapping[Klass, int]
    sums: Mapping[str, TotalRow]
    source_orders: int
    accepted: int
    reasons: tuple[str, ...]
    narrowed: str
    not_posted: int
    control_differences: int
    rounded_orders: int
    foreign_orders: int
    waivers: tuple[Waiver, ...]
    route: Route = Route.ORDERS
    """What `service` names: a service, or an outlet."""
    payments: tuple[tuple[str, str], ...] = ()
    """What Mews holds of payments: kind, and amounts with their currencies."""
    assumed: str = ""
    """Amounts of payments that no source records, only what was left of their bills; "" for none."""

    @property
    def is_clean(self) -> bool:
        """Whether every order of the source stands in Mews as planned, or was accepted by name."""
        return not self.reasons

    @property
    def statement(self) -> str:
        """What is certified, in words."""
        parts = [self._verdict]
        if self.narrowed:
            parts.append(self.narrowed)
        if self.rounded_orders:
            parts.append(
                f"In {counted(self.rounded_orders, 'order|orders')} Mews rounds the last digit of a tax in another way."
            )
        if self.assumed:
            parts.append(
                f"Payments of {self.assumed} are assumed: what was left of their bills, recorded in no source."
            )
        if self.waivers:
            parts.append(f"{counted(len(self.waivers), 'problem|problems is|are')} accepted by name in waivers.csv.")
        return " ".join(parts)

    @property
    def _verdict(self) -> str:
        matched = self.counts[Klass.MATCHED]
        agreeing = counted(matched, f"order|orders stands|stand in Mews exactly once, {_AS_SENT}")
        if self.reasons:
            return f"Not complete: {'; '.join(self.reasons)}. {agreeing}"
        ways = ["stands in Mews as planned", "is skipped by a rule"]
        ways += [f"is among the {self.accepted:,} accepted by name"] if self.accepted else []
        listed = f"{', '.join(ways[:-1])}{',' * (len(ways) > 2)} or {ways[-1]}"
        return f"Complete: each of the {self.source_orders:,} orders of the source {listed}. {agreeing}"

    def document(self) -> dict[str, Any]:
        """The certificate as data."""
        return {
            "statement": self.statement,
            "is_clean": self.is_clean,
            "read_back_utc": self.generated.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "enterprise": self.enterprise,
            "enterprise_id": self.enterprise_id,
            "route": self.route.value,
            "service": self.service if self.route is Route.ORDERS else "",
            "outlet": self.service if self.route is Route.OUTLET else "",
            "payments": [{"kind": kind, "amounts": amounts} for kind, amounts in self.payments],
            "assumed_payments": self.assumed,
            "store": self.store,
            "platform": self.platform,
            "plans": list(dict.fromkeys(run.plan_id for run in self.runs if run.plan_id)),
            "mapping": self.mapping,
            "runs": [
                {
                    "run_id": run.run_id,
                    "command": run.command,
                    "plan": run.plan_id,
                    "started": run.started,
                    "sources": dict(run.sources),
                    "mapping": run.mapping,
                }
                for run in self.runs
            ],
            "orders": {klass.value: count for klass, count in self.counts.items()},
            "reasons": list(self.reasons),
            "source_orders": self.source_orders,
            "accepted": self.accepted,
            "not_posted": self.not_posted,
            "rounded_orders": self.rounded_orders,
            "foreign_orders": self.foreign_orders,
            "sums": [{"currency": currency, **total_document(row)} for currency, row in self.sums.items()],
            "control_differences": self.control_differences,
            "waivers": [
                {
                    "order": waiver.order_number,
                    "code": waiver.problem_code,
                    "reason": waiver.reason,
                    "by": waiver.by,
                    "date": waiver.date,
                }
                for waiver in self.waivers
            ],
            "signatures": [{"role": role, "name": "", "date": "", "signature": ""} for role in ROLES],
        }

    def tables(self) -> list[tuple[str, Sequence[str], list[Sequence[str | int | Decimal]], str]]:
        """The certificate for people: title, columns, rows, text of each table; the signature lines last."""
        facts: list[Sequence[str | int | Decimal]] = [
            ("Enterprise", f"{self.enterprise} ({self.enterprise_id})"),
            ("Route", self.route.value),
            (self.route.place.capitalize(), self.service),
            ("Store", self.store),
            ("Platform", self.platform),
            ("Read back (Mews's time)", self.generated.strftime("%Y-%m-%d %H:%M:%S UTC")),
            ("Mapping now", self.mapping),
            *((f"Orders {klass.value}", str(count)) for klass, count in self.counts.items()),
            (self.route.others.capitalize(), str(self.foreign_orders)),
            *((f"Payments in Mews: {kind}", amounts) for kind, amounts in self.payments),
        ]
        sums: list[Sequence[str | int | Decimal]] = [
            (
                currency,
                name,
                getattr(row.ledger, name),
                getattr(row.mews, name),
                getattr(row.mews, name) - getattr(row.ledger, name),
            )
            for currency, row in self.sums.items()
            for name in ("net", "tax", "gross")
        ]
        runs: list[Sequence[str | int | Decimal]] = [
            (
                run.run_id,
                run.command,
                moment_words(run.started),
                run.plan_id,
                " ".join(f"{name} {digest}" for name, digest in run.sources.items()),
                run.mapping,
            )
            for run in self.runs
        ]
        waivers: list[Sequence[str | int | Decimal]] = [
            (one.order_number, one.problem_code, one.reason, one.by, one.date) for one in self.waivers
        ]
        return [
            ("Certificate", ("What", "Value"), facts, self.statement),
            ("Sums of both sides", ("Currency", "Amount", "Ledger", "Mews", "Difference"), sums, ""),
            ("Runs, plans and sources", ("Run", "Command", "Started", "Plan", "Sources", "Mapping"), runs, ""),
            ("Waivers", ("Order", "Problem", "Reason", "By", "Date"), waivers, "" if waivers else "None."),
            (
                "Signatures",
                ("Role", "Name", "Date", "Signature"),
                [(role, "____________", "____________", "____________") for role in ROLES],
                "",
            ),
        ]


def total_document(row: TotalRow) -> dict[str, Any]:
    """Both sides as data: amounts as text."""
    return {
        "ledger": _side(row.ledger.net, row.ledger.tax, row.ledger.gross),
        "mews": _side(row.mews.net, row.mews.tax, row.mews.gross),
        "difference": _side(
            row.mews.net - row.ledger.net, row.mews.tax - row.ledger.tax, row.mews.gross - row.ledger.gross
        ),
    }


def _side(net: Decimal, tax: Decimal, gross: Decimal) -> dict[str, str]:
    return {"net": f"{net:f}", "tax": f"{tax:f}", "gross": f"{gross:f}"}
