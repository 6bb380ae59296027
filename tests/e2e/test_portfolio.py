"""Many properties through the real command and a local Mews: every order once, whoever fails or is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
from cli_run import Done, Shell
from small_shop import SmallShop, check_counts, open_shop, rows

from etl.sandbox.server import RunningSandbox
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN

pytestmark = pytest.mark.slow


@dataclass
class Group:
    """A folder with a portfolio of shops at one Mews."""

    folder: Path
    shops: dict[str, SmallShop]
    env: dict[str, str]
    text: str = field(default="")

    def write(self, **more: str) -> None:
        """The portfolio; `more`: further lines by property."""
        parts = [
            f'[[property]]\nname = "{name}"\nexports = ["{name}/orders.csv"]\nmapping = "{name}/mapping"\n'
            f'ledger = "{name}/ledger.sqlite"\nclient_token_env = "GROUP_CLIENT"\naccess_token_env = "{name.upper()}_ACCESS"\n'
            + more.get(name, "")
            for name in self.shops
        ]
        (self.folder / "portfolio.toml").write_text("\n".join(parts), "utf-8")

    def argv(self, *words: str) -> list[str]:
        return [*Shell(self.folder).command()[:4], "portfolio", "portfolio.toml", *words]

    def start(self, *words: str) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(self.argv(*words), cwd=self.folder, env=self.environment, **pipes)  # type: ignore[call-overload]

    def run(self, *words: str) -> Done:
        with self.start(*words) as process:
            out, err = process.communicate(timeout=120)
        return Done(process.returncode, out, err)

    @property
    def environment(self) -> dict[str, str]:
        return {**Shell(self.folder).environment(), **self.env}


def group(folder: Path, mews: RunningSandbox, prefix: str, count: int = 12, **mapping: object) -> Group:
    shops = {}
    for name in ("bath", "dover", "hull"):
        (folder / name).mkdir()
        shops[name] = open_shop(folder / name, mews, f"{prefix}-{name}", **mapping)
        shops[name].export(rows(count))
    env = {"GROUP_CLIENT": CLIENT_TOKEN, "MEWS_PLATFORM_ADDRESS": mews.url}
    made = Group(folder, shops, {**env, **{f"{name.upper()}_ACCESS": ACCESS_TOKEN for name in shops}})
    made.write()
    return made


def entries(done: Done) -> dict[str, dict]:
    return {one["name"]: one for one in done.json["properties"]}


def test_one_that_fails_stops_no_other_and_a_rerun_does_the_rest(tmp_path: Path, mews: RunningSandbox) -> None:
    """Dover's token is refused, Hull's mapping is broken; Bath is posted. Mended, the same command posts those two."""
    made = group(tmp_path, mews, "fails")
    made.env["DOVER_ACCESS"] = "refused-token-of-dover"
    made.shops["hull"].map(taxes="country,nonsense\nGB,1\n")
    done = made.run("run", "--report", "report", "--jobs", "2")
    assert done.code == 4, done.err
    found = entries(done)
    assert {name: one["exit_code"] for name, one in found.items()} == {"bath": 0, "dover": 4, "hull": 2}
    assert done.json["not_in_sums"] == ["dover", "hull"]
    assert done.json["orders"]["posted"] == 12
    assert sorted(made.shops["bath"].held().values()) == [1] * 12
    assert not made.shops["dover"].held()
    page = (tmp_path / "report" / "index.html").read_text("utf-8")
    assert 'href="bath/report.html"' in page
    assert 'href="dover' not in page
    assert all(name in page for name in made.shops)
    assert "no column &#39;nonsense&#39;" in page
    assert "hull: taxes.csv, row 1, column nonsense" in done.err
    assert (tmp_path / "report" / "bath" / "report.html").is_file()
    assert json.loads((tmp_path / "report" / "summary.json").read_text("utf-8"))["exit_code"] == 4
    everything = done.out + done.err + page
    assert "refused-token-of-dover" not in everything
    assert ACCESS_TOKEN not in everything

    made.env["DOVER_ACCESS"] = ACCESS_TOKEN
    made.shops["hull"].map()
    done = made.run("run", "--report", "report")
    assert done.code == 0, done.err
    found = entries(done)
    for one in found.values():
        check_counts(one)
    assert found["bath"]["orders"]["already_posted"] == 12
    assert found["dover"]["orders"]["posted"] == found["hull"]["orders"]["posted"] == 12
    (total,) = done.json["totals"]
    assert Decimal(total["source"]) == Decimal(total["posted"]) == sum(one.held_sum() for one in made.shops.values())
    assert all(list(one.held().values()) == [1] * 12 for one in made.shops.values())
    status = made.run("status")
    assert (status.code, status.json["orders"]) == (0, {"posted": 36})
    reconciled = made.run("reconcile", "--report", "reconciled")
    assert reconciled.code == 0, reconciled.err
    assert reconciled.json["orders"]["matched"] == 36
    assert reconciled.json["bridge"][-1]["amount"] == total["posted"]
    assert (tmp_path / "reconciled" / "hull" / "reconciliation.csv").is_file()


def test_what_a_dry_run_tells_and_what_is_refused(tmp_path: Path, mews: RunningSandbox) -> None:
    """A variable that is not set is named; far away nothing goes without a reviewed plan; nothing is sent."""
    made = group(tmp_path, mews, "dry", count=2)
    del made.env["HULL_ACCESS"]
    made.write(dover='platform_address = "https://mews.invalid"\n')
    before = len(mews.sandbox.items)
    (tmp_path / ".env").write_text(f"HULL_ACCESS={ACCESS_TOKEN}\n")
    done = made.run("run")
    found = entries(done)
    assert found["dover"]["error"]["code"] == "plan.unreviewed"
    assert "expect" in found["dover"]["error"]["hint"]
    assert {name: one["exit_code"] for name, one in found.items()} == {"bath": 0, "dover": 2, "hull": 0}
    assert done.code == 2
    (tmp_path / ".env").unlink()
    assert len(mews.sandbox.items) > before
    before = len(mews.sandbox.items)
    made.write()
    done = made.run("dry-run")
    found = entries(done)
    assert "HULL_ACCESS is not set" in found["hull"]["error"]["message"]
    plan = found["bath"]["plan"]
    assert plan.startswith("sha256:")
    assert {"property": "bath", "plan": plan, "line": f'expect = "{plan}"', "is_there": False} in done.json["plans"]
    assert f'  expect = "{plan}"' in done.err.splitlines()
    assert done.json["next"]["type"] == "centra-mews portfolio portfolio.toml dry-run"
    assert done.code == 2
    made.write(dover='expect = "sha256:00"\n')
    done = made.run("run")
    assert entries(done)["dover"]["exit_code"] == 2
    assert "sha256:00" in entries(done)["dover"]["error"]["message"]
    assert len(mews.sandbox.items) == before
    told = made.run("status", "--ledger", "x.sqlite")
    assert "each property names its own" in told.err
    for words in (("run", "--scheduler", "tcp://127.0.0.1:8786"), ("report",)):
        refused = made.run(*words)
        assert (refused.code, refused.json["error"]["exit_code"]) == (2, 2), refused.err


def slow_group(folder: Path, mews: RunningSandbox, prefix: str) -> Group:
    """Shops that post a few orders a second."""
    made = group(folder, mews, prefix, count=60)
    for shop in made.shops.values():
        path = shop.mapping / "migration.toml"
        path.write_text(path.read_text("utf-8").replace("100000/1s", "30/1s"), "utf-8")
    # A token is shared by all of them here; its limit is each ledger's own.
    return made


def wait_for(made: Group, count: int) -> None:
    until = time.monotonic() + 60
    while sum(len(one.held()) for one in made.shops.values()) < count:
        assert time.monotonic() < until, "nothing is posted"
        time.sleep(0.02)


def test_killed_in_the_middle_and_started_again_every_order_is_there_once(tmp_path: Path, mews: RunningSandbox) -> None:
    """Kill -9 of the portfolio: its processes notice, stop, and the same command, started at once, goes on."""
    made = slow_group(tmp_path, mews, "killed")
    with made.start("run") as process:
        wait_for(made, 20)
        os.kill(process.pid, signal.SIGKILL)
    assert sum(len(one.held()) for one in made.shops.values()) < 180, "it was over before it was killed"
    done = made.run("run")
    assert done.code == 0, done.err
    for shop in made.shops.values():
        assert shop.held() == {str(1001 + at): 1 for at in range(60)}
    assert mews.sandbox.duplicates() == {}
    assert entries(done).keys() == made.shops.keys()


def test_ctrl_c_is_passed_on_once_and_all_are_waited_for(tmp_path: Path, mews: RunningSandbox) -> None:
    """130, a consistent ledger each, and no process is left."""
    made = slow_group(tmp_path, mews, "stopped")
    with made.start("run") as process:
        wait_for(made, 15)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    done = Done(process.returncode, out, err)
    assert done.code == 130, err
    assert {one["exit_code"] for one in done.json["properties"]} == {130}
    posted = sum(len(one.held()) for one in made.shops.values())
    assert done.json["orders"]["posted"] == posted < 180
    assert done.json["orders"]["unknown"] == 0
    time.sleep(1)
    assert sum(len(one.held()) for one in made.shops.values()) == posted
