"""The counts and sums of a command: the `--json` document and summary.json. Pure.

Rule: design sections 2 and 7.10: orders read equal the sum over all states, and source = planned + rounding +
rejected + blocked + skipped + changed + undone by currency and basis, or the command fails. No column is a remainder:
each is summed from its own orders, so the equation is a check that can fail.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from etl.errors import ExitCode, InternalError
from etl.model.codes import hint_for
from etl.model.money import digits_of, money_text
from etl.model.plan import Basis
from etl.model.problem import Problem, Severity
from etl.model.shares import EXPLAINING, BridgeLine, Column
from etl.model.status import OrderStatus, ReportState
from etl.report.bills import BillSums

EXAMPLES = 5
SUMS = tuple(column.value for column in Column)
_STATES = list(ReportState)
WORDS = 1000
"""Different words of refusals that are kept for each code."""
IN_MEWS_WORDS = frozenset({"mews.refused", "kind.refused", "send.gave_up"})
_IDS = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\d+(?:[.,]\d+)*")


@dataclass(slots=True)
class AlikeWords:
    """Refusals in words that differ by numbers and ids at most. `first`: one of them whole; `is_same`: all are like it."""

    first: str
    orders: int = 0
    is_same: bool = True

    def add(self, message: str) -> None:
        """Counts one more."""
        self.orders += 1
        self.is_same = self.is_same and message == self.first


@dataclass(slots=True)
class ProblemCount:
    """How often a code was met as an error, or as a notice, and the readable totals of its orders by `money_key`: as one sum,
    charges and refunds apart.

    `words`: what Mews refused in, by the words without numbers and ids. `hints`: what to do, by the column that it is about;
    `first_hint` goes before them.
    """

    orders: int = 0
    examples: list[str] = field(default_factory=list)
    hints: dict[str, str] = field(default_factory=dict)
    first_hint: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    amounts: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    plus: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    minus: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    words: dict[str, AlikeWords] = field(default_factory=dict)

    def add_hint(self, code: str, hint: str, column: str = "") -> None:
        """Keeps what to do of the first problem in each column: a quantity is not mended like a date."""
        if len(self.hints) < EXAMPLES:
            self.hints.setdefault(column, hint or hint_for(code))

    @property
    def hint(self) -> str:
        """What to do; of several columns each by its name, where they are mended in different ways."""
        told = list(self.hints.values())[:1]
        if len(set(self.hints.values())) > 1:
            told = [f"In {column}: {hint}" if column else hint for column, hint in self.hints.items()]
        return " ".join(one for one in (self.first_hint, *told) if one)

    def add_money(self, order: OrderStatus) -> None:
        """Adds an order's total."""
        amount, key = order.source_total or Decimal(0), money_key(order.currency, order.basis)
        self.counts[key] += 1
        self.amounts[key] += amount
        (self.minus if amount < 0 else self.plus)[key] += amount

    def add_words(self, message: str) -> None:
        """Counts a refusal by its words; beyond `WORDS` different ones only what is alike to them."""
        text = _without_numbers(message)
        if text in self.words or len(self.words) < WORDS:
            self.words.setdefault(text, AlikeWords(message)).add(message)

    def told_words(self) -> list[dict[str, Any]]:
        """The most frequent words: with `..` for what differs between refusals alike, and one `example` whole."""
        ranked = sorted(self.words.items(), key=lambda one: -one[1].orders)[:EXAMPLES]
        return [
            {"message": one.first if one.is_same else text, "orders": one.orders, "example": one.first}
            for text, one in ranked
        ]

    @property
    def at_stake(self) -> Decimal:
        """The largest sum of any currency and basis, charges and refunds not netted."""
        zero = Decimal(0)
        return max((self.plus.get(one, zero) - self.minus.get(one, zero) for one in self.amounts), default=zero)


class Summary:
    """Adds up order by order; memory does not grow with their number."""

    def __init__(self) -> None:
        self.states: Counter[ReportState] = Counter()
        self.lines = 0
        self.unassigned = 0
        self.unreadable = 0
        self.attention = 0
        self.accepted = 0
        self.clamped = 0
        self.totals: dict[tuple[str, str], dict[str, Decimal]] = {}
        self.rounding: dict[tuple[str, str, str], list[Any]] = {}
        self.months: dict[tuple[str, str, str], dict[str, Decimal]] = {}
        self.month_counts: Counter[tuple[str, str, str]] = Counter()
        self.taxes: dict[tuple[str, str], list[Decimal]] = {}
        # An error that a person accepted is a notice: what a code keeps out and what it only tells are never one sum.
        self.problems: dict[tuple[str, Severity], ProblemCount] = {}
        self.accounts: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.unproved: dict[str, list[Any]] = {}
        self.precisions: dict[str, int] = {}
        self.state_money: dict[tuple[ReportState, str, str], Decimal] = defaultdict(Decimal)
        self.bridge: dict[tuple[str, str], dict[str, Decimal]] = {}
        self.categories: dict[tuple[str, str], list[Decimal]] = {}
        self.bills = BillSums()

    def add(self, order: OrderStatus, orders: int = 1) -> None:
        """Counts one order, or as many as it is the sum of: of one account, month and currency, with nothing to say of them."""
        self.states[order.state] += orders
        self.attention += order.needs_attention
        self.accepted += order.is_accepted
        self.lines += order.line_count
        self.clamped += order.is_clamped
        self._add_money(order, orders)
        self._add_problems(order)
        for line, currency, basis, amount in order.bridge:
            lines = self.bridge.setdefault((currency, str(basis)), {})
            lines[line] = lines.get(line, Decimal(0)) + amount
        if order.is_planned:
            self._add_planned(order, orders)

    def add_unassigned(self, problems: Iterable[Problem], count: int) -> None:
        """Counts rows without a readable order number; `problems` may be the first ones of `count` only."""
        self.unassigned += count
        codes: Counter[str] = Counter()
        for problem in problems:
            codes[problem.code] += 1
            self._count_problem(problem, problem.severity, str(problem.place))
        if count > codes.total():
            # The rest is most likely what most of the kept ones are.
            code = codes.most_common(1)[0][0] if codes else "order.number_missing"
            row = self.problems.setdefault((code, Severity.ERROR), ProblemCount(hints={"": hint_for(code)}))
            row.orders += count - codes.total()

    @property
    def read(self) -> int:
        """Orders read."""
        return sum(self.states.values())

    @property
    def exit_code(self) -> ExitCode:
        """3 where some orders or rows need attention, else 0; what a person accepted by name needs none."""
        return ExitCode.ATTENTION if self.unassigned or self.attention else ExitCode.DONE

    def check(self, read: int) -> None:
        """Fails unless the states add up to `read` orders and every row of totals is balanced.

        Raises InternalError: a sum that an accountant would sign may not be wrong.
        """
        if self.read != read:
            raise InternalError(f"{read} orders were read, {self.read} are accounted for", code="internal.count")
        for (currency, basis), sums in self.totals.items():
            right = sum((sums[name] for name in EXPLAINING), Decimal(0))
            if sums[Column.SOURCE] != right:
                columns = " + ".join(f"{name.value} {sums[name]}" for name in EXPLAINING if sums[name])
                raise InternalError(
                    f"totals in {currency or '(no currency)'} {basis} do not add up: source {sums[Column.SOURCE]} is "
                    f"not {right} = {columns or '0'}",
                    code="internal.totals",
                )
        for (currency, basis), lines in self.bridge.items():
            held = lines.get(BridgeLine.IN_MEWS, Decimal(0))
            total = sum((amount for line, amount in lines.items() if line != BridgeLine.IN_MEWS), Decimal(0))
            if total != held:
                raise InternalError(
                    f"the bridge in {currency or '(no currency)'} {basis} leads to {total}, the orders hold {held}",
                    code="internal.bridge",
                )

    def document(self, command: str, **more: Any) -> dict[str, Any]:
        """The `--json` document; `more` holds plan, run_id, exit_code and whatever the command adds."""
        return {
            "command": command,
            **more,
            "orders": {"read": self.read, **{state.value: self.states[state] for state in ReportState}},
            "accepted": self.accepted,
            "unreadable_totals": self.unreadable,
            "clamped": self.clamped,
            "lines": {"read": self.lines, "unassigned": self.unassigned},
            "totals": [self._total_row(key) for key in sorted(self.totals)],
            "states": [self._state_row(key) for key in sorted(self.state_money, key=_state_rank)],
            "rounding": [self._rounding_row(key) for key in sorted(self.rounding)],
            "months": [self._month_row(key) for key in sorted(self.months)],
            "taxes": [self._tax_row(key) for key in sorted(self.taxes)],
            "categories": [self._category_row(key) for key in sorted(self.categories)],
            "bridge": [row for key in sorted(self.bridge) for row in self._bridge_rows(key)],
            "problems": [self._problem_row(key) for key in sorted(self.problems, key=self._rank)],
            "unproved": [
                {
                    "what": what,
                    "orders": counts.total(),
                    "counts": dict(sorted(counts.items())),
                    "amounts": _texts(amounts, self.precisions),
                }
                for what, (counts, amounts) in sorted(self.unproved.items())
            ],
            **(
                {"payments": self.bills.payments(self.text), "bills": self.bills.document(self.text)}
                if self.bills.count
                else {}
            ),
        }

    def balances(self) -> list[dict[str, str]]:
        """The open balance that the planned orders leave on each account, largest first."""
        rows = sorted(self.accounts.items(), key=lambda row: (-abs(row[1]), row[0]))
        return [
            {"account_id": account, "currency": currency, "balance": self.text(amount, currency)}
            for (account, currency), amount in rows
        ]

    def text(self, amount: Decimal, currency: str) -> str:
        """An amount with at least its currency's decimals."""
        return money_text(amount, digits_of(currency, self.precisions))

    def _add_money(self, order: OrderStatus, orders: int) -> None:
        self.unreadable += order.source_total is None and order.is_read
        for column, cause, currency, basis, amount in order.money:
            self._sums(currency, basis)[column] += amount
            if cause and amount:
                row = self.rounding.setdefault((currency, str(basis), cause), [0, Decimal(0)])
                row[0] += 1
                row[1] += amount
        self.state_money[order.state, order.currency, order.basis.value] += order.source_total or Decimal(0)
        month = self.months.setdefault((order.month, order.currency, order.basis.value), defaultdict(Decimal))
        month["source"] += order.source_total or Decimal(0)
        month["planned"] += order.planned_total
        self.month_counts[(order.month, order.currency, order.basis.value)] += orders

    def _add_planned(self, order: OrderStatus, orders: int) -> None:
        # Of an order whose source changed since: in what it was booked.
        currency = order.planned_currency or order.currency
        for one in order.taxes:
            sums = self.taxes.setdefault((currency, " ".join(sorted(one.codes))), [Decimal(0)] * 3)
            for index, amount in enumerate((one.net, one.tax, one.gross)):
                sums[index] += amount
        for category, *amounts in order.categories:
            sums = self.categories.setdefault((currency, category), [Decimal(0)] * 3)
            for index, amount in enumerate(amounts):
                sums[index] += amount
        self.bills.add(order, orders)
        if not order.is_bill:
            self.accounts[(order.account_id, currency)] += order.balance
        if order.state is ReportState.READY:
            for what in order.unproved:
                row = self.unproved.setdefault(what, [Counter(), defaultdict(Decimal)])
                key = money_key(order.planned_currency or order.currency, order.planned_basis)
                row[0][key] += orders
                row[1][key] += order.planned_total

    def _add_problems(self, order: OrderStatus) -> None:
        errors = {problem.code for problem in order.problems if problem.severity is Severity.ERROR}
        seen: set[str] = set()
        for problem in order.problems:
            severity = Severity.ERROR if problem.code in errors else Severity.NOTICE
            if problem.code in seen:
                self.problems[problem.code, severity].add_hint(problem.code, problem.hint, problem.place.column)
                continue
            seen.add(problem.code)
            row = self._count_problem(problem, severity, order.number)
            row.add_money(order)
            if problem.code in IN_MEWS_WORDS and problem.message:
                row.add_words(problem.message)

    def _count_problem(self, problem: Problem, severity: Severity, example: str) -> ProblemCount:
        row = self.problems.setdefault((problem.code, severity), ProblemCount())
        row.orders += 1
        if len(row.examples) < EXAMPLES:
            row.examples.append(example)
        row.add_hint(problem.code, problem.hint, problem.place.column)
        return row

    def _sums(self, currency: str, basis: str) -> dict[str, Decimal]:
        return self.totals.setdefault((currency, str(basis)), dict.fromkeys(SUMS, Decimal(0)))

    def _rank(self, key: tuple[str, Severity]) -> tuple[bool, Decimal, int, str]:
        """Errors first, and of each kind most money first."""
        code, severity = key
        row = self.problems[key]
        return (severity is not Severity.ERROR, -row.at_stake, -row.orders, code)

    def _total_row(self, key: tuple[str, str]) -> dict[str, str]:
        currency, basis = key
        sums = self.totals[key]
        return {"currency": currency, "basis": basis, **{name: self.text(sums[name], currency) for name in SUMS}}

    def _state_row(self, key: tuple[ReportState, str, str]) -> dict[str, str]:
        state, currency, basis = key
        amount = self.text(self.state_money[key], currency)
        return {"state": state.value, "currency": currency, "basis": basis, "source": amount}

    def _rounding_row(self, key: tuple[str, str, str]) -> dict[str, Any]:
        currency, basis, cause = key
        orders, amount = self.rounding[key]
        row = {"currency": currency, "basis": basis, "cause": cause}
        return {**row, "orders": orders, "amount": self.text(amount, currency)}

    def _month_row(self, key: tuple[str, str, str]) -> dict[str, Any]:
        month, currency, basis = key
        sums = self.months[key]
        return {
            "month": month,
            "currency": currency,
            "basis": basis,
            "orders": self.month_counts[key],
            "source": self.text(sums["source"], currency),
            "planned": self.text(sums["planned"], currency),
        }

    def _tax_row(self, key: tuple[str, str]) -> dict[str, str]:
        currency, codes = key
        net, tax, gross = (self.text(amount, currency) for amount in self.taxes[key])
        return {"currency": currency, "tax_codes": codes or "exempt", "net": net, "tax": tax, "gross": gross}

    def _category_row(self, key: tuple[str, str]) -> dict[str, str]:
        currency, category = key
        net, tax, gross = (self.text(amount, currency) for amount in self.categories[key])
        return {"currency": currency, "category_id": category, "net": net, "tax": tax, "gross": gross}

    def _bridge_rows(self, key: tuple[str, str]) -> list[dict[str, str]]:
        currency, basis = key
        lines = self.bridge[key]
        return [
            {
                "currency": currency,
                "basis": basis,
                "line": line.value,
                "amount": self.text(lines.get(line, Decimal(0)), currency),
            }
            for line in BridgeLine
            if line is not BridgeLine.NOT_READ  # a reconciliation alone reads back
        ]

    def _problem_row(self, key: tuple[str, Severity]) -> dict[str, Any]:
        code, severity = key
        row = self.problems[key]
        return {
            "code": code,
            "severity": severity.value,
            "orders": row.orders,
            "examples": row.examples,
            "counts": dict(sorted(row.counts.items())),
            "amounts": _texts(row.amounts, self.precisions),
            "plus": _texts(row.plus, self.precisions),
            "minus": _texts(row.minus, self.precisions),
            "words": row.told_words(),
            "hint": row.hint,
        }


def _state_rank(key: tuple[ReportState, str, str]) -> tuple[int, str, str]:
    return (_STATES.index(key[0]), *key[1:])


def _without_numbers(message: str) -> str:
    """A refusal's words with ids and figures as `..`, so that equal ones are counted together."""
    return _IDS.sub("..", message)


def money_key(currency: str, basis: str) -> str:
    """`GBP` for amounts with tax, `GBP net` for those without: amounts of two bases are never added up."""
    return f"{currency or '(none)'}{' net' if basis == Basis.NET else ''}"


def _texts(amounts: dict[str, Decimal], precisions: dict[str, int]) -> dict[str, str]:
    """By `money_key`."""
    return {key: money_text(amount, digits_of(key[:3], precisions)) for key, amount in sorted(amounts.items())}
