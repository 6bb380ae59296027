"""The dials for a bad day: each fault a function of a seed and of the requests it may hit, so that it replays.

`--fault NAME[:PROBABILITY][:OPTION=VALUE]...`. Which request is hit depends on the seed, the dial and the
count of requests of its kind so far, never on the time of day.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b

from etl.errors import UsageError
from etl.sandbox.call import Quirks
from etl.sandbox.requests import SHAPES, WRITES


class Wire(StrEnum):
    """What happens on the connection instead of a plain answer."""

    SEND = "send"
    """The answer goes out whole."""
    REFUSE = "refuse"
    """Nobody listens: nothing was sent. A real socket that is open already can only be reset."""
    RESET = "reset"
    """The connection is cut, no byte of an answer."""
    HANG = "hang"
    """Silence until the client gives up."""
    TRUNCATE = "truncate"
    """Half of the body, then the end of the connection."""


class Commit(StrEnum):
    """Whether Mews acts on the request that is hit."""

    NOW = "now"
    NEVER = "never"
    LATER = "later"
    PARTLY = "partly"
    """On the first half of several outlet bills."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A dial as set. `at` names the n-th matching requests to hit; `times` bounds how often it fires."""

    name: str
    probability: float = 1.0
    seconds: float | None = None
    on: str = ""
    at: frozenset[int] = frozenset()
    times: int | None = None
    after: int = 0
    cents: int = 1
    answer: str = "reset"
    form: str = "seconds"
    variant: str = "ignore"
    type: str = ""
    commit: str = "partial"
    ids: str = "fewer"
    number: int = 0


@dataclass(frozen=True, slots=True)
class Effect:
    """What a fired fault does to one request."""

    name: str
    commit: Commit = Commit.NOW
    wire: Wire = Wire.SEND
    status: int | None = None
    body: str = ""
    seconds: float = 0.0
    form: str = "seconds"


@dataclass(frozen=True, slots=True)
class _Dial:
    help: str
    options: tuple[str, ...] = ()
    on: str = "writes"
    seconds: float | None = None
    effect: Effect | None = None


_HIT_ONE = ("at", "times")
_HIT = ("on", *_HIT_ONE)
_STATUS = re.compile(r"status-(408|5\d\d)-(before|after)")

_DIALS: dict[str, _Dial] = {
    "timeout-before-commit": _Dial(
        "Mews does not act and never answers",
        _HIT,
        effect=Effect("", Commit.NEVER, Wire.HANG),
    ),
    "timeout-after-commit": _Dial("Mews acts and never answers", _HIT, effect=Effect("", wire=Wire.HANG)),
    "reset-before-commit": _Dial(
        "the connection is cut before Mews acts",
        _HIT,
        effect=Effect("", Commit.NEVER, Wire.RESET),
    ),
    "reset-after-commit": _Dial("the connection is cut after Mews acted", _HIT, effect=Effect("", wire=Wire.RESET)),
    "truncate": _Dial("Mews acts, half of the answer arrives", _HIT, effect=Effect("", wire=Wire.TRUNCATE)),
    "not-json": _Dial("Mews acts, a proxy answers 200 with HTML", _HIT, effect=Effect("", body="html")),
    "no-order-id": _Dial("Mews acts, the answer is an empty object", _HIT, effect=Effect("", body="empty")),
    "status-409": _Dial(
        "Mews does not act: the data has changed",
        _HIT,
        effect=Effect("", Commit.NEVER, status=409),
    ),
    "status-500-before": _Dial("500 without acting; also 502, 503, 504 and 408 instead of 500", _HIT),
    "status-500-after": _Dial("500 after acting; also 502, 503, 504 and 408 instead of 500", _HIT),
    "delayed-commit": _Dial(
        "the connection is cut (answer=reset|hang|408|500), Mews acts seconds=20 later",
        (*_HIT, "seconds", "answer"),
        seconds=20.0,
    ),
    "slow": _Dial("Mews acts at once, the answer takes seconds=5", (*_HIT, "seconds"), "all", 5.0),
    "connect-error": _Dial(
        "nobody listens for seconds=0 (that request only); open connections are cut",
        (*_HIT, "seconds"),
        "all",
        0.0,
    ),
    "429-burst": _Dial(
        "every request is refused with 429 for seconds=5 (form=seconds|date|none: Retry-After)",
        (*_HIT, "seconds", "form"),
        "all",
        5.0,
    ),
    "retry-after": _Dial("how the request limit's own 429 tells the wait (form=seconds|date|none)", ("form",)),
    "revoke-token": _Dial("401 from the request after=100 on", ("after",)),
    "lagging-reads": _Dial(
        "order items, orders, payments and outlet items are not read until seconds=5 after the write",
        ("seconds",),
        seconds=5.0,
    ),
    "clock-offset": _Dial("Mews's clock is off by seconds=300 (or -300)", ("seconds",), seconds=300.0),
    "no-external-identifiers": _Dial(
        "an older API: ExternalIdentifier is ignored and not returned (variant=refuse: answered 400)",
        ("variant",),
    ),
    "no-notes": _Dial("Notes are not returned"),
    "twin-customers": _Dial("Mews makes a second customer of an e-mail address that one has already"),
    "links-reservation": _Dial("Mews links a reservation that nobody asked for"),
    "adds-items": _Dial("Mews adds an item that nobody asked for to every order and outlet bill"),
    "refuses-payments": _Dial(
        "external payments of the type type=GiftCard (without type: of every one) are refused, though they are enabled",
        ("type",),
    ),
    "other-amounts": _Dial("Mews books cents=1 more than its contract says on every entry", ("cents",)),
    "no-permission": _Dial(
        "401: this integration may not use on=outletItems/getAll, or another operation",
        _HIT,
        "outletItems/getAll",
        effect=Effect("", Commit.NEVER, status=401),
    ),
    "refused-bills": _Dial(
        "of several outlet bills with a bad one Mews keeps commit=partial those before it (others: all others; whole: none)",
        ("commit",),
    ),
    "partly-committed": _Dial(
        "of several outlet bills Mews keeps the first half, the connection is cut (answer=reset|hang|408|500)",
        (*_HIT_ONE, "answer"),
        "outletBills/add",
    ),
    "wrong-bill-ids": _Dial(
        "Mews acts, the answer has an OutletBillId too few (ids=fewer), twice (repeated) or too many (more)",
        (*_HIT_ONE, "ids"),
        "outletBills/add",
    ),
    "moving-bills": _Dial(
        "while outlet items are read, the hotel touches the bill that comes next: its UpdatedUtc moves to now",
        _HIT_ONE,
        "outletItems/getAll",
        effect=Effect("", body="moves"),
    ),
    "seed": _Dial("seed=N: another bad day of the same kind", ("number",)),
}
_CHOICES = {
    "answer": ("reset", "hang", "408", "500"),
    "commit": ("whole", "partial", "others"),
    "form": ("seconds", "date", "none"),
    "ids": ("fewer", "repeated", "more"),
    "variant": ("ignore", "refuse"),
}


def describe_faults() -> list[tuple[str, str]]:
    """Name and one line of help of every dial."""
    return [(name, dial.help) for name, dial in _DIALS.items()]


def parse_fault(spec: str) -> Fault:
    """The dial set by `NAME[:PROBABILITY][:OPTION=VALUE]...`, or `seed=N`.

    Raises:
        UsageError: unknown dial or option, or a value out of range; the hint lists the dials.

    """
    if spec.startswith("seed="):
        return Fault("seed", number=_whole(spec, "seed", spec[5:], least=-(10**18)))
    name, *parts = spec.split(":")
    dial = _dial(name)
    if dial is None or name == "seed":
        near = difflib.get_close_matches(name, _DIALS, 1)
        raise _wrong(spec, f"there is no dial {name!r}" + (f"; did you mean {near[0]}?" if near else ""))
    fault = Fault(name, seconds=dial.seconds, on=dial.on)
    for place, part in enumerate(parts):
        key, equals, value = part.partition("=")
        if equals:
            if key not in dial.options:
                known = ", ".join(dial.options) or "none"
                raise _wrong(spec, f"{name} has no option {key!r} (it has: {known})")
            fault = _with_option(fault, spec, key, value)
        elif place == 0 and "at" in dial.options:
            fault = replace(fault, probability=_probability(spec, part))
        else:
            raise _wrong(spec, f"{part!r} is no option=value")
    return fault


def _dial(name: str) -> _Dial | None:
    if match := _STATUS.fullmatch(name):
        return _DIALS[f"status-500-{match[2]}"]
    return _DIALS.get(name)


def _with_option(fault: Fault, spec: str, key: str, value: str) -> Fault:
    match key:
        case "seconds":
            return replace(fault, seconds=_seconds(spec, value, negative=fault.name == "clock-offset"))
        case "at":
            return replace(fault, at=frozenset(_whole(spec, "at", each) for each in value.split("+")))
        case "times":
            return replace(fault, times=_whole(spec, "times", value))
        case "after":
            return replace(fault, after=_whole(spec, "after", value, least=0))
        case "cents":
            return replace(fault, cents=_whole(spec, "cents", value, least=-1000))
        case "on":
            if value not in ("writes", "reads", "all", *SHAPES):
                raise _wrong(spec, f"on={value} is neither writes, reads, all nor an operation")
            return replace(fault, on=value)
        case "answer":
            return replace(fault, answer=_choice(spec, key, value))
        case "form":
            return replace(fault, form=_choice(spec, key, value))
        case "variant":
            return replace(fault, variant=_choice(spec, key, value))
        case "commit":
            return replace(fault, commit=_choice(spec, key, value))
        case "ids":
            return replace(fault, ids=_choice(spec, key, value))
        case "type":
            return replace(fault, type=_payment_type(spec, value))
        case _:
            raise _wrong(spec, f"the option {key!r} is unknown")


def _choice(spec: str, key: str, value: str) -> str:
    if value not in _CHOICES[key]:
        raise _wrong(spec, f"{key}={value} is none of {', '.join(_CHOICES[key])}")
    return value


def _payment_type(spec: str, value: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Za-z]*", value):
        raise _wrong(spec, f"type={value} is no type of external payments, such as GiftCard or CreditCard")
    return value


def _probability(spec: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise _wrong(spec, f"{text!r} is no probability from 0 to 1")
    return value


def _seconds(spec: str, text: str, *, negative: bool) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not (-1e9 if negative else 0.0) <= value <= 1e9:
        raise _wrong(spec, f"seconds={text} is no number of seconds")
    return value


def _whole(spec: str, key: str, text: str, *, least: int = 1) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise _wrong(spec, f"{key}={text} is no whole number from {least}")
    return value


def _wrong(spec: str, what: str) -> UsageError:
    dials = "\n".join(f"  {name}: {dial.help}" for name, dial in _DIALS.items())
    return UsageError(
        f"The fault {spec!r} can't be set: {what}.",
        code="fault.invalid",
        hint=f"Use NAME[:PROBABILITY][:OPTION=VALUE]..., options on=, at=N+N, times=N where a request is hit.\n{dials}",
    )


@dataclass(slots=True)
class _Running:
    """A dial's memory: how many requests it might have hit, how often it did, until when it still does."""

    fault: Fault
    seen: int = 0
    fired: int = 0
    until: datetime | None = None


@dataclass(slots=True)
class FaultPlan:
    """All dials of one sandbox, asked once for every request."""

    faults: tuple[Fault, ...] = ()
    seed: int = 0
    _running: list[_Running] = field(init=False)

    def __post_init__(self) -> None:
        for fault in self.faults:
            if fault.name == "seed":
                self.seed = fault.number
        self._running = [_Running(fault) for fault in self.faults if "at" in (_dial(fault.name) or _Dial("")).options]

    def quirks(self, base: Quirks) -> Quirks:
        """How this Mews differs for good, over what its world says."""
        for fault in self.faults:
            match fault.name:
                case "lagging-reads":
                    base = replace(base, lag_seconds=fault.seconds or 0.0)
                case "no-external-identifiers":
                    base = replace(base, identifiers="refused" if fault.variant == "refuse" else "ignored")
                case "no-notes":
                    base = replace(base, keeps_notes=False)
                case "twin-customers":
                    base = replace(base, twin_customers=True)
                case "links-reservation":
                    base = replace(base, links_reservations=True)
                case "adds-items":
                    base = replace(base, adds_items=True)
                case "other-amounts":
                    base = replace(base, extra_cents=fault.cents)
                case "refused-bills":
                    base = replace(base, refused_bills=fault.commit)
                case "refuses-payments":
                    base = replace(base, refused_payments=base.refused_payments | {fault.type})
                case _:
                    pass
        return base

    @property
    def clock_offset(self) -> timedelta:
        """How far Mews's clock is from this machine's."""
        return timedelta(seconds=sum(fault.seconds or 0.0 for fault in self.faults if fault.name == "clock-offset"))

    @property
    def revoked_after(self) -> int | None:
        """The count of requests after which the token is worth nothing."""
        return next((fault.after for fault in self.faults if fault.name == "revoke-token"), None)

    @property
    def retry_after_form(self) -> str:
        """How the limiter's 429 tells the wait."""
        return next((fault.form for fault in self.faults if fault.name == "retry-after"), "seconds")

    def refuses(self, operation: str, now: datetime) -> bool:
        """Whether nobody listens when this request comes."""
        return any(
            self._window(running, operation, now) for running in self._running if running.fault.name == "connect-error"
        )

    def burst(self, operation: str, now: datetime) -> Effect | None:
        """A 429 that has nothing to do with the request limit."""
        for running in self._running:
            if running.fault.name == "429-burst" and self._window(running, operation, now):
                left = (running.until - now).total_seconds() if running.until is not None else 0.0
                return Effect("429-burst", Commit.NEVER, status=429, seconds=left, form=running.fault.form)
        return None

    def pick(self, operation: str) -> Effect | None:
        """What happens to this request, by the first dial that fires."""
        chosen = None
        for running in self._running:
            if running.fault.name in ("connect-error", "429-burst"):
                continue
            # Every dial counts every request it may hit, so that adding one does not move the others.
            if self._fires(running, operation) and chosen is None:
                running.fired += 1
                chosen = _effect(running.fault)
        return chosen

    def _window(self, running: _Running, operation: str, now: datetime) -> bool:
        if running.until is not None and now < running.until:
            return True
        if not self._fires(running, operation):
            return False
        running.fired += 1
        running.until = now + timedelta(seconds=running.fault.seconds or 0.0)
        return True

    def _fires(self, running: _Running, operation: str) -> bool:
        fault = running.fault
        if not _applies(fault.on, operation):
            return False
        running.seen += 1
        if fault.times is not None and running.fired >= fault.times:
            return False
        if fault.at:
            return running.seen in fault.at
        return _draw(self.seed, fault.name, running.seen) < fault.probability


def _applies(on: str, operation: str) -> bool:
    match on:
        case "all":
            return True
        case "writes":
            return operation in WRITES
        case "reads":
            return operation in SHAPES and operation not in WRITES
        case _:
            return operation == on


def _draw(seed: int, name: str, number: int) -> float:
    digest = blake2b(f"{seed}:{name}:{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _effect(fault: Fault) -> Effect:
    if match := _STATUS.fullmatch(fault.name):
        commit = Commit.NEVER if match[2] == "before" else Commit.NOW
        return Effect(fault.name, commit, status=int(match[1]))
    seconds = fault.seconds or 0.0
    if fault.name == "slow":
        return Effect(fault.name, seconds=seconds)
    if fault.name == "wrong-bill-ids":
        return Effect(fault.name, body=fault.ids)
    if fault.name in ("delayed-commit", "partly-committed"):
        commit = Commit.LATER if fault.name == "delayed-commit" else Commit.PARTLY
        if fault.answer in ("408", "500"):
            return Effect(fault.name, commit, status=int(fault.answer), seconds=seconds)
        return Effect(fault.name, commit, Wire(fault.answer), seconds=seconds)
    effect = _DIALS[fault.name].effect
    return replace(effect or Effect(""), name=fault.name)
