"""The sandbox's state file: nothing that was answered is lost, whatever ends the process."""

from __future__ import annotations

import json
import resource
import shutil
from pathlib import Path

import pytest
from sandbox_desk import ACCOUNT, SERVICE, Desk, bill, item, paid, sold, world_of

from etl.errors import UsageError

PAYMENT = {"AccountId": ACCOUNT, "Amount": {"Currency": "GBP", "GrossValue": 1}, "Type": "Cash"}


def filled(path) -> Desk:
    """A sandbox that wrote one of each kind: order, cancellation, outlet bills, one touched, payment, customer."""
    desk = Desk(state=path)
    desk.posted(item(ExternalIdentifier="centra:uk:1:p1"), item(), Notes="n")
    desk.clock.forward(60)
    desk.get("orderItems/cancel", OrderItemIds=[desk.sandbox.items[1].id])
    desk.added(bill(sold(ExternalIdentifier="centra:uk:2:p1"), paid()), bill(Number="2", Notes="n"))
    desk.clock.forward(60)
    desk.sandbox.touch_bill(next(iter(desk.sandbox.outlets.bills)), notes="seen")
    desk.get("payments/addExternal", **PAYMENT)
    desk.get("customers/add", LastName="New", Email="new@example.com", OverwriteExisting=False)
    return desk


def test_everything_is_there_after_a_restart(tmp_path):
    """Orders, items with their cancellation, outlet bills, payments and customers come back, ids included."""
    first = filled(tmp_path / "state")
    first.sandbox.close()
    again = Desk(state=tmp_path / "state")
    assert again.sandbox.items == first.sandbox.items
    assert again.sandbox.orders == first.sandbox.orders
    assert again.sandbox.payments == first.sandbox.payments
    assert again.sandbox.customers == first.sandbox.customers
    assert again.items(ServiceIds=[SERVICE]) == first.items(ServiceIds=[SERVICE])
    assert list(again.sandbox.outlets.bills.values()) == list(first.sandbox.outlets.bills.values())
    assert again.sandbox.outlets.items == first.sandbox.outlets.items
    for name in ("ClosedUtc", "ConsumedUtc", "UpdatedUtc"):
        span = {"StartUtc": "2011-11-01T00:00:00Z", "EndUtc": "2012-01-31T00:00:00Z"}
        assert len(again.outlet_page(**{name: span})["OutletItems"]) == 3
        assert again.outlet_page(**{name: span}) == first.outlet_page(**{name: span})
    again.sandbox.close()


def test_ids_are_new_after_a_restart(tmp_path):
    """A restart with the same seed does not hand out the same ids again."""
    filled(tmp_path / "state").sandbox.close()
    desk = Desk(state=tmp_path / "state")
    desk.posted(item())
    ids = [each.id for each in (*desk.sandbox.items, *desk.sandbox.orders)]
    assert len(set(ids)) == len(ids) == 5
    assert [each.number for each in desk.sandbox.orders] == ["1", "2"]
    desk.sandbox.close()


def test_mewss_clock_runs_on_while_the_sandbox_is_down(tmp_path):
    """With `now` in the world, a restart does not turn Mews's clock back."""
    desk = filled(tmp_path / "state")
    desk.sandbox.close()
    later = Desk(state=tmp_path / "state")
    later.clock.forward(3600)
    assert later.get("configuration/get")["NowUtc"] == "2012-01-10T13:00:00Z"
    later.sandbox.close()


@pytest.mark.parametrize("write", ["bill", "payment", "customer"])
def test_ids_are_new_after_every_restart_whatever_is_written(tmp_path, write):
    """Of two restarts with the same seed and nothing but bills (or payments, or customers) between, neither repeats an id."""
    for number in range(4):
        desk = Desk(state=tmp_path / "state")
        match write:
            case "bill":
                desk.added(bill())
            case "payment":
                desk.get("payments/addExternal", **PAYMENT)
            case _:
                desk.get("customers/add", LastName="N", OverwriteExisting=False)
        held = desk.sandbox
        people = len(world_of().enterprise.customers)
        assert len(held.outlets.bills) + len(held.payments) + len(held.customers) == people + number + 1
        held.close()


def test_bills_from_before_are_not_written_to_the_file(tmp_path):
    """They come from the world every time, once, before everything else."""
    world = world_of(outlet_bills=[bill(Number="before")])
    for count in (1, 2, 3):
        desk = Desk(world, state=tmp_path / "state")
        assert [each.number for each in desk.sandbox.outlets.bills.values()] == ["before", *["new"] * (count - 1)]
        desk.added(bill(Number="new"))
        desk.sandbox.close()


def test_a_file_of_before_there_were_outlets_opens(tmp_path):
    """Somebody's rehearsal goes on with a newer version: all is there, and bills are written behind it."""
    path = tmp_path / "state"
    shutil.copy(Path(__file__).with_name("state_before_outlets.jsonl"), path)
    desk = Desk(state=path)
    assert [each.external_identifier for each in desk.sandbox.items] == ["centra:uk:1:p1", None]
    assert desk.sandbox.items[1].canceled is not None
    assert len(desk.sandbox.payments) == 1
    assert "new@example.com" in {each.email for each in desk.sandbox.customers}
    assert desk.sandbox.outlets.bills == {}
    own = desk.added(bill())
    desk.sandbox.close()
    again = Desk(state=path)
    assert list(again.sandbox.outlets.bills) == own
    assert len(again.sandbox.orders) == 1
    again.sandbox.close()


@pytest.mark.parametrize("cut", [1, 10, 200])
def test_a_half_written_last_line_is_cut_off(tmp_path, cut):
    """A process killed within a write leaves a file that opens, with all that was whole before."""
    path = tmp_path / "state"
    filled(path).sandbox.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    desk = Desk(state=path)
    assert len(desk.sandbox.payments) == 1
    assert "new@example.com" not in {each.email for each in desk.sandbox.customers}
    desk.posted(item())
    desk.sandbox.close()
    again = Desk(state=path)
    assert len(again.sandbox.orders) == 2
    again.sandbox.close()


def test_a_long_half_line_leaves_no_rest(tmp_path):
    """What a kill left is cut off before the next write, or its end would follow a shorter line."""
    path = tmp_path / "state"
    filled(path).sandbox.close()
    path.write_bytes(path.read_bytes() + b'{"order": ' + b"x" * 20_000)
    desk = Desk(state=path)
    desk.posted(item())
    desk.sandbox.close()
    again = Desk(state=path)
    assert len(again.sandbox.orders) == 2
    again.sandbox.close()


def test_each_line_is_whole_before_the_answer_leaves(tmp_path):
    """What was answered is on disk, without closing anything."""
    desk = Desk(state=tmp_path / "state")
    order = desk.posted(item())
    lines = (tmp_path / "state").read_text().splitlines()
    assert json.loads(lines[-1])["order"]["id"] == order
    own = desk.added(bill(), bill())
    lines = (tmp_path / "state").read_text().splitlines()
    # One line for the request: a kill can't leave half of what was answered.
    assert {each["id"] for each in json.loads(lines[-1])["bills"]} == set(own)
    desk.sandbox.close()


def test_the_file_of_another_world_is_refused(tmp_path):
    """Two worlds in one file would mix two hotels."""
    filled(tmp_path / "state").sandbox.close()
    other = world_of(enterprise={"id": "e0000000-0000-4000-a000-0000000000ff", "name": "Other"})
    with pytest.raises(UsageError, match="another world"):
        Desk(other, state=tmp_path / "state")


def test_two_sandboxes_do_not_share_a_file(tmp_path):
    """The second one is refused; two writers would tear each other's lines."""
    desk = filled(tmp_path / "state")
    with pytest.raises(UsageError, match="in use"):
        Desk(state=tmp_path / "state")
    desk.sandbox.close()
    Desk(state=tmp_path / "state").sandbox.close()


@pytest.mark.parametrize("content", ["no json\n", '{"order": 1}\n', "[]\n"])
def test_a_file_that_is_no_state_is_refused_and_kept(tmp_path, content):
    """A wrong path costs nobody their file."""
    path = tmp_path / "state"
    path.write_text(content)
    with pytest.raises(UsageError, match="Line 1"):
        Desk(state=path)
    assert path.read_text() == content


def test_a_state_file_that_cannot_be_made_is_a_usage_error(tmp_path):
    """A missing folder is told in a sentence."""
    with pytest.raises(UsageError, match="can't be opened"):
        Desk(state=tmp_path / "missing" / "state")


def test_the_state_file_is_the_owners_only(tmp_path):
    """It holds what a ledger holds, and is as private."""
    Desk(state=tmp_path / "state").sandbox.close()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_refuses_without_doing(tmp_path):
    """Where a change can't be written whole it did not happen: 500, no order, and a file that still opens."""
    path = tmp_path / "state"
    desk = Desk(state=path)
    desk.posted(item(Name="first"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, hard))
    try:
        status, body = desk.order(item(Name="second"))
        bills = desk.add(bill(), bill())[0]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (status, "state file" in body["Message"], bills) == (500, True, 500)
    desk.posted(item(Name="third"))
    desk.sandbox.close()
    again = Desk(state=path)
    assert [each.name for each in again.sandbox.items] == [each.name for each in desk.sandbox.items]
    assert [each.name for each in again.sandbox.items] == ["first", "third"]
    assert again.sandbox.outlets.bills == {}
    again.sandbox.close()
