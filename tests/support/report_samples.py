"""Seeded orders as a report shows them: every state, two currencies, ugly texts, months with and without orders."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from money_samples import with_money

from etl.model.place import Place
from etl.model.plan import Basis
from etl.model.problem import Problem, notice
from etl.model.status import OrderStatus, ReportState, TaxSum
from etl.report.facts import ReportFacts, Section
from etl.report.summary import Summary

PRECISIONS = {"GBP": 2, "EUR": 2, "JPY": 0, "KWD": 3}
UGLY = (
    '=HYPERLINK("http://example.com";"x")',
    "</script><script>document.title='owned'</script>",
    "<r>not rich</r>",
    "line one\r\nline two",
    "\u202eright to left",
    "Smith & Sons <b>\"quoted\"</b>, 'single'",
    "half \ud800 a character",
)
_BLOCKING = ("tax.unmapped", "account.unmapped", "window.outside", "total.mismatch", "value.invalid")


def order_statuses(count: int, *, seed: int = 7, ugly: bool = True) -> Iterator[OrderStatus]:
    """`count` orders by number, mostly ready, a tenth in trouble."""
    chance = random.Random(seed)
    when = datetime(2010, 1, 1, 9, 0, tzinfo=UTC)
    for at in range(count):
        when += timedelta(minutes=chance.randrange(1, 2 * max(1, 525_600 // count)))
        yield with_money(_order(chance, 536365 + at, when, ugly=ugly))


def summary_of(orders: Iterator[OrderStatus]) -> Summary:
    """The sums of the orders."""
    summary = Summary()
    summary.precisions = dict(PRECISIONS)
    for order in orders:
        summary.add(order)
    return summary


def unassigned_problem() -> Problem:
    """A row without a readable order number."""
    place = Place("orders.csv", "", 812, "orderNumber")
    return Problem("order.number_missing", "", place, "=A1", "'=A1' is no order number.")


def report_facts(summary: Summary, **changes: object) -> ReportFacts:
    """The circumstances of a dry run at a made-up hotel."""
    values: dict[str, object] = {
        "command": "dry-run",
        "generated": datetime(2024, 5, 3, 14, 5, 9, tzinfo=UTC),
        "plan": "sha256:" + "5f" * 32,
        "run_id": "20240503-140509-7c1e",
        "exit_code": 3,
        "enterprise_name": "Hôtel <Étoile> & Spa",
        "platform": "https://api.mews.example",
        "store": "uk",
        "files": [
            {"file": "orders-2010.csv", "sha256": "ab" * 32, "format": "csv", "rows": 41201},
            {"file": "orders-2011.xlsx", "sha256": "cd" * 32, "format": "xlsx", "rows": 502},
        ],
        "mapping_digest": "sha256:" + "9c" * 32,
        "feasibility": {
            "at_their_own_date": 1800,
            "older_than_the_editable_window": 225,
            "bookable_from_utc": "2010-02-01T00:00:00+00:00",
        },
        "footing": {"without_tax_orders": "tax per line", "votes": {"tax per line": 40, "tax once": 3}},
        "balances": summary.balances(),
        "notes": ["Mews books external payments when they are posted, whatever the date of the order."],
        "sections": [
            Section(
                "Control totals",
                ("Month", "Currency", "Orders", "Source", "Controls", "Difference"),
                [("2010-01", "GBP", 132, "20431.20", Decimal("20431.20"), Decimal("0.00"))],
                "Compared with controls.csv.",
            ),
            Section("Waivers", text="No problem was waived."),
        ],
    }
    values.update(changes)
    return ReportFacts(**values)  # type: ignore[arg-type]


def _order(chance: random.Random, number: int, when: datetime, *, ugly: bool) -> OrderStatus:
    state = chance.choices(list(ReportState), weights=[60, 8, 1, 12, 2, 1, 8, 5, 2, 1])[0]
    currency = chance.choices(["GBP", "EUR", "JPY"], weights=[90, 8, 2])[0]
    precision = PRECISIONS[currency]
    source = Decimal(chance.randrange(-4000, 120_000)).scaleb(-precision)
    is_planned = state not in (ReportState.BLOCKED, ReportState.SKIPPED, ReportState.UNDONE)
    is_readable = state is not ReportState.BLOCKED or chance.random() > 0.1
    rounding = Decimal(chance.choice([0] * 40 + [1, -1])).scaleb(-precision)
    planned = source - rounding if is_planned else Decimal(0)
    problems, message = _problems(chance, number, state, source, ugly=ugly)
    tax = (planned / 6).quantize(Decimal(1).scaleb(-precision))
    return OrderStatus(
        number=str(number),
        state=state,
        currency=currency,
        basis=Basis.GROSS,
        source_total=source if is_readable else None,
        planned_total=planned,
        planned_currency=currency,
        planned_basis=Basis.GROSS,
        rounding=rounding if is_planned else Decimal(0),
        problems=problems,
        account_id=str(UUID(int=chance.getrandbits(128) if chance.random() > 0.3 else 77)),
        mews_order_id=str(UUID(int=chance.getrandbits(128))) if state.is_in_mews else "",
        message=message,
        month=when.strftime("%Y-%m") if is_readable else "",
        consumption=when if is_readable else None,
        is_clamped=chance.random() > 0.97,
        line_count=chance.randrange(1, 30),
        balance=planned,
        taxes=(TaxSum(("UK-S",), planned - tax, tax, planned),) if is_planned else (),
        unproved=("rebates",) if source < 0 and state is ReportState.READY else (),
    )


def _problems(
    chance: random.Random, number: int, state: ReportState, source: Decimal, *, ugly: bool
) -> tuple[tuple[Problem, ...], str]:
    place = Place("orders-2010.csv", "", chance.randrange(2, 41202), "products.vatPercent")
    name = str(number)
    notices = (notice("country.default", "GB was used.", order=name, place=place),) if chance.random() > 0.95 else ()
    text = chance.choice(UGLY) if ugly and chance.random() > 0.8 else "No row of taxes.csv fits GB 17.5 on 2010-01-04."
    match state:
        case ReportState.BLOCKED:
            codes = sorted(chance.sample(_BLOCKING, chance.choice([1, 1, 1, 2])))
            return (*(Problem(code, name, place, str(-source), text) for code in codes), *notices), text
        case ReportState.REJECTED:
            return (Problem("mews.refused", name, message=text), *notices), text
        case ReportState.UNKNOWN:
            return (Problem("send.unknown", name, message="No answer in 100 s."), *notices), "No answer in 100 s."
        case ReportState.CHANGED:
            return (Problem("changed", name, message="The total was 12.00."), *notices), "The total was 12.00."
        case ReportState.SKIPPED:
            return notices, "status Cancelled is not imported"
        case _:
            return notices, ""
