"""What a complete scan says of one order beyond its read-back: copies, strangers to the ledger, reversals. Pure.

`held` is the ledger as read after the scan: an intent is on disk before its first byte leaves, so whatever the
scan met and the ledger does not know then, nobody here has sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from etl.evidence.values import Difference, What
from etl.model.money import money_text, usual_digits
from etl.model.states import PLANNED, State
from etl.reconcile.notebook import Sighting
from etl.reconcile.values import ORDER_PART, UNDO_PART, Klass

PartKey = tuple[int, str]
"""Generation and part."""

ZERO = Decimal(0)
_RANK = (Klass.DUPLICATED, Klass.UNEXPECTED, Klass.MISSING, Klass.DIFFERENT, Klass.MATCHED)


@dataclass(frozen=True, slots=True)
class Held:
    """One part as the ledger has it."""

    state: State
    mews_id: str


@dataclass(slots=True)
class Verdict:
    """What follows for the order. `klass` None: nothing but what the read-back said.

    `strays`: OrderIds whose money the ledger does not know. `unsettled`: the ledger itself is not sure yet.
    `replaces_missing`: it stands in Mews after all, under another OrderId.
    """

    klass: Klass | None = None
    differences: list[Difference] = field(default_factory=list)
    notices: list[Difference] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    mews_ids: list[str] = field(default_factory=list)
    unsettled: bool = False
    replaces_missing: bool = False

    def rank(self, klass: Klass) -> None:
        """Takes the class that says more."""
        if self.klass is None or _RANK.index(klass) < _RANK.index(self.klass):
            self.klass = klass


def judge(sightings: Sequence[Sighting], held: Mapping[PartKey, Held], own: Klass | None) -> Verdict:
    """The verdict on one order number. `own`: the class of its read-back, None where it was not read back."""
    verdict = Verdict()
    groups: dict[PartKey, list[Sighting]] = defaultdict(list)
    undone: dict[PartKey, list[Sighting]] = defaultdict(list)
    for one in sightings:
        reversed_part = _reversed_part(one.part)
        if reversed_part:
            undone[one.generation, reversed_part].append(one)
        else:
            groups[one.generation, one.part].append(one)
    for key in sorted(groups.keys() | undone.keys()):
        reversals = undone.get(key, [])
        if reversals and _is_being_undone(key[0], held):
            verdict.unsettled = True
        else:
            _judge_part(key, groups.get(key, []), reversals, held.get(key), own, verdict)
    return verdict


def _reversed_part(part: str) -> str:
    """What an undo entry reverses: the order, or a payment by its name; "" for what is no undo entry."""
    if part == UNDO_PART:
        return ORDER_PART
    prefix, _, name = part.partition(":")
    return name if prefix == UNDO_PART else ""


def _is_being_undone(generation: int, held: Mapping[PartKey, Held]) -> bool:
    """Whether undo entries are on their way, or in doubt: then no balance says anything yet."""
    return any(
        one == generation and part.startswith(f"{UNDO_PART}:") and is_open.state in (State.IN_FLIGHT, State.UNKNOWN)
        for (one, part), is_open in held.items()
    )


def _judge_part(
    key: PartKey,
    group: list[Sighting],
    reversals: list[Sighting],
    held: Held | None,
    own: Klass | None,
    verdict: Verdict,
) -> None:
    if held is not None and held.state in (State.IN_FLIGHT, State.UNKNOWN):
        verdict.unsettled = True
    elif held is None or (held.state in PLANNED and not held.mews_id):
        words = "unknown to the ledger" if held is None else f"{held.state.value}: not in Mews as the ledger has it"
        _unexpected([*group, *reversals], words, verdict)
    elif held.state is State.UNDONE:
        _judge_undone(key, group, reversals, verdict)
    else:
        _judge_posted(key, group, reversals, held, own, verdict)


def _unexpected(group: list[Sighting], words: str, verdict: Verdict) -> None:
    verdict.rank(Klass.UNEXPECTED)
    for one in group:
        verdict.differences.append(Difference(What.ORDER, words, _words(one), _name(one)))
        verdict.mews_ids.append(one.mews_id)
        if one.live and one.part in (ORDER_PART, UNDO_PART):
            verdict.strays.append(one.mews_id)


def _judge_undone(key: PartKey, group: list[Sighting], reversals: list[Sighting], verdict: Verdict) -> None:
    left = _gross([*group, *reversals])
    if not left:
        return
    verdict.rank(Klass.DIFFERENT)
    currency = (group or reversals)[0].currency
    if key[1] == ORDER_PART:
        verdict.differences.append(
            Difference(
                What.UNDONE, f"{_money(ZERO, currency)} {currency}", f"{_money(left, currency)} {currency} with tax"
            )
        )
        verdict.mews_ids += [one.mews_id for one in group]
        verdict.strays += [one.mews_id for one in (*group, *reversals) if one.live]
        return
    # A payment left over, or paid back more than once: money of the guest, though none of the items' sums.
    seen = ", ".join(
        f"PaymentId {one.mews_id}: {_money(one.gross, currency)}" for one in (*group, *reversals) if one.live
    )
    verdict.differences.append(
        Difference(
            What.UNDONE, f"{_money(ZERO, currency)} {currency}", f"{_money(left, currency)} {currency} ({seen})", key[1]
        )
    )
    verdict.mews_ids += [one.mews_id for one in (*group, *reversals)]


def _judge_posted(
    key: PartKey,
    group: list[Sighting],
    reversals: list[Sighting],
    held: Held,
    own: Klass | None,
    verdict: Verdict,
) -> None:
    copies = [one for one in group if one.mews_id.lower() != held.mews_id.lower()]
    live = [one for one in copies if one.live]
    rest = _gross([*copies, *reversals])
    is_order = key[1] == ORDER_PART
    if is_order and (rest or not reversals):
        verdict.strays += [one.mews_id for one in (*live, *reversals) if one.live]
    if is_order and own is Klass.MISSING and len(live) == 1 and len(copies) == len(group):
        verdict.rank(Klass.DIFFERENT)
        verdict.replaces_missing = True
        verdict.differences.append(Difference(What.ORDER, f"OrderId {held.mews_id}", _words(live[0])))
        if reversals:
            _tell_reversals(reversals, verdict)
    elif reversals and not rest:
        texts = ", ".join(one.mews_id for one in copies) or "the order"
        verdict.notices.append(Difference(What.UNDONE, "nothing", f"{texts}: reversed"))
    elif live:
        verdict.rank(Klass.DUPLICATED)
        expected = f"once, {'OrderId' if is_order else 'PaymentId'} {held.mews_id}"
        for one in live:
            verdict.differences.append(Difference(What.ORDER, expected, f"also {_words(one)}", _name(one)))
            verdict.mews_ids.append(one.mews_id)
        if reversals:
            _tell_reversals(reversals, verdict)
    elif reversals:
        verdict.rank(Klass.DIFFERENT)
        _tell_reversals(reversals, verdict)
    else:
        verdict.notices += [Difference(What.CANCELLED, "nothing", f"cancelled copy {one.mews_id}") for one in copies]


def _tell_reversals(reversals: list[Sighting], verdict: Verdict) -> None:
    words = f"undo entries of {_money(_gross(reversals), reversals[0].currency)} {reversals[0].currency} with tax"
    verdict.differences.append(Difference(What.UNDONE, "not undone", words))


def _gross(group: Sequence[Sighting]) -> Decimal:
    return sum((one.gross for one in group), Decimal(0))


def _money(amount: Decimal, currency: str) -> str:
    return money_text(amount, usual_digits(currency))


def _words(one: Sighting) -> str:
    kind = "OrderId" if one.part in (ORDER_PART, UNDO_PART) else "PaymentId"
    amount = f"{_money(one.gross, one.currency)} {one.currency} with tax" if one.live else "cancelled"
    return f"{kind} {one.mews_id}: {amount}"


def _name(one: Sighting) -> str:
    return "" if one.part == ORDER_PART else one.part
