"""What the ledger holds, as values, and how they become rows. No database here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import simplejson

from etl.errors import LedgerError
from etl.ledger import stamps
from etl.model.plan import Basis
from etl.model.problem import Problem
from etl.model.quick import quick
from etl.model.route import Route
from etl.model.shares import SourceReading
from etl.model.states import CustomerState, State

P = ParamSpec("P")
V = TypeVar("V")

DAMAGED_HINT = (
    "Keep the file as it is and use your last copy of it; without one, move it away and build a new ledger with "
    "`centra-mews recover`."
)

ORDER_PART = "order"
"""The name of the part that is `orders/add`; payments are `gift1`, `pay1`, undo entries `undo:p1`."""

stamp = stamps.stamp

RECOVERED_RUN = "recovered"
"""Run id of orders that `recover` found in Mews."""


class PartKind(StrEnum):
    """What a part is in Mews. Undo entries never prove the presence of an order."""

    ORDER = "order"
    PAYMENT = "payment"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Home:
    """The one place that a ledger belongs to (design section 7.5)."""

    platform: str
    enterprise_id: str
    service_id: str
    store: str


@quick
@dataclass(frozen=True, slots=True)
class Part:
    """One part of one generation of an order. Times are Mews's.

    `seq` numbers its attempts, `sends` counts those that may have reached Mews, `absents` how often it was
    proved absent. `settle_from`: nothing of it was sent later. `unseen_at`: end of the first complete scan
    that did not find it. `held`: what stands in Mews and may be this part, for a person to decide.
    """

    number: str
    generation: int
    part: str
    state: State
    kind: PartKind
    mews_id: str = ""
    run_id: str = ""
    seq: int = 0
    sends: int = 0
    absents: int = 0
    rejected_hash: str = ""
    fingerprint: str = ""
    first_sent_at: datetime | None = None
    settle_from: datetime | None = None
    unseen_at: datetime | None = None
    recheck: int = 0
    held: str = ""
    code: str = ""
    message: str = ""
    request_id: str = ""
    needs: tuple[str, ...] = ()
    """The kinds that it needs (`model/kinds.py`)."""
    target: str = ""
    """Of an undo part: the OrderId or payment in Mews that it reverses."""


LAST_BYTE = 5.0
"""Seconds after which an intent has left, or is written anew (design 7.2)."""
_LATEST_BYTE = timedelta(seconds=LAST_BYTE + 1)
"""After its intent, with the second that Mews cuts its clock by."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request as it was frozen before its first byte, and what became of it. `sent_at` is Mews's time.

    `predicted`: (line, net, tax, gross) for each entry. `outcome` is "" while nobody knows. `ended_at`: Mews's time at
    the latest when the outcome was known.
    """

    number: str
    generation: int
    part: str
    seq: int
    run_id: str
    payload: Mapping[str, Any]
    payload_hash: str
    identifier: str
    marker: str
    service_id: str
    account_id: str
    consumption: datetime | None
    basis: Basis
    fingerprint: str
    recipe_version: int
    predicted: tuple[tuple[str, Decimal, Decimal, Decimal], ...]
    sent_at: datetime
    outcome: str = ""
    status: int | None = None
    message: str = ""
    request_id: str = ""
    mews_id: str = ""
    ended_at: datetime | None = None

    @property
    def over_at(self) -> datetime:
        """Mews's time by which it was over: what reads that lag show is counted from here, never from the intent.

        Of one that nobody knows the end of: when its last byte had left.
        """
        return self.ended_at or self.sent_at + _LATEST_BYTE


@dataclass(frozen=True, slots=True)
class Customer:
    """A person whom this ledger made, or began to make. `run_id`: the run that sent it last. `settle_from`, `unseen_at`:
    Mews's time of the last byte and of the first look. `is_on_record` is false where the ledger knows nothing of the address.
    """

    email: str
    state: CustomerState
    customer_id: str = ""
    attempts: int = 0
    absents: int = 0
    payload_hash: str = ""
    run_id: str = ""
    settle_from: datetime | None = None
    unseen_at: datetime | None = None
    code: str = ""
    message: str = ""
    is_on_record: bool = True

    @property
    def is_open(self) -> bool:
        """Whether Mews may be making the customer right now."""
        return self.state in (CustomerState.UNKNOWN, CustomerState.IN_FLIGHT)


@dataclass(frozen=True, slots=True)
class Correction:
    """One version of an order (`corrected`) took the place of another (`original`); both are hashes.

    `is_given`: a file of corrections said so; else the ledger saw the one blocked or rejected, and then the other.
    `skip_fingerprint` of the original, "" where it is not known. `given_at` sorts.
    """

    original: str
    corrected: str
    is_given: bool
    skip_fingerprint: str = ""
    given_at: str = ""


@quick
@dataclass(frozen=True, slots=True)
class LedgerOrder:
    """One order as the ledger has it. Facts are those of the plan that its state rests on.

    `reading`: the newest reading of the source where the facts are frozen (`newest` gives either), "" elsewhere.
    `changed` says in what the source differs from what was posted, "" where it does not. `has_posted` is
    whether the order itself is in Mews, whatever its payments are. `duplicates`: all OrderIds, where several
    were found. `facts`: more of the plan (`payments`, `by_codes`, `rounding_causes`, `now` once changed, `charged`:
    whom a recovered order would be charged to, where only the run found that out).
    `version`: the hash that it was met as when its facts were taken. `posted_content` and `posted_as` are those of
    the posted version, "" where the ledger does not know them; `edited` says in what the mapping folder reads the
    source otherwise than when it was posted.
    """

    number: str
    state: State
    generation: int
    mews_order_id: str
    posted_run_id: str
    last_run_id: str
    resolved_run_id: str
    posted_fingerprint: str
    posted_skip_fingerprint: str
    rejected_hash: str
    code: str
    message: str
    request_id: str
    duplicates: tuple[str, ...]
    observed: str
    changed: str
    verdict: str
    plan_run_id: str
    currency: str
    basis: str
    source_total: Decimal | None
    planned_total: Decimal
    rounding: Decimal
    month: str
    consumption: datetime | None
    true_consumption: datetime | None
    is_clamped: bool
    account_id: str
    account_key: str
    parent: str
    line_count: int
    fingerprint: str
    skip_fingerprint: str
    skip_reason: str
    codes: tuple[str, ...]
    problems: tuple[Problem, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    posted_content: str = ""
    posted_as: str = ""
    edited: str = ""
    corrections: tuple[Correction, ...] = ()
    reading: str = ""

    @property
    def is_read(self) -> bool:
        """Whether any run has read the order in an export; `recover` alone has not."""
        return self.reading != "" or self.verdict != ""

    @property
    def newest(self) -> SourceReading:
        """What the source said of the order when a run read it last."""
        if self.reading:
            currency, basis, total, _ = loads(self.reading, None)
            return SourceReading(currency, Basis(basis), None if total is None else Decimal(total))
        basis = Basis(self.basis) if self.basis else Basis.GROSS
        # Ledgers of earlier versions kept what is new of changed orders only.
        now = self.facts.get("now")
        if now is not None:
            total = now["source_total"]
            return SourceReading(now["currency"], basis, None if total is None else Decimal(total))
        return SourceReading(self.currency, basis, self.source_total)

    @property
    def newest_verdict(self) -> str:
        """The verdict of the plan on that reading; "" where there is none."""
        return str(loads(self.reading, ["", "", None, ""])[3]) if self.reading else self.verdict

    @property
    def has_posted(self) -> bool:
        """Whether the order itself is known to be in Mews; of a bill sent among many, also before its id is read."""
        return (self.mews_order_id != "" or self.state is State.POSTED) and self.state is not State.UNDONE

    @property
    def is_as_recovered(self) -> bool:
        """Whether `recover` found it, and no plan was taken for what Mews holds yet."""
        return self.posted_run_id == RECOVERED_RUN and not self.posted_fingerprint

    @property
    def is_bill(self) -> bool:
        """Whether it was planned as a bill of an outlet."""
        return bool(self.facts.get("route") == Route.OUTLET)

    @property
    def is_settled_as_seen(self) -> bool:
        """Whether a person took what Mews shows for the order, though other amounts were sent."""
        return self.observed != "" and bool(loads(self.observed, {}).get("accepted"))


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One command that was run. Times are this machine's, ISO UTC; `exit_code` is None while it runs or died."""

    run_id: str
    command: str
    plan_id: str = ""
    started: str = ""
    finished: str = ""
    exit_code: int | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, Any] = field(default_factory=dict)
    mapping: Mapping[str, Any] = field(default_factory=dict)


def damaged(what: str) -> LedgerError:
    """What is said of a ledger whose content no program of ours wrote like this; nothing of it is shown."""
    return LedgerError(
        f"the ledger is damaged: {what} can't be read",
        code="ledger.corrupt",
        hint=DAMAGED_HINT,
    )


def readable(what: str) -> Callable[[Callable[P, V]], Callable[P, V]]:
    """Makes a reader of rows raise LedgerError `ledger.corrupt` where the row is not as it was written."""

    def decorate(read: Callable[P, V]) -> Callable[P, V]:
        @wraps(read)
        def checked(*args: P.args, **kwargs: P.kwargs) -> V:
            try:
                return read(*args, **kwargs)
            except (ValueError, ArithmeticError, TypeError, LookupError, AttributeError) as error:
                number = getattr(args[0], "number", "") if args else ""
                named = f" of order {number}" if isinstance(number, str) and number.isascii() and number else ""
                raise damaged(f"{what}{named}") from error

        return checked

    return decorate


_STATES = {state.value: state for state in State}


def stored_state(text: str) -> State:
    """A state as the ledger holds it."""
    try:
        return _STATES[text]
    except KeyError as error:
        raise damaged("a state") from error


@readable("a time")
def moment(text: str | None) -> datetime | None:
    """The time that `stamp` wrote; None for ""."""
    return _moment(text) if text else None


_moment = lru_cache(maxsize=4096)(datetime.fromisoformat)
"""The parts of an order, and all bills of a request, have the same times."""


def dumps(value: Any) -> str:
    """Compact JSON with exact decimals."""
    text: str = _ENCODER.encode(value)
    return text


_ENCODER = simplejson.JSONEncoder(separators=(",", ":"), ensure_ascii=False, use_decimal=True)


@readable("a record")
def loads(text: str | None, default: Any) -> Any:
    """What `dumps` wrote, numbers with a point as Decimal; `default` for nothing."""
    return _DECODER.decode(text) if text else default


_DECODER = simplejson.JSONDecoder(parse_float=Decimal)


@readable("an attempt")
def attempt_value(row: Any, payload: str) -> Attempt:
    """A row of `attempts` as a value; `payload` is its own, or the equal one of an earlier attempt."""
    sent_at = moment(row.sent_at)
    if sent_at is None:
        raise ValueError(f"attempt {row.seq} of order {row.number} has no time")
    return Attempt(
        number=row.number,
        generation=row.generation,
        part=row.part,
        seq=row.seq,
        run_id=row.run_id,
        payload=loads(payload, {}),
        payload_hash=row.payload_hash,
        identifier=row.identifier,
        marker=row.marker,
        service_id=row.service_id,
        account_id=row.account_id,
        consumption=moment(row.consumption),
        basis=Basis(row.basis),
        fingerprint=row.fingerprint,
        recipe_version=row.recipe_version,
        predicted=tuple(
            (line, Decimal(net), Decimal(tax), Decimal(gross)) for line, net, tax, gross in loads(row.predicted, ())
        ),
        sent_at=sent_at,
        outcome=row.outcome,
        status=row.status,
        message=row.message,
        request_id=row.request_id,
        mews_id=row.mews_id,
        ended_at=moment(row.finished_at),
    )


@readable("a customer")
def customer_value(row: Any) -> Customer:
    """A row of `customers` as a value."""
    return Customer(
        email=row.email,
        state=CustomerState(row.state),
        customer_id=row.customer_id,
        attempts=row.attempts,
        absents=row.absents,
        payload_hash=row.payload_hash,
        run_id=row.run_id,
        settle_from=moment(row.settle_from),
        unseen_at=moment(row.unseen_at),
        code=row.code,
        message=row.message,
    )
