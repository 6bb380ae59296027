"""Texts of Mews that no file takes: half a character in a refusal, or in an order of somebody else."""

from __future__ import annotations

import pytest
from in_process import in_process
from shop_settings import bad_day
from small_shop import SmallShop, rows

from etl.sandbox import writes
from etl.sandbox.call import RefusedError


@pytest.fixture
def shop(tmp_path) -> SmallShop:
    """A shop whose commands run in this process, beside its Mews."""
    with bad_day(tmp_path) as shop:
        shop.shell = in_process(shop.shell)
        yield shop


def test_half_a_character_in_a_refusal(shop: SmallShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mews quotes a name that was cut in an emoji: refused with words, not an internal error."""

    def refuse(*_: object) -> str:
        raise RefusedError(403, "The customer Ann \ud83d can't be charged.")

    monkeypatch.setattr(writes, "_account", refuse)
    done = shop.shell.run("run", shop.export(rows(2)))
    assert (done.code, done.json["orders"]["rejected"]) == (3, 2), done.err
    (error, _) = shop.shell.run("status").json["last_errors"]
    assert error["message"] == "The customer Ann \ufffd can't be charged."
    assert shop.shell.run("report", "--report", shop.folder / "report").code == 0


def test_half_a_character_in_what_is_read_back(shop: SmallShop) -> None:
    """Staff wrote something into the notes of an order: a lost ledger, reconcile and undo meet it."""
    file = shop.export(rows(2))
    assert shop.shell.run("run", file).code == 0
    for item in shop.sandbox.items:
        shop.sandbox.change_item(item.id, name=f"{item.name} \ud83d")
    assert shop.shell.run("reconcile").code == 0
    shop.ledger.unlink()
    assert shop.shell.run("recover").json["found"] == 2
    assert shop.shell.run("run", file).json["orders"]["already_posted"] == 2
    assert shop.shell.run("undo", "--run", "recovered", "--yes").json["orders"]["reversed"] == 2
