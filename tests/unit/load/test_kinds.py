"""One of each kind first: what only Mews can tell is tried by one order at a time, and held after three refusals."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ledger_copy import copy_ledger
from load_fakes import SmallMews, a_payment, an_order, run_poster

from etl.errors import ExitCode
from etl.ledger.ledger import Ledger
from etl.ledger.records import loads
from etl.load.stop import StopFlag
from etl.model.kinds import KindState
from etl.model.outcome import Kind, Outcome
from etl.model.states import State
from etl.model.status import ReportState

NEGATIVE = "Negative amounts are not allowed: this integration may not post rebates."


def a_return(number: str, **more: Any):
    return an_order(number, amount="-12.00", **{"unproved": ("rebates",), **more})


def a_month(sales: int = 20, returns: int = 30) -> list:
    """Sales and returns in turn, oldest first."""
    found = [an_order("1")]
    for at in range(max(sales, returns)):
        found += [a_return(str(1000 + at))] if at < returns else []
        found += [an_order(str(2000 + at))] if at < sales else []
    return found


def paid_orders(count: int, first: int = 100) -> list:
    """Orders that a gift card covers in part."""
    return [
        an_order(str(first + at), payments=(a_payment("gift1"),), unproved=("payment:GiftCard",)) for at in range(count)
    ]


def is_negative(payload: dict) -> bool:
    return any(item["UnitAmount"]["GrossValue"] < 0 for item in payload.get("Items", ()))


def refusing(test: Any, message: Any = NEGATIVE, status: int = 403) -> Any:
    """A script that refuses the calls that `test` picks; `message` is a text, or made from the call's number."""

    def script(payload: dict, number: int):
        if not test(payload):
            return None
        words = message(number) if callable(message) else message
        return Outcome(Kind.REFUSED, status=status, message=words, request_id=f"req-{number}")

    return script


def refuse_returns(mews: SmallMews, **more: Any) -> None:
    mews.script = refusing(is_negative, **more)


def sent(mews: SmallMews, test: Any = is_negative) -> int:
    return sum(test(call) for call in mews.calls)


def kinds_of(path: Path) -> dict:
    with Ledger.open(path, read_only=True) as ledger:
        return ledger.kinds()


def test_three_equal_refusals_hold_the_kind_and_the_others_go_on(path, mews, time):
    """120 of 575 returns ran one by one into the same refusal: three are enough to know, sales are not its concern."""
    refuse_returns(mews)
    result = run_poster(path, mews, time, a_month(sales=20, returns=50))
    assert sent(mews) == 3
    assert result.stop is None
    assert result.counts == {ReportState.POSTED: 21, ReportState.REJECTED: 3, ReportState.BLOCKED: 47}
    with Ledger.open(path, read_only=True) as ledger:
        assert [ledger.order(str(1000 + at)).state for at in range(4)] == [State.REJECTED] * 3 + [State.BLOCKED]
        blocked = ledger.order("1049")
    assert blocked.code == "kind.refused"
    assert NEGATIVE in blocked.message
    assert kinds_of(path)["rebates"].state is KindState.HELD


def test_a_later_run_sends_nothing_of_a_held_kind(path, mews, time):
    """Ten runs must not make thirty refusals; a changed payload is ready again, of the same kind, and blocked so."""
    refuse_returns(mews)
    batch = a_month(sales=2, returns=10)
    run_poster(path, mews, time, batch)
    calls = len(mews.calls)
    other = [a_return("1000", account_id="another"), *batch[2:], a_return("1999")]
    again = run_poster(path, mews, time, [batch[0], *other], run_id="run-2")
    assert len(mews.calls) == calls
    assert again.counts == {ReportState.ALREADY_POSTED: 3, ReportState.REJECTED: 2, ReportState.BLOCKED: 9}


def test_retrying_tries_three_again_and_no_more(path, mews, time):
    """Asked to try again, the tool asks Mews anew, as carefully as the first time."""
    refuse_returns(mews)
    batch = a_month(sales=2, returns=30)
    run_poster(path, mews, time, batch)
    run_poster(path, mews, time, batch, run_id="run-2", run={"retry_rejected": True})
    assert sent(mews) == 6
    mews.script = lambda _p, _n: None
    result = run_poster(path, mews, time, batch, run_id="run-3", run={"retry_rejected": True})
    assert result.counts == {ReportState.ALREADY_POSTED: 3, ReportState.POSTED: 30}
    assert kinds_of(path)["rebates"].state is KindState.PROVED


def test_retrying_what_is_not_reached_leaves_the_kind_held(path, mews, time):
    """A retry that its limit ends before the first return has not asked Mews anything about returns."""
    refuse_returns(mews)
    batch = a_month(sales=2, returns=5)
    run_poster(path, mews, time, batch)
    more = [an_order("3"), *batch]
    run_poster(path, mews, time, more, run_id="run-2", run={"retry_rejected": True, "limit": 1})
    assert (sent(mews), kinds_of(path)["rebates"].state) == (3, KindState.HELD)


def test_one_goes_alone_and_proves_its_kind_for_this_ledger(path, mews, time):
    """While the first return is on its way no other is; afterwards they go with all the others."""
    together, most = Counter(), [0]
    send = mews.send

    async def watched(operation, content, *, before_send):
        is_counted = is_negative(loads(content.decode(), {}))

        async def leave():
            await before_send()
            together["now"] += is_counted
            most[0] = max(most[0], together["now"])
            together["before proof"] = max(together["before proof"], 0 if together["done"] else together["now"])

        outcome = await send(operation, content, before_send=leave)
        together["now"] -= is_counted
        together["done"] += is_counted
        return outcome

    mews.send = watched
    result = run_poster(path, mews, time, a_month(sales=5, returns=30))
    assert result.counts == {ReportState.POSTED: 36}
    assert together["before proof"] == 1
    assert most[0] > 1
    assert kinds_of(path)["rebates"].state is KindState.PROVED


def test_a_proved_kind_is_never_held_again(path, mews, time):
    """What Mews took once it allows; later refusals have another reason, and twenty equal ones stop the run."""
    run_poster(path, mews, time, a_month(sales=1, returns=1))
    refuse_returns(mews)
    result = run_poster(path, mews, time, a_month(sales=0, returns=40), run_id="run-2")
    assert result.stop.code == "run.refusals"
    assert kinds_of(path)["rebates"].state is KindState.PROVED


def test_ids_numbers_and_names_make_no_other_words(path, mews, time):
    """The same refusal of another order names another order."""
    refuse_returns(
        mews,
        message=lambda n: (
            f"Order {n} of Jane Roe ('Mug {n}'): negative amounts are not allowed (1d2f3a4b-0000-4000-8000-{n:012d})."
        ),
    )
    run_poster(path, mews, time, a_month(sales=2, returns=20))
    assert sent(mews) == 3


def test_refusals_in_other_words_do_not_add_up(path, mews, time):
    """Three different reasons are no rule; the fifth return is taken, and that proves the kind."""
    words = iter(["Negative amounts need a reason.", "A rebate needs an invoice.", "The credit is too old.", "x"])
    seen = []

    def script(payload, _):
        if is_negative(payload) and len(seen) < 4:
            seen.append(1)
            return Outcome(Kind.REFUSED, status=403, message=next(words))
        return None

    mews.script = script
    result = run_poster(path, mews, time, a_month(sales=2, returns=12))
    assert result.counts == {ReportState.POSTED: 11, ReportState.REJECTED: 4}


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("The tax code UK-S is not valid at the time of consumption.", 403),
        ("The time of consumption is before the editable history interval of the enterprise.", 403),
        ("The product Mug is not active.", 403),
        ("The request is too large.", 413),
    ],
)
def test_a_refusal_about_something_else_neither_proves_nor_holds(path, mews, time, message, status):
    """A wrong tax code is no word about rebates: returns go on one by one, and twenty equal refusals stop the run."""
    refuse_returns(mews, message=message, status=status)
    result = run_poster(path, mews, time, a_month(sales=0, returns=40))
    assert result.stop.code == "run.refusals"
    assert sent(mews) == 20
    assert kinds_of(path).get("rebates") is None


def test_words_that_a_sale_met_too_are_not_about_returns(path, mews, time):
    """A firewall that refuses everybody says nothing of rebates."""
    mews.script = refusing(lambda p: p["AccountId"] == "bad", message="Forbidden by policy.")
    batch = [
        an_order("1"),
        an_order("2", account_id="bad"),
        *(a_return(str(n), account_id="bad") for n in range(5, 10)),
    ]
    result = run_poster(path, mews, time, [*batch, a_return("20")])
    assert result.counts == {ReportState.POSTED: 2, ReportState.REJECTED: 6}
    assert kinds_of(path)["rebates"].state is KindState.PROVED


def test_twenty_refusals_of_the_rest_still_stop_a_run_with_a_held_kind(path, mews, time):
    """Refusals of a kind in between do not start the count anew."""
    mews.script = refusing(lambda p: is_negative(p) or p["AccountId"] == "bad", message=lambda n: "no")
    sales = [an_order(str(2000 + at), account_id="bad") for at in range(60)]
    result = run_poster(path, mews, time, [an_order("1"), a_return("10"), a_return("11"), *sales])
    assert result.stop.code == "run.refusals"
    assert len(mews.calls) <= 30


def test_one_in_doubt_holds_its_kind_until_it_is_settled(path, mews, time):
    """Nobody knows whether Mews took the first return: the second waits, sales do not."""
    mews.script = lambda p, _: ("lost", 20.0) if p["Notes"].startswith("[centra:uk:1000]") else None
    order = []
    mews.before_answer = lambda n: order.append((time.seconds, is_negative(mews.calls[n - 1])))
    result = run_poster(path, mews, time, a_month(sales=10, returns=10))
    assert result.exit_code is ExitCode.DONE
    returns = [at for at, negative in order if negative]
    assert max(at for at, negative in order if not negative) < returns[1]
    assert returns[1] - returns[0] >= 20


@pytest.mark.parametrize("is_booked", [True, False], ids=["booked", "lost"])
def test_no_wait_leaves_the_kind_ready(path, mews, time, is_booked):
    """`--no-wait` ends with the kind in doubt; the next run settles the first return before it sends the second."""
    lost = ("lost", 0.0) if is_booked else Outcome(Kind.UNKNOWN, message="reset")
    mews.script = lambda p, _: lost if p["Notes"].startswith("[centra:uk:1000]") else None
    result = run_poster(path, mews, time, a_month(sales=3, returns=4), run={"no_wait": True})
    assert sent(mews) == 1
    # The closing look finds the first where it is there; the others wait for the next run all the same.
    first = ReportState.RECOVERED if is_booked else ReportState.UNKNOWN
    assert result.counts == {ReportState.POSTED: 4, first: 1, ReportState.READY: 3}
    refuse_returns(mews)
    calls = len(mews.calls)
    again = run_poster(path, mews, time, a_month(sales=3, returns=4), run_id="run-2")
    tried = [call["Notes"].split("]")[0].removeprefix("[centra:uk:") for call in mews.calls[calls:]]
    assert tried == (["1001", "1002", "1003"] if is_booked else ["1000", "1001", "1002"])
    if is_booked:
        # The survey found the first: the kind is proved, so these refusals are nothing but refusals.
        assert again.counts == {ReportState.ALREADY_POSTED: 5, ReportState.REJECTED: 3}
    else:
        assert again.counts == {ReportState.ALREADY_POSTED: 4, ReportState.REJECTED: 3, ReportState.BLOCKED: 1}


def test_an_order_that_gave_up_frees_its_kind(path, mews, time):
    """Proved absent three times, the first return is rejected; that is no refusal, and the next one tries."""
    gone = Outcome(Kind.UNKNOWN, message="reset")
    mews.script = lambda p, _: gone if p["Notes"].startswith("[centra:uk:1000]") else None
    result = run_poster(path, mews, time, a_month(sales=1, returns=5))
    assert result.counts == {ReportState.POSTED: 6, ReportState.REJECTED: 1}


def test_an_order_of_several_kinds_waits_for_all_but_the_last(path, mews, time):
    """Return 10 needs rebates and a company: return 11 proves rebates first, then 10 proves the company."""
    batch = [an_order("1"), a_return("10", unproved=("rebates", "company")), a_return("11")]
    result = run_poster(path, mews, time, batch)
    assert result.counts == {ReportState.POSTED: 3}
    notes = [call["Notes"] for call in mews.calls]
    assert notes.index("[centra:uk:11] Centra order 11") < notes.index("[centra:uk:10] Centra order 10")
    assert {kind: one.state for kind, one in kinds_of(path).items()} == {
        "rebates": KindState.PROVED,
        "company": KindState.PROVED,
    }


def test_orders_of_several_kinds_go_one_by_one_where_nobody_else_can_try(path, mews, time):
    """Every return is a company's: waiting for another to prove rebates would be waiting for ever."""
    batch = [an_order("1"), *(a_return(str(n), unproved=("rebates", "company")) for n in range(10, 20))]
    refuse_returns(mews)
    result = run_poster(path, mews, time, batch)
    assert result.counts == {ReportState.POSTED: 1, ReportState.REJECTED: 3, ReportState.BLOCKED: 7}
    # Mews's words name rebates; they say nothing of companies.
    assert kinds_of(path)["rebates"].state is KindState.HELD
    assert "company" not in kinds_of(path)


def test_a_held_kind_blocks_orders_that_wait_for_another_one_too(path, mews, time):
    """A company's return is a return."""
    refuse_returns(mews)
    batch = [an_order("1"), a_return("10", unproved=("rebates", "company")), *(a_return(str(n)) for n in range(20, 24))]
    result = run_poster(path, mews, time, batch)
    assert result.counts == {ReportState.POSTED: 1, ReportState.REJECTED: 3, ReportState.BLOCKED: 2}


def test_a_held_payment_type_holds_unsent_orders_whole(path, mews, time):
    """Items without their gift card would charge the guest in full; what is posted stays and is not sent again."""
    mews.script = refusing(lambda p: p.get("Type") == "GiftCard", message="This type of payment is not enabled.")
    batch = [an_order("1"), *paid_orders(10)]
    result = run_poster(path, mews, time, batch)
    assert result.counts == {ReportState.POSTED: 1, ReportState.REJECTED: 3, ReportState.BLOCKED: 7}
    assert [mews.times_posted(str(100 + at)) for at in range(5)] == [1, 1, 1, 0, 0]
    assert sent(mews, lambda p: "Type" in p) == 3
    calls = len(mews.calls)
    run_poster(path, mews, time, batch, run_id="run-2")
    assert len(mews.calls) == calls
    mews.script = lambda _p, _n: None
    done = run_poster(path, mews, time, batch, run_id="run-3", run={"retry_rejected": True})
    assert done.exit_code is ExitCode.DONE
    assert [mews.times_posted(str(100 + at)) for at in range(10)] == [1] * 10
    assert [mews.times_paid(str(100 + at), "gift1") for at in range(10)] == [1] * 10


def test_a_posted_order_keeps_its_state_and_its_unsent_payment(path, mews, time):
    """Ctrl-C came between items and payment, then the type was refused: the payment waits, the items stay."""
    batch = [an_order("1"), *paid_orders(6)]
    mews.script = lambda p, _: Outcome(Kind.WAIT, status=429, retry_after=1.0) if "Type" in p else None
    stop = StopFlag()
    mews.before_answer = lambda n: stop.request() if "[centra:uk:100]" in mews.calls[n - 1]["Notes"] else None
    run_poster(path, mews, time, batch, stop=stop)
    with Ledger.open(path, read_only=True) as ledger:
        assert {part.part: part.state for part in ledger.parts(["100"])["100"]} == {
            "order": State.POSTED,
            "gift1": State.READY,
        }
    mews.before_answer = lambda _n: None
    mews.script = refusing(lambda p: "Type" in p, message="not enabled")
    run_poster(path, mews, time, [batch[0], *batch[2:]], run_id="run-2")
    payments = sent(mews, lambda p: "Type" in p)
    result = run_poster(path, mews, time, batch, run_id="run-3")
    assert sent(mews, lambda p: "Type" in p) == payments
    assert mews.times_posted("100") == 1
    assert result.counts[ReportState.READY] == 1


def test_two_payments_of_one_refused_type_are_one_refusal(path, mews, time):
    """The second gift card of the order that tries would only be refused in the same words."""
    both = (a_payment("gift1"), a_payment("gift2"))
    batch = [an_order("1"), *(an_order(str(n), payments=both, unproved=("payment:GiftCard",)) for n in range(10, 20))]
    mews.script = refusing(lambda p: "Type" in p, message="not enabled")
    result = run_poster(path, mews, time, batch)
    assert sent(mews, lambda p: "Type" in p) == 3
    assert result.counts[ReportState.REJECTED] == 3


@pytest.mark.parametrize(("refused", "other"), [("gift1", "pay1"), ("pay1", "gift1")])
def test_a_refused_payment_never_loses_the_items(path, mews, time, refused, other):
    """Only the part that is not posted is sent again, whichever it is; the others keep state and id."""
    both = (a_payment("gift1"), replace(a_payment("pay1"), type="Cash"))
    order = an_order("7", payments=both, unproved=("payment:GiftCard",))
    mews.script = refusing(lambda p: p.get("ExternalIdentifier", "").endswith(refused), message="not enabled")
    result = run_poster(path, mews, time, [an_order("1"), order])
    assert result.counts == {ReportState.POSTED: 1, ReportState.REJECTED: 1}
    with Ledger.open(path, read_only=True) as ledger:
        row = ledger.order("7")
        states = {part.part: part.state for part in ledger.parts(["7"])["7"]}
    assert (row.mews_order_id != "", row.state) == (True, State.REJECTED)
    assert states == {"order": State.POSTED, refused: State.REJECTED, other: State.POSTED}
    mews.script = lambda _p, _n: None
    calls = len(mews.calls)
    run_poster(path, mews, time, [an_order("1"), order], run_id="run-2", run={"retry_rejected": True})
    assert [call.get("ExternalIdentifier") for call in mews.calls[calls:]] == [f"centra:uk:7:{refused}"]


def test_a_payment_whose_type_was_refused_meanwhile_is_left_out(path, mews, time):
    """It waited beside another one, which goes: of a held kind nothing is sent, whenever it was chosen."""
    both = (a_payment("gift1"), replace(a_payment("pay1"), type="Cash"))
    whole = an_order("100", payments=both, unproved=("payment:GiftCard",))
    mews.script = lambda p, _: Outcome(Kind.WAIT, status=429, retry_after=1.0) if "Type" in p else None
    stop = StopFlag()
    mews.before_answer = lambda n: stop.request() if "[centra:uk:100]" in mews.calls[n - 1]["Notes"] else None
    run_poster(path, mews, time, [an_order("1"), whole], stop=stop)
    mews.before_answer = lambda _n: None
    mews.script = refusing(lambda p: p.get("Type") == "GiftCard", message="not enabled")
    calls = len(mews.calls)
    run_poster(path, mews, time, [an_order("1"), *paid_orders(3, first=101), whole], run_id="run-2")
    paid = [call["ExternalIdentifier"] for call in mews.calls[calls:] if "Type" in call]
    assert paid == [*(f"centra:uk:{number}:gift1" for number in (101, 102, 103)), "centra:uk:100:pay1"]


def test_one_refused_payment_of_a_type_that_mews_takes_says_nothing_of_the_next(path, mews, time):
    """The type is proved: the second gift card of an order goes, whatever Mews has against the first."""
    both = (a_payment("gift1"), a_payment("gift2"))
    mews.script = refusing(lambda p: p.get("ExternalIdentifier") == "centra:uk:7:gift1", message="used up")
    paid = [an_order(number, payments=both, unproved=("payment:GiftCard",)) for number in ("6", "7")]
    run_poster(path, mews, time, [an_order("1"), *paid])
    assert [mews.times_paid(one.number, part) for one in paid for part in ("gift1", "gift2")] == [1, 1, 0, 1]


def test_firsts_count_towards_the_limit(path, mews, time):
    """`--limit 4` sends four orders, whatever their kinds."""
    result = run_poster(path, mews, time, a_month(sales=10, returns=10), run={"limit": 4})
    assert len(mews.calls) == 4
    assert result.counts == {ReportState.POSTED: 4, ReportState.READY: 17}
    refuse_returns(mews)
    run_poster(path, mews, time, a_month(sales=10, returns=10), run_id="run-2", run={"limit": 5})
    assert len(mews.calls) == 9


def test_a_return_that_waits_for_its_order_does_not_keep_others_from_trying(path, mews, time):
    """Return 5-R9 comes before its order 5, which Mews answers late; return 10 tries rebates meanwhile."""
    batch = [an_order("1"), a_return("5-R9", parent="5"), a_return("10"), an_order("5")]
    mews.script = lambda p, _: ("lost", 20.0) if "uk:5]" in p["Notes"] else None
    result = run_poster(path, mews, time, batch)
    assert result.exit_code is ExitCode.DONE
    notes = [call["Notes"].split("]")[0] for call in mews.calls]
    assert notes.index("[centra:uk:10") < notes.index("[centra:uk:5-R9")
    assert mews.times_posted("5-R9") == 1


def test_the_first_order_of_a_ledger_proves_its_kinds(path, mews, time):
    """Alone it goes anyway; what it needs is known then."""
    run_poster(path, mews, time, [a_return("1"), an_order("2")])
    assert kinds_of(path)["rebates"].state is KindState.PROVED


def test_returns_before_the_first_sale_are_tried_three_times(path, mews, time):
    """The ledger's first orders are refused returns: the first sale is still sent alone and read back."""
    refuse_returns(mews)
    seen = []
    mews.before_answer = lambda n: seen.append(len(mews.calls))
    batch = [*(a_return(str(n)) for n in range(1, 8)), *(an_order(str(n)) for n in range(10, 15))]
    result = run_poster(path, mews, time, batch)
    assert result.counts == {ReportState.POSTED: 5, ReportState.REJECTED: 3, ReportState.BLOCKED: 4}
    assert (sent(mews), seen[0]) == (3, 4)


def test_the_amounts_of_held_orders_are_kept_for_the_report(path, mews, time):
    """Blocked with number and money: the plan's facts stay with the order."""
    refuse_returns(mews)
    run_poster(path, mews, time, a_month(sales=1, returns=5))
    with Ledger.open(path, read_only=True) as ledger:
        assert sum(row.source_total for row in ledger.orders([State.BLOCKED])) == Decimal("-24.00")


# Looking first


def of_two_kinds(number: str = "1") -> Any:
    """An order that nobody else can try: it needs two kinds at once."""
    payments = (a_payment("gift1"), replace(a_payment("pay1", "0.50"), type="Cash"))
    return an_order(number, payments=payments, unproved=("payment:Cash", "payment:GiftCard"))


@pytest.mark.parametrize("other", [[], [a_return("2", unproved=("rebates", "bill"))]])
def test_a_fresh_ledger_looks_before_it_tries_several_kinds(path, mews, time, tmp_path, other):
    """All that is there to send waits for its kinds: whoever goes first, Mews is looked at before."""
    run_poster(path, mews, time, [of_two_kinds()])
    sent_before = len(mews.calls)
    result = run_poster(tmp_path / "lost.sqlite", mews, time, [of_two_kinds(), *other], run_id="run-2")
    assert result.stop is not None
    assert result.stop.code == "ledger.incomplete"
    assert len(mews.calls) == sent_before


def test_an_old_ledger_looks_before_it_tries_several_kinds(path, mews, time, tmp_path):
    """Its first order was read back long ago; what it does not know was posted by a later one."""
    run_poster(path, mews, time, [an_order("1")])
    old = tmp_path / "old.sqlite"
    copy_ledger(path, old)
    time.seconds += 3600
    batch = [an_order("1"), of_two_kinds("2")]
    run_poster(path, mews, time, batch, run_id="run-2")
    sent_before = len(mews.calls)
    result = run_poster(old, mews, time, batch, run_id="run-3")
    assert result.stop is not None
    assert result.stop.code == "ledger.incomplete"
    assert len(mews.calls) == sent_before


def test_a_kind_is_held_also_while_no_order_was_read_back(path, mews, time):
    """The first order of a ledger was in doubt and is refused: those that waited for it make two refusals, not four."""
    batch = [a_return(str(at)) for at in range(100, 105)]
    mews.script = lambda _payload, _number: Outcome(Kind.UNKNOWN, message="reset")
    run_poster(path, mews, time, batch, run={"no_wait": True})
    refuse_returns(mews)
    before = sent(mews)
    time.seconds += 400
    result = run_poster(path, mews, time, batch, run_id="run-2")
    assert sent(mews) - before == 3
    assert result.counts == {ReportState.REJECTED: 3, ReportState.BLOCKED: 2}
