"""What happens in one schedule: orders, Mews's habits, and the processes that come and go. A function of the seed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from random import Random

BEYOND_EVERY = 5
"""Every fifth seed leaves the bounds of design 7.1."""

CHECKPOINTS = (
    *("run.begun", "slot.granted", "intent.recorded", "answer.received", "outcome.recorded"),
    *("survey.complete", "survey.recorded", "ledger.before_commit", "ledger.after_commit"),
)
EPSILON = 0.01
UNDO_SHARE = 0.3
"""So many of the schedules within the bounds undo what they posted."""
TWIN_SHARE = 0.22
"""In so many of the others two processes are at work on one ledger, or on two copies of it, at the same time."""
UNDO_TWIN_SHARE = 0.4
"""So many of the undos share their time with another undo, or with a run, on that ledger or on a copy of it."""
NEIGHBOUR_SHARE = 0.12
"""In so many of those without twins other ledgers work under the same token, for other stores."""
STORM_SHARE = 0.1
"""So many processes meet a Mews that answers 429 to nearly everything for a while."""
NET_SHARE = 0.25
"""So many enterprises price without tax."""
PEOPLE_SHARE = 0.25
"""In so many of the schedules within the bounds, runs make the customers that orders charge."""
PORTFOLIO_SHARE = 0.15
"""So many access tokens are for several enterprises: requests have to name theirs."""
OUTLET_SHARE = 0.35
"""So many ledgers are of the outlet route, neighbours included."""
ELSEWHERE_SHARE = 0.5
"""So many neighbours are another enterprise's, under one portfolio token, half of them with our store's name."""
CUT_SHARE = 0.12
"""So many processes lose their connections to the server, and as many the answer to a commit."""
SHARED_SHARE = 0.9
"""In so many of the schedules that allow it, runs of one plan share the ledger."""
DAY = 86400
OLDEST_NEW = 30 * DAY
"""Seconds: what is older lies outside the window; services refuse it, bills of that age are a kind of their own."""
CENT = Decimal("0.01")
TAX = Decimal("0.2")


def with_tax(basis: str, total: Decimal) -> tuple[Decimal, Decimal]:
    """Net and gross of an entry of that total in the enterprise's basis."""
    if basis == "net":
        return total, total + (total * TAX).quantize(CENT, ROUND_HALF_UP)
    return (total / (1 + TAX)).quantize(CENT, ROUND_HALF_UP), total


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of an order; `unit` is in the enterprise's basis."""

    line: str
    name: str
    count: int
    unit: Decimal
    code: str = "UK-20%"
    is_product: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """One order as the export has it at some time. `fate`: ok, refused, or edge (its window closes soon).

    `age_seconds`: how long before the schedule's beginning it was consumed. `payments`: part, amount, type.
    `basis`: the enterprise's. `email`: of the customer whom the run has to make first, "" for the fallback account.
    `names_account`: whether its bill is on that account, where it is one. Payments of a bill are items of it.
    """

    number: str
    version: int
    lines: tuple[Line, ...]
    payments: tuple[tuple[str, Decimal, str], ...] = ()
    age_seconds: int = 86400
    parent: str = ""
    fate: str = "ok"
    basis: str = "gross"
    email: str = ""
    names_account: bool = False

    @property
    def is_old(self) -> bool:
        """Whether it lies outside the window when the schedule begins."""
        return self.age_seconds > OLDEST_NEW

    def booked(self, line: Line) -> tuple[Decimal, Decimal]:
        """Net and gross of one entry, by the arithmetic that Mews is assumed to have."""
        return with_tax(self.basis, line.count * line.unit)

    @property
    def gross(self) -> Decimal:
        """What the items come to."""
        return sum((self.booked(line)[1] for line in self.lines), Decimal(0))

    @property
    def total(self) -> Decimal:
        """Items less credits."""
        return self.gross - sum(self.credits.values(), Decimal(0))

    @property
    def credits(self) -> dict[str, Decimal]:
        """Gift cards, by part: they lower what the order is worth, other payments do not."""
        return {part: amount for part, amount, _ in self.payments if part.startswith("gift")}

    @property
    def fingerprint(self) -> str:
        """Of what must not change once posted."""
        return f"sha256:{self.number}:{self.version}"


@dataclass(frozen=True, slots=True)
class Process:
    """One command and what befalls it. `kill`: checkpoint name ("any", "time") and count (or seconds).

    `before`: "lose" or "restore" what was the ledger. `changes`: orders that the export shows in their next version.
    `jumps`: (seconds, by how much) of the machine's wall clock. `freeze`: the machine sleeps at the n-th checkpoint.
    `twin`: what works at the same time, and begins its `pause` later; `on` a "copy" of the ledger, or on the "ledger"
    itself, whose lock it may take over as if this machine were certainly dead.
    On a server, `on` "shared": both are runs of one plan that share the ledger.
    `neighbours`: what works at the same time on the ledger of that neighbour.
    On a server too, at the n-th of all checkpoints every connection to the ledger is `cut`, and of the n-th transaction
    the commit happens and its answer is lost (`unheard`). `is_stuck`: its lease is not renewed.
    """

    command: str = "run"
    pause: float = 1.0
    before: str = ""
    kill: tuple[str, float] | None = None
    stop_at: float | None = None
    leave_after: float | None = None
    no_wait: bool = False
    limit: int | None = None
    is_shuffled: bool = False
    retry: bool = False
    changes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    revoke_after: int | None = None
    jumps: tuple[tuple[float, float], ...] = ()
    freeze: tuple[int, float] | None = None
    twin: Process | None = None
    on: str = "copy"
    takes_over: bool = False
    neighbours: tuple[tuple[int, Process], ...] = ()
    cut: int | None = None
    unheard: int | None = None
    is_stuck: bool = False

    @property
    def is_in_company(self) -> bool:
        """Whether anything else is at work meanwhile."""
        return self.twin is not None or bool(self.neighbours)


@dataclass(frozen=True, slots=True)
class Schedule:
    """One bad day. `hides`: identifiers, notes, or both from the second process on. `latency`: most seconds one way.

    `cancel`: what `orderItems/cancel` is answered with: "yes", or "401", "403", "400" for a refusal.
    """

    seed: int
    within_bounds: bool
    settle: float
    timeout: float
    concurrency: int
    rate: tuple[int, float]
    lag: float
    offset: float
    hides: str
    latency: float
    slow_connects: float
    staff_rate: float
    strangers: int
    has_lookalike: bool
    shared_slots: bool
    orders: tuple[tuple[Spec, ...], ...]
    processes: tuple[Process, ...]
    calm_pause: float = 1.0
    refuses: str = ""
    """What this Mews does not allow: rebates, payments by GiftCard, or bills that are old."""
    cancel: str = "yes"
    allows_from: int | None = None
    """The process from which on Mews takes what it refused; beyond the last: from the calm on."""
    basis: str = "gross"
    is_portfolio: bool = False
    """Whether the tokens are for several enterprises."""
    other_basis: str = ""
    """The second enterprise's, where there is one."""
    enterprise: int = 0
    store: str = "uk"
    service: int = 0
    """Which of the enterprise's services, or of its outlets."""
    is_outlet: bool = False
    bills: int = 0
    """Bills of one request at most."""
    keeps: str = "whole"
    """What a refused request of several bills leaves in this Mews: see the sandbox's dial `refused-bills`."""
    largest_body: int = 0
    """Bytes that this Mews takes at once; 0: 4 MiB."""
    neighbours: tuple[Schedule, ...] = ()
    """What other ledgers hold under the same token: other stores of this enterprise, or of another one."""

    @property
    def bases(self) -> tuple[str, ...]:
        """The price basis of each enterprise."""
        return (self.basis, self.other_basis) if self.other_basis else (self.basis,)

    @property
    def has_copies(self) -> bool:
        """Whether two copies of the ledger work at the same time: what they do twice is told, not prevented."""
        return any(process.twin is not None and process.twin.on == "copy" for process in self.processes)

    @property
    def is_shared(self) -> bool:
        """Whether several runs of one plan share the ledger."""
        return any(process.twin is not None and process.twin.on == "shared" for process in self.processes)

    @property
    def makes_people(self) -> bool:
        """Whether runs make customers whom orders charge."""
        return any(spec.email for versions in self.orders for spec in versions)

    def describe(self) -> str:
        """The schedule in words, for whoever replays it."""
        lines = [f"seed {self.seed}, {'within' if self.within_bounds else 'beyond'} the bounds of design 7.1"]
        apart = ("orders", "processes", "seed", "neighbours")
        names = [name for name in self.__dataclass_fields__ if name not in apart]
        lines.append("  " + ", ".join(f"{name}={getattr(self, name)}" for name in names))
        for versions in self.orders:
            for spec in versions:
                entries = " ".join(f"{line.count}x{line.unit}" for line in spec.lines)
                paid = " ".join(f"{part}={amount} {kind}" for part, amount, kind in spec.payments)
                more = f" parent {spec.parent}" if spec.parent else ""
                lines.append(f"  order {spec.number} v{spec.version} {spec.fate}: {entries} {paid}{more}")
        plain = Process()
        for index, process in enumerate(self.processes):
            told = {
                name: getattr(process, name)
                for name in process.__dataclass_fields__
                if getattr(process, name) != getattr(plain, name)
            }
            lines.append(f"  process {index}: {told}")
        lines.extend(f"  neighbour {at}: {one.describe()}" for at, one in enumerate(self.neighbours))
        return "\n".join(lines)


@dataclass(slots=True)
class _Draw:
    """The random choices of one seed."""

    rng: Random
    within_bounds: bool
    is_tight: bool = False
    settle: float = 20.0
    timeout: float = 10.0
    latency: float = 0.01
    numbers: list[str] = field(default_factory=list)

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def upto(self, bound: float) -> float:
        """Something below the bound, often just below; tight schedules go to the bound itself."""
        if bound <= 0:
            return 0.0
        if self.is_tight:
            return round(bound, 3)
        return round(bound * (self.rng.uniform(0.9, 1.0) if self.chance(0.5) else self.rng.random()), 3)

    def money(self) -> Decimal:
        return Decimal(self.rng.randrange(1, 20000)) / 100


def draw_on_server(seed: int) -> Schedule:
    """The schedule of a seed for a ledger on a server: with what befalls servers, and workers that share the ledger."""
    schedule, rng = draw(seed), Random(f"server {seed}")
    processes = tuple(_on_server(rng, process) for process in schedule.processes)
    schedule = replace(schedule, processes=processes)
    may_share = schedule.within_bounds and schedule.hides != "both" and not schedule.neighbours
    plain = [at for at, one in enumerate(processes) if one.command == "run" and one.twin is None]
    if not may_share or not plain or rng.random() > SHARED_SHARE:
        return schedule
    found = [replace(process, changes=()) for process in processes]
    for at in rng.sample(plain, rng.randint(1, len(plain))):
        twin = replace(_on_server(rng, _beside(rng, "run")), on="shared", is_stuck=rng.random() < 0.2)
        if rng.random() < 0.6:
            twin = replace(twin, kill=None, stop_at=None)
        calm = _calm_end() if rng.random() < 0.5 else {}
        found[at] = replace(found[at], **calm, limit=None, twin=twin)
    return replace(schedule, processes=tuple(found), staff_rate=0.0, shared_slots=True)


def _on_server(rng: Random, process: Process) -> Process:
    """The process, whose connection may break, or lose the answer to a commit."""
    trouble = rng.random()
    if trouble < CUT_SHARE:
        return replace(process, cut=rng.choice((1, 2, 5, rng.randint(1, 60))))
    if trouble < 2 * CUT_SHARE:
        return replace(process, unheard=rng.choice((1, 2, 5, rng.randint(1, 40))))
    return process


def draw(seed: int) -> Schedule:
    """The schedule of a seed."""
    rng = Random(f"schedule {seed}")
    d = _Draw(rng, seed % BEYOND_EVERY != BEYOND_EVERY - 1)
    d.is_tight = d.chance(0.15)
    d.settle = rng.choice((6.0, 20.0, 60.0, 180.0))
    d.timeout = rng.choice((2.0, 10.0, 100.0))
    rate = rng.choice(((200, 30.0), (60, 20.0), (20, 5.0), (6, 2.0), (1000, 5.0)))
    arrival = min(0.5, 0.02 * rate[1])
    d.latency = rng.choice((0.0, arrival / 4, arrival * 0.99, min(1.5, d.settle / 8, 0.4 * d.timeout)))
    orders = _orders(d)
    hides = rng.choice(("", "", "", "", "identifiers", "identifiers", "notes", "notes"))
    processes = _processes(d, orders)
    if d.within_bounds and d.chance(0.03):
        # No mark comes back from some process on: a person decides on orders. Nobody can on payments, and a lost
        # ledger can't be noticed.
        hides = "both"
        orders = tuple(tuple(replace(spec, payments=()) for spec in versions) for versions in orders)
        processes = tuple(replace(process, before="") for process in processes)
    if d.within_bounds and hides != "both" and Random(f"undo {seed}").random() < UNDO_SHARE:
        orders, processes = _with_undo(Random(f"undos {seed}"), orders, processes)
        if Random(f"undo beside {seed}").random() < UNDO_TWIN_SHARE:
            processes = _with_undo_beside(Random(f"undo twin {seed}"), processes)
    elif d.within_bounds and hides != "both" and Random(f"twins {seed}").random() < TWIN_SHARE:
        orders, processes = _with_twins(Random(f"twin {seed}"), orders, processes)
    has_undo = any(process.command == "undo" for process in processes)
    has_twins = any(process.twin is not None for process in processes)
    has_copies = any(process.twin is not None and process.twin.on == "copy" for process in processes)
    has_company = (
        d.within_bounds
        and hides != "both"
        and not has_twins
        and Random(f"neighbours {seed}").random() < NEIGHBOUR_SHARE
    )
    cancel = Random(f"cancel {seed}").choice(("yes", "yes", "401", "403", "400")) if has_undo else "yes"
    basis = "net" if Random(f"basis {seed}").random() < NET_SHARE else "gross"
    refuses, more = _refusals(Random(f"kinds {seed}"))
    if has_undo and refuses == "rebates":
        # Where opposites are refused as well, nothing can be undone.
        cancel = "yes"
    processes = _with_storms(Random(f"storms {seed}"), processes)
    schedule = Schedule(
        refuses=refuses,
        allows_from=_allows_from(Random(f"allows {seed}"), len(processes)) if refuses else None,
        seed=seed,
        within_bounds=d.within_bounds,
        settle=d.settle,
        timeout=d.timeout,
        concurrency=rng.randint(1, 5),
        rate=rate,
        lag=_lag(d),
        offset=rng.choice((0.0, 0.0, 0.4, -300.0, 7200.5, -86400.25)),
        hides=hides,
        latency=d.latency,
        slow_connects=rng.choice((0.0, 0.0, 0.0, 0.1)),
        staff_rate=_staff_rate(rng, is_quiet=has_undo or has_twins or has_company or hides == "both"),
        strangers=rng.choice((0, 0, 1, 3)),
        has_lookalike=d.chance(0.04),
        shared_slots=d.chance(0.3) or has_twins or has_company,
        orders=_charged(
            seed,
            orders if hides == "both" else (*orders, *more),
            basis,
            may_make=not has_copies and hides != "both" and d.within_bounds,
        ),
        basis=basis,
        processes=processes,
        calm_pause=rng.choice((0.0, 1.0, d.settle, 3600.0)),
        cancel=cancel,
    )
    if Random(f"portfolio {seed}").random() < PORTFOLIO_SHARE:
        schedule = _in_a_portfolio(schedule)
    if Random(f"route {seed}").random() < OUTLET_SHARE:
        schedule = on_outlet(Random(f"outlet {seed}"), schedule)
    return _with_neighbours(d, Random(f"neighbour {seed}"), schedule) if has_company else schedule


def _in_a_portfolio(schedule: Schedule) -> Schedule:
    """Under a token that serves a second enterprise as well."""
    is_net = Random(f"other basis {schedule.seed}").random() < 0.5
    return replace(schedule, is_portfolio=True, other_basis="net" if is_net else "gross")


def on_outlet(rng: Random, schedule: Schedule) -> Schedule:
    """The same bad day for the bills of an outlet: payments are items, requests carry many orders, nothing is too old."""
    refuses = "old" if schedule.refuses == "GiftCard" else schedule.refuses
    is_both, allows_from = schedule.hides == "both", schedule.allows_from
    if refuses == "rebates" and allows_from is None:
        # Bills are reversed by their opposites alone: somebody has to allow them, or no undo comes to an end.
        allows_from = rng.randint(1, len(schedule.processes) or 1)
    has_old, names_account = rng.random() < 0.4, rng.random() < 0.3
    pays = rng.choice(("captures", "captures", "balance", "balance", "none"))
    given = [*schedule.orders, *_further(rng, schedule, 0 if is_both else rng.choice((0, 0, 6, 20)))]
    orders = []
    for versions in given:
        is_refused = refuses == "old" and versions[0].number.startswith("7")
        more = rng.randrange(31, 400) * DAY if is_refused or (has_old and rng.random() < 0.5) else 0
        orders.append(tuple(_as_bill(spec, pays, names_account, more) for spec in versions))
    return replace(
        schedule,
        is_outlet=True,
        refuses=refuses,
        allows_from=allows_from,
        orders=tuple(orders),
        # A bill can't be cancelled, and nobody asks for it.
        cancel="yes",
        bills=rng.choice((1, 2, 3, 5, 10, 1000)),
        keeps=rng.choice(("whole", "whole", "partial", "others")),
        largest_body=rng.choice((0, 0, 0, 0, 6000)),
        processes=tuple(_with_bills(rng, process) for process in schedule.processes),
    )


def _further(rng: Random, schedule: Schedule, count: int) -> list[tuple[Spec, ...]]:
    """Plain orders, so that requests are full; Mews refuses a few of them."""
    found = []
    for at in range(count):
        line = Line("p1", "Mug 1", rng.randint(1, 4), Decimal(rng.randrange(1, 20000)) / 100)
        spec = Spec(str(800 + at), 1, (line,), age_seconds=rng.randrange(3600, 20 * DAY), basis=schedule.basis)
        found.append((_refused(spec) if rng.random() < 0.08 else spec,))
    return found


def _as_bill(spec: Spec, pays: str, names_account: bool, older_by: int) -> Spec:
    """An order as a bill: no window closes before it, and what was paid stands on it."""
    lines = tuple(replace(line, is_product=False) for line in spec.lines)
    payments = tuple(paid for paid in spec.payments if paid[0].startswith("gift"))
    rest = spec.gross - sum((amount for _, amount, _ in payments), Decimal(0))
    if rest and pays == "balance":
        payments = (*payments, ("bal1", rest, "Webshop payment"))
    elif rest > 0 and pays == "captures":
        payments = (*payments, ("pay1", rest, "Cash"))
    # The edge of the window is none here; an opposite must find its own bill's time still inside.
    is_edge = spec.fate == "edge"
    return replace(
        spec,
        lines=lines,
        payments=payments,
        age_seconds=spec.age_seconds + older_by - (2 * DAY if is_edge else 0),
        fate="ok" if is_edge else spec.fate,
        names_account=names_account and not spec.email,
    )


def _with_bills(rng: Random, process: Process) -> Process:
    """The faults of a process, and those that only requests of many bills meet."""
    faults = [
        fault.replace("on=orders/add", "on=outletBills/add").replace("on=payments/addExternal", "on=outletBills/add")
        for fault in process.faults
    ]
    if rng.random() < 0.35:
        answer = rng.choice(("reset", "hang", "408", "500"))
        faults.append(f"partly-committed:{rng.choice((0.2, 0.5))}:answer={answer}")
    if rng.random() < 0.3:
        faults.append(f"wrong-bill-ids:{rng.choice((0.2, 0.5))}:ids={rng.choice(('fewer', 'repeated', 'more'))}")
    if rng.random() < 0.25:
        faults.append(f"moving-bills:{rng.choice((0.3, 1.0))}")
    return replace(process, faults=tuple(faults))


def _with_storms(rng: Random, processes: tuple[Process, ...]) -> tuple[Process, ...]:
    """Some processes meet bursts of 429 that have nothing to do with their pace, and that pass."""
    found = []
    for process in processes:
        faults = process.faults
        if rng.random() < STORM_SHARE and not any(fault.startswith("429-burst") for fault in faults):
            seconds, form = rng.choice((1, 5, 20)), rng.choice(("seconds", "date", "none"))
            faults = (*faults, f"429-burst:{rng.choice((0.2, 0.5))}:seconds={seconds}:form={form}:times=2")
        found.append(replace(process, faults=faults))
    return tuple(found)


def _charged(
    seed: int, orders: tuple[tuple[Spec, ...], ...], basis: str, *, may_make: bool
) -> tuple[tuple[Spec, ...], ...]:
    """The orders in the enterprise's basis, some of them for people whom Mews does not know yet.

    Two ledgers at once, or answers beyond the bounds, make people twice in a Mews that takes them: not drawn here.
    """
    rng = Random(f"people {seed}")
    makes = rng.random() < PEOPLE_SHARE and may_make
    found = []
    for versions in orders:
        email = rng.choice(("", "ann@example.com", "ann@example.com", "bob@example.com")) if makes else ""
        found.append(tuple(replace(spec, basis=basis, email=email) for spec in versions))
    return tuple(found)


def _refusals(rng: Random) -> tuple[str, tuple[tuple[Spec, ...], ...]]:
    """What Mews refuses, with orders enough of that kind; sometimes such orders where it refuses nothing."""
    refuses = rng.choice((*[""] * 9, "rebates", "rebates", "GiftCard"))
    if not refuses and rng.random() > 0.05:
        return "", ()
    return refuses, of_a_kind(rng, refuses, rng.randint(2, 6))


def _allows_from(rng: Random, processes: int) -> int | None:
    """Somebody has it allowed, now and then."""
    return rng.randint(1, processes) if rng.random() < 0.5 else None


def of_a_kind(rng: Random, refuses: str, count: int) -> tuple[tuple[Spec, ...], ...]:
    """Orders that Mews will refuse for the same reason: returns, orders with a gift card, or (once aged) old bills."""
    found = []
    for at in range(count):
        unit = Decimal(rng.randrange(100, 9000)) / 100
        spec = Spec(str(700 + at), 1, (Line("p1", "Mug 1", 1, unit),), age_seconds=rng.randrange(3600, 20 * 86400))
        if refuses == "GiftCard":
            spec = replace(spec, payments=(("gift1", Decimal("1.00"), "GiftCard"),))
        elif refuses != "old":
            spec = replace(spec, lines=(replace(spec.lines[0], unit=-unit),))
        found.append((spec,))
    return tuple(found)


def _staff_rate(rng: Random, *, is_quiet: bool) -> float:
    rate = rng.choice((0.0, 0.0, 0.4))
    return 0.0 if is_quiet else rate


def _with_undo(
    rng: Random, orders: tuple[tuple[Spec, ...], ...], processes: tuple[Process, ...]
) -> tuple[tuple[tuple[Spec, ...], ...], tuple[Process, ...]]:
    """Runs, then undos that meet the same kills and faults, perhaps with an older copy of the ledger.

    Nobody else works on these orders, and the export stays as it is: what is reversed can be told to the cent.
    """
    found = [processes[0]]
    for process in processes[1:]:
        is_undo = rng.random() < 0.6
        found.append(
            replace(process, command="undo", changes=(), limit=None) if is_undo else replace(process, changes=())
        )
    if not any(process.command == "undo" for process in found):
        found.append(Process("undo", pause=1.0))
    if rng.random() < 0.5:
        # The older copy is put back, and undone with once more.
        found.append(Process("undo", pause=4000.0, before="restore"))
    first_versions = tuple((versions[0],) for versions in orders)
    return first_versions, tuple(found)


def _with_twins(
    rng: Random, orders: tuple[tuple[Spec, ...], ...], processes: tuple[Process, ...]
) -> tuple[tuple[tuple[Spec, ...], ...], tuple[Process, ...]]:
    """Somewhere in the storm a second run works beside the first; each may die or be stopped alone."""
    at = rng.randrange(len(processes))
    found = [replace(process, changes=()) for process in processes]
    found[at] = replace(found[at], **(_calm_end() if rng.random() < 0.6 else {}), twin=_twin(rng, "run"))
    return tuple((versions[0],) for versions in orders), tuple(found)


def _calm_end() -> dict[str, None]:
    """What makes a process end by itself."""
    return {"kill": None, "stop_at": None, "leave_after": None, "revoke_after": None}


def _with_undo_beside(rng: Random, processes: tuple[Process, ...]) -> tuple[Process, ...]:
    """Two undos at once, or an undo beside a run, after the first process."""
    places = [at for at, process in enumerate(processes) if at and not process.before]
    if not places:
        processes, places = (*processes, Process("undo")), [len(processes)]
    at, found = rng.choice(places), list(processes)
    ours, theirs = rng.choice((("undo", "undo"), ("undo", "undo"), ("undo", "run"), ("run", "undo")))
    calm = _calm_end() if rng.random() < 0.6 else {}
    limit = found[at].limit if ours == "run" else None
    found[at] = replace(found[at], command=ours, limit=limit, **calm, twin=_twin(rng, theirs))
    return tuple(found)


def _twin(rng: Random, command: str) -> Process:
    """The second of two: when it begins, how it ends, and on what it works."""
    on = rng.choice(("copy", "copy", "ledger"))
    takes_over = on == "ledger" and rng.random() < 0.5
    return replace(_beside(rng, command), on=on, takes_over=takes_over)


def _beside(rng: Random, command: str) -> Process:
    """A process beside another; it may die or be stopped alone."""
    twin = Process(command, pause=round(rng.choice((0.0, rng.random(), 3 * rng.random(), rng.uniform(0, 30))), 3))
    end = rng.random()
    if end < 0.2:
        twin = replace(twin, kill=(rng.choice((*CHECKPOINTS, "any", "any")), rng.choice((1, 2, 3, rng.randint(1, 40)))))
    elif end < 0.3:
        twin = replace(twin, kill=("time", round(rng.uniform(0.0, 10.0), 3)))
    elif end < 0.4:
        twin = replace(twin, stop_at=round(rng.uniform(0.0, 10.0), 3))
    return replace(twin, is_shuffled=rng.random() < 0.3, no_wait=rng.random() < 0.25, retry=rng.random() < 0.1)


def _with_neighbours(d: _Draw, rng: Random, schedule: Schedule) -> Schedule:
    """One or two other stores, on either route, in this enterprise or the next, with the same order numbers as ours.

    They work while ours do, and die or are stopped alone; some of them undo.
    """
    count = rng.choice((1, 1, 2))
    aways = [Random(f"elsewhere {schedule.seed} {at}") for at in range(count)]
    is_away = [far.random() < ELSEWHERE_SHARE for far in aways]
    if any(is_away) and not schedule.is_portfolio:
        schedule = _in_a_portfolio(schedule)
    neighbours = []
    for at in range(count):
        orders = tuple((versions[0],) for versions in _orders(replace(d, rng=rng)))
        more = of_a_kind(rng, schedule.refuses, rng.randint(1, 4)) if schedule.refuses else ()
        far = aways[at]
        store, service, enterprise, basis = ("ukx", "de")[at], rng.choice((0, 1)), 0, schedule.basis
        people = rng.randrange(10**6)
        if is_away[at]:
            enterprise, basis = 1, schedule.other_basis
            store = far.choice((store, schedule.store)) if at == 0 else store
        one = replace(
            schedule,
            is_outlet=False,
            enterprise=enterprise,
            basis=basis,
            store=store,
            service=service,
            orders=_charged(people, (*orders, *more), basis, may_make=True),
            processes=(),
        )
        is_outlet = far.random() < OUTLET_SHARE
        neighbours.append(_bills_beside(far, one) if is_outlet else one)
    processes = list(schedule.processes)
    for place, process in enumerate(processes):
        who = [at for at in range(count) if rng.random() < 0.7] or [rng.randrange(count)]
        found = []
        for at in who:
            is_undo = place > 0 and rng.random() < 0.3
            found.append((at, _beside(rng, "undo" if is_undo else "run")))
        processes[place] = replace(process, neighbours=tuple(found))
    is_one_route = all(one.is_outlet for one in (schedule, *neighbours))
    # An undo of bills comes to an end once opposites are allowed, for all ledgers.
    allowed = [one.allows_from for one in neighbours if one.is_outlet and schedule.refuses == "rebates"]
    if schedule.allows_from is None and allowed:
        schedule = replace(schedule, allows_from=allowed[0])
    # Reads of the other route may be larger than what a Mews that takes little at once takes.
    body = schedule.largest_body if is_one_route else 0
    return replace(schedule, neighbours=tuple(neighbours), processes=tuple(processes), largest_body=body)


def _bills_beside(rng: Random, schedule: Schedule) -> Schedule:
    """A neighbour on the outlet route; what Mews refuses is the same for all."""
    found = on_outlet(rng, schedule)
    return replace(found, refuses=schedule.refuses)


def _lag(d: _Draw) -> float:
    if not d.is_tight and d.chance(0.45):
        return 0.0
    if d.within_bounds:
        return max(0.0, d.upto(d.settle / 2) - EPSILON)
    return round(d.settle * d.rng.uniform(0.3, 1.5), 3)


def _orders(d: _Draw) -> tuple[tuple[Spec, ...], ...]:
    rng = d.rng
    count = rng.choice((1, 2, 3, 4, 5, 6, 8)) if not d.chance(0.02) else 24
    all_refused = count == 24 and d.chance(0.5)
    found: list[tuple[Spec, ...]] = []
    for index in range(count):
        number = str(500 + index)
        lines = tuple(
            Line(f"p{place}", f"Mug {place}", rng.randint(1, 4), d.money(), is_product=d.chance(0.3))
            for place in range(1, rng.choice((1, 1, 2, 3)) + 1)
        )
        spec = Spec(number, 1, lines, age_seconds=rng.randrange(3600, 20 * 86400))
        if d.chance(0.25):
            spec = replace(spec, payments=_payments(d, spec))
        fate = rng.random()
        if all_refused or fate < 0.08:
            spec = _refused(spec)
        elif fate < 0.12:
            # The window of 30 days closes while the schedule runs.
            spec = replace(spec, age_seconds=30 * 86400 - rng.randrange(0, 900), fate="edge")
        found.append((spec, *_next_versions(d, spec)))
        if fate >= 0.12 and d.chance(0.12):
            back = (replace(lines[0], line="p1", count=1, unit=-lines[0].unit),)
            found.append((Spec(f"{number}-R1", 1, back, age_seconds=3600, parent=number),))
    d.numbers = [versions[0].number for versions in found]
    return tuple(found)


def _payments(d: _Draw, spec: Spec) -> tuple[tuple[str, Decimal, str], ...]:
    amount = max(Decimal("0.01"), (spec.gross / 2).quantize(Decimal("0.01")))
    parts = [("gift1", amount, "GiftCard" if d.chance(0.9) else "Invoice")]
    if d.chance(0.3):
        parts.append(("pay1", Decimal("0.01"), "Cash"))
    return tuple(parts)


def _refused(spec: Spec) -> Spec:
    return replace(spec, lines=(replace(spec.lines[0], code="NO-SUCH"), *spec.lines[1:]), fate="refused")


def _next_versions(d: _Draw, spec: Spec) -> list[Spec]:
    """What the export says later: refused orders are mended, others get another price."""
    if spec.fate == "refused":
        if d.chance(0.5):
            mended = tuple(replace(line, code="UK-20%") for line in spec.lines)
            return [replace(spec, version=2, lines=mended, fate="ok")]
        return []
    if spec.fate == "ok" and d.chance(0.15):
        first = spec.lines[0]
        return [replace(spec, version=2, lines=(replace(first, unit=first.unit + 1), *spec.lines[1:]))]
    return []


def _processes(d: _Draw, orders: tuple[tuple[Spec, ...], ...]) -> tuple[Process, ...]:
    rng = d.rng
    changeable = [versions[0].number for versions in orders if len(versions) > 1]
    found = []
    for index in range(rng.choice((1, 2, 2, 3, 3, 4))):
        process = Process(pause=_pause(d), faults=_faults(d), is_shuffled=d.chance(0.3), retry=d.chance(0.2))
        end = rng.random()
        if end < 0.3:
            name = rng.choice((*CHECKPOINTS, "any", "any"))
            process = replace(process, kill=(name, rng.choice((1, 1, 2, 3, rng.randint(1, 40)))))
        elif end < 0.5:
            horizon = rng.choice((1.0, d.timeout, 2 * d.settle))
            process = replace(process, kill=("time", round(rng.uniform(0.0, horizon), 3)))
        elif end < 0.65:
            leave = round(rng.uniform(0.0, d.timeout), 3) if d.chance(0.4) else None
            process = replace(process, stop_at=round(rng.uniform(0.0, 2 * d.timeout), 3), leave_after=leave)
        if d.chance(0.25):
            process = replace(process, no_wait=True)
        if d.chance(0.1):
            process = replace(process, limit=rng.randint(1, 3))
        if d.chance(0.08):
            process = replace(process, revoke_after=rng.randint(0, 25))
        if d.chance(0.1):
            process = replace(process, jumps=((rng.uniform(0, 10), rng.choice((-3600.0, 3600.0, 40.0))),))
        if d.chance(0.08):
            process = replace(process, freeze=(rng.randint(1, 60), rng.choice((3.0, 8.0, 2 * d.settle))))
        if index and changeable and d.chance(0.5):
            process = replace(process, changes=(rng.choice(changeable),))
        if index and d.chance(0.12):
            process = replace(process, before=rng.choice(("lose", "restore")), pause=_long_pause(d))
        found.append(process)
    return tuple(found)


def _pause(d: _Draw) -> float:
    return round(d.rng.choice((0.0, 0.0, d.rng.random(), d.rng.uniform(0, d.settle), 4000.0)), 3)


def _long_pause(d: _Draw) -> float:
    """Within the bounds a person who lost a ledger needs longer than Mews to settle: everything sent has landed."""
    if d.within_bounds:
        return round(1.5 * d.settle + 2 * d.latency + d.rng.uniform(1, 60), 3)
    return round(d.rng.uniform(0, d.settle), 3)


_WRITE_FAULTS = (
    *("timeout-before-commit", "timeout-after-commit", "reset-before-commit", "reset-after-commit", "truncate"),
    *("not-json", "no-order-id", "status-409", "status-500-before", "status-500-after", "status-503-before"),
    *("status-408-before", "status-408-after", "status-504-after"),
)


def _faults(d: _Draw) -> tuple[str, ...]:
    rng = d.rng
    specs = []
    if d.chance(0.15):
        return ()
    for name in rng.sample(_WRITE_FAULTS, rng.choice((0, 1, 1, 2, 3))):
        on = rng.choice(("writes", "writes", "orders/add", "payments/addExternal"))
        specs.append(f"{name}:{rng.choice((0.1, 0.3, 0.6))}:on={on}")
    if d.chance(0.6):
        most = d.settle - d.latency - EPSILON if d.within_bounds else 5 * d.settle
        seconds = max(0.0, d.upto(most))
        answer = rng.choice(("reset", "hang", "408", "500"))
        specs.append(f"delayed-commit:{rng.choice((0.2, 0.5, 0.8))}:seconds={seconds}:answer={answer}")
    if d.chance(0.25):
        specs.append(f"slow:{rng.choice((0.05, 0.3))}:seconds={d.upto(1.5 * d.timeout)}")
    if d.chance(0.15):
        specs.append(f"connect-error:0.1:seconds={rng.choice((0, 0, 3))}")
    if d.chance(0.2):
        form = rng.choice(("seconds", "date", "none"))
        specs.append(f"429-burst:0.05:seconds={rng.choice((1, 5, 20))}:form={form}")
    if d.chance(0.3):
        name = rng.choice(("reset-before-commit", "truncate", "status-500-before", "timeout-before-commit", "not-json"))
        if not any(spec.startswith(f"{name}:") for spec in specs):
            specs.append(f"{name}:{rng.choice((0.05, 0.3))}:on=reads")
    return tuple(specs)
