"""The one sender: what holds for orders, payments, undo entries, cancellations and customers alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from load_fakes import VirtualTime, a_payment, an_order, run_poster
from test_customers import People, load, new
from undo_fakes import UndoMews, posted, undo_in

from etl.ledger.commit import Committer
from etl.ledger.ledger import Ledger
from etl.load.undo import Ending
from etl.model.identity import content_hash
from etl.model.outcome import Outcome
from etl.model.payload import Operation, freeze
from etl.model.states import CustomerState


class Falls:
    """Mixed into a small Mews: the client falls over once, with the first request of one operation, once it acted."""

    falls_at: Operation | None = None
    contents: list[tuple[Operation, bytes]]

    async def send(self, operation: Operation, content: bytes, *, before_send: Any) -> Outcome:
        self.contents.append((operation, content))
        outcome: Outcome = await super().send(operation, content, before_send=before_send)  # type: ignore[misc]
        if operation is self.falls_at:
            self.falls_at = None
            raise RuntimeError("a fault that nobody foresaw")
        return outcome


class FallingUndoMews(Falls, UndoMews):
    """A Mews that can cancel."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__(time)
        self.contents = []


class FallingPeople(Falls, People):
    """A Mews that makes customers."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__(time)
        self.contents = []


@pytest.mark.parametrize("operation", [Operation.ADD_ORDER, Operation.ADD_PAYMENT])
def test_an_unforeseen_fault_leaves_nothing_twice(path: Path, operation: Operation) -> None:
    """What may have left is unknown, found by a look, and not sent again."""
    time = VirtualTime()
    mews = FallingUndoMews(time)
    run_poster(path, mews, time, [an_order("0")])
    mews.falls_at = operation
    result = run_poster(path, mews, time, [an_order("1", payments=(a_payment(),))], run_id="run-2")
    assert result.stop is None
    assert (mews.times_posted("1"), mews.times_paid("1", "gift1")) == (1, 1)
    with Ledger.open(path, read_only=True) as ledger:
        part = "order" if operation is Operation.ADD_ORDER else "gift1"
        assert [one.outcome for one in ledger.attempts("1", part=part)] == ["unknown"]


@pytest.mark.parametrize(
    ("operation", "may_cancel"),
    [(Operation.CANCEL_ITEMS, True), (Operation.ADD_ORDER, False), (Operation.ADD_PAYMENT, True)],
)
def test_an_unforeseen_fault_reverses_nothing_twice(path: Path, operation: Operation, may_cancel: bool) -> None:
    """An undo has the same net: what may have left is settled before anything else goes."""
    time = VirtualTime()
    mews = FallingUndoMews(time)
    posted(path, mews, time, [an_order("1", payments=(a_payment(),)), an_order("2")])
    mews.may_cancel, mews.falls_at = may_cancel, operation
    result = undo_in(path, mews, time)
    assert result.stop is None
    assert result.count(Ending.REVERSED) == 2
    assert (mews.balance(), mews.paid_balance()) == (0, 0)
    assert mews.falls_at is None


def test_an_unforeseen_fault_makes_nobody_twice(path: Path) -> None:
    """A customer whose request fell over is looked up twice, and found."""
    mews = FallingPeople(VirtualTime())
    mews.falls_at = Operation.ADD_CUSTOMER
    result = load(path, mews, [new("1"), new("2")])
    assert result is not None
    assert (result.stop, result.sent, len(mews.welcomes)) == (None, 2, 1)
    with Ledger.open(path, read_only=True) as ledger:
        customer = ledger.customers(["zoe@example.com"])["zoe@example.com"]
    assert (customer.state, customer.attempts) == (CustomerState.CREATED, 1)


def test_what_is_kept_is_what_was_sent_byte_for_byte(path: Path) -> None:
    """The ledger holds the very bytes of each request, and their hash."""
    time = VirtualTime()
    mews = FallingUndoMews(time)
    order = an_order("1", amount="12.50", payments=(a_payment(amount="5.10"),))
    posted(path, mews, time, [order, an_order("2")])
    mews.may_cancel = False
    assert undo_in(path, mews, time).count(Ending.REVERSED) == 2
    with Ledger.open(path, read_only=True) as ledger:
        rows = ledger._read().exec_driver_sql("SELECT payload, payload_hash FROM attempts").all()
    assert sorted(row.payload for row in rows) == sorted(content.decode() for _, content in mews.contents)
    for row in rows:
        assert row.payload_hash == content_hash(json.loads(row.payload, parse_float=Decimal))


@pytest.mark.parametrize(
    ("amounts", "is_same"), [(("10.00", "10.0", "1E+1"), True), (("10.00", "10.01"), False), (("0.00", "-0"), True)]
)
def test_equal_content_has_one_hash(amounts: Sequence[str], is_same: bool) -> None:
    """A refusal holds until what is sent means something else, not until a zero is written out."""
    hashes = {freeze({"GrossValue": Decimal(amount)}).hash for amount in amounts}
    assert (len(hashes) == 1) is is_same


def test_no_amount_is_written_with_an_exponent() -> None:
    """Not every reader of JSON takes one for money."""
    assert freeze({"V": Decimal("1E+2"), "W": Decimal("0.10")}).content == b'{"V":100,"W":0.10}'


@pytest.mark.parametrize("value", [Decimal("NaN"), object()])
def test_what_is_no_json_is_never_frozen(value: Any) -> None:
    """A NaN among the amounts, say, ends before anything is written or sent."""
    check: Callable[[], object] = lambda: freeze({"V": value})  # noqa: E731
    with pytest.raises((ValueError, TypeError)):
        check()


def test_only_what_mews_said_is_kept_after_the_lease(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger on a server keeps an answer that comes after the lease (`Committer`); an intent, never."""
    told: list[tuple[str, bool]] = []
    do = Committer.do

    async def tell(self: Committer, step: Any, *numbers: str, is_answer: bool = False, **more: Any) -> Any:
        told.append((step.__qualname__.split(".")[1], is_answer))
        return await do(self, step, *numbers, is_answer=is_answer, **more)

    monkeypatch.setattr(Committer, "do", tell)
    time = VirtualTime()
    run_poster(path, UndoMews(time), time, [an_order("1", payments=(a_payment(),))])
    assert told == [("_before_send", False), ("_conclude", True)] * 2
