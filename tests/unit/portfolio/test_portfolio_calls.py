"""What a property's process is given, and what is made of all results."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import ExitCode, PlanError, UsageError
from etl.portfolio.call import Call, call, in_its_names, refuse_unreviewed
from etl.portfolio.file import Property
from etl.portfolio.result import WORST_FIRST, Result, document_of, next_step, worst

VALUES = {"BATH_CLIENT": "one", "BATH_ACCESS": "two", "MEWS_PLATFORM_ADDRESS": "http://127.0.0.1:1"}


def prop(name: str = "bath", **more: object) -> Property:
    values: dict[str, object] = {
        "name": name,
        "folder": name,
        "exports": (Path("-bath.csv"),),
        "mapping": Path("mapping"),
        "ledger": "bath.sqlite",
        "platform_address": "",
        "client_token_env": "BATH_CLIENT",
        "access_token_env": "BATH_ACCESS",
        "expect": "sha256:ab",
        "corrections": (Path("fixed.csv"),),
    }
    return Property(**{**values, **more})  # type: ignore[arg-type]


def called(command: str, values: dict[str, str] = VALUES) -> Call:
    hidden = ["BATH_CLIENT", "DOVER_CLIENT"]
    return call(command, prop(), values, hidden=hidden, report=Path("out"), level="warning")


def test_tokens_and_ledger_are_variables_never_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOVER_CLIENT", "of another property")
    made = called("run")
    assert made.environment["MEWS_CLIENT_TOKEN"] == "one"
    assert made.environment["MEWS_ACCESS_TOKEN"] == "two"
    assert made.environment["CENTRA_MEWS_LEDGER"] == "bath.sqlite"
    assert "DOVER_CLIENT" not in made.environment
    assert not {"one", "two", "bath.sqlite"} & set(made.arguments)


@pytest.mark.parametrize(
    ("command", "tail"),
    [
        ("preflight", ["preflight", "--", "-bath.csv"]),
        ("dry-run", ["dry-run", "--report", "out/bath", "--corrections", "fixed.csv", "--", "-bath.csv"]),
        ("run", ["run", "--expect=sha256:ab", "--report", "out/bath", "--corrections", "fixed.csv", "--", "-bath.csv"]),
        ("status", ["status"]),
        ("reconcile", ["reconcile", "--report", "out/bath"]),
        ("report", ["report", "--report", "out/bath"]),
    ],
)
def test_each_command_gets_what_it_takes(command: str, tail: list[str]) -> None:
    arguments = list(called(command).arguments)
    assert arguments[arguments.index(command) :] == tail


def test_a_missing_variable_is_told_by_name() -> None:
    with pytest.raises(UsageError, match=r"BATH_ACCESS is not set") as caught:
        called("dry-run", {**VALUES, "BATH_ACCESS": ""})
    assert caught.value.code == "connection.missing"
    assert "one" not in caught.value.message.split()
    called("status", {})


@pytest.mark.parametrize("address", ["https://api.mews.com", "", "https://127.0.0.1.example.com"])
def test_far_away_only_a_reviewed_plan_is_sent(address: str) -> None:
    with pytest.raises(PlanError, match="Nothing was sent") as caught:
        refuse_unreviewed(prop(platform_address=address, expect=""), {})
    assert caught.value.exit_code == ExitCode.USAGE
    refuse_unreviewed(prop(platform_address=address), {})
    refuse_unreviewed(prop(expect=""), VALUES)


def test_the_worst_exit_code_is_the_one() -> None:
    assert [int(code) for code in WORST_FIRST] == [1, 4, 2, 3, 130, 0]
    assert set(WORST_FIRST) == set(ExitCode)
    assert worst([ExitCode.DONE, ExitCode.ATTENTION, ExitCode.USAGE]) == 2
    assert worst([ExitCode.INTERRUPTED, ExitCode.DONE]) == 130
    assert worst([ExitCode.MEWS, ExitCode.USAGE, ExitCode.INTERRUPTED]) == 4


def test_sums_are_by_currency_exact_and_name_who_is_missing() -> None:
    def ran(name: str, posted: int, *totals: tuple[str, str, str]) -> Result:
        rows = [{"currency": one, "basis": basis, "source": amount} for one, basis, amount in totals]
        return Result(prop(name), ExitCode.DONE, {"orders": {"posted": posted}, "totals": rows}, "run")

    refused = Result(prop("hull"), ExitCode.MEWS, {"error": {"code": "x"}}, "run")
    unsent = Result(prop("york"), ExitCode.USAGE, {"orders": {"posted": 9}, "checks": []}, "preflight")
    results = [
        ran("bath", 2, ("GBP", "gross", "0.10"), ("EUR", "gross", "5.00")),
        refused,
        ran("dover", 3, ("GBP", "gross", "0.20"), ("GBP", "net", "1.005")),
        unsent,
    ]
    document = document_of("run", results)
    assert document["command"] == "portfolio run"
    assert document["exit_code"] == 4
    assert document["orders"] == {"posted": 5}
    assert document["totals"] == [
        {"currency": "GBP", "basis": "gross", "source": "0.30"},
        {"currency": "EUR", "basis": "gross", "source": "5.00"},
        {"currency": "GBP", "basis": "net", "source": "1.005"},
    ]
    assert document["not_in_sums"] == ["hull", "york"]
    assert [(one["name"], one["exit_code"]) for one in document["properties"]] == [
        ("bath", 0),
        ("hull", 4),
        ("dover", 0),
        ("york", 2),
    ]
    assert "orders" not in document["properties"][3]


def test_a_line_of_the_bridge_that_one_property_has_stands_in_its_place() -> None:
    def read(name: str, *lines: str) -> Result:
        rows = [{"currency": "GBP", "basis": "gross", "line": line, "amount": "1.00"} for line in lines]
        return Result(prop(name), ExitCode.DONE, {"orders": {}, "bridge": rows}, "reconcile")

    one, other = read("bath", "source", "items in Mews"), read("hull", "source", "not read back", "items in Mews")
    rows = document_of("reconcile", [one, other])["bridge"]
    found = [(row["line"], row["amount"]) for row in rows]
    assert found == [("source", "2.00"), ("not read back", "1.00"), ("items in Mews", "2.00")]


def test_what_a_preflight_found_is_told() -> None:
    """A mapping that can't be used stops a property without an error of its own: its first fault stands for it."""
    checks = [
        {"check": "history", "result": "warning", "detail": "old", "next": ""},
        {"check": "mapping", "result": "error", "detail": "taxes.csv, row 1: no", "next": "Correct it."},
        {"check": "mapping", "result": "error", "detail": "taxes.csv, row 2: no", "next": "Correct it."},
        {"check": "catalogue", "result": "ok", "detail": "fine", "next": ""},
    ]
    refused = Result(prop(), ExitCode.USAGE, {"checks": checks}, stage="preflight")
    assert refused.error["message"] == "taxes.csv, row 1: no (and 1 more)"
    assert refused.error["hint"] == "Correct it."
    assert Result(prop(), ExitCode.ATTENTION, {"checks": checks[:1]}, stage="preflight").error["message"] == "old"
    assert Result(prop(), ExitCode.DONE, {"checks": checks}, stage="preflight").error == {}
    assert Result(prop(), ExitCode.ATTENTION, {"checks": checks}, stage="run").error == {}


@pytest.mark.parametrize("command", ["preflight", "status", "run", "dry-run", "reconcile"])
def test_whoever_came_to_no_figures_is_named(command: str) -> None:
    """Also where the command itself found faults and no order: it is no property without orders."""
    good = Result(prop("bath"), ExitCode.DONE, {"orders": {"posted": 1}}, command)
    faulty = Result(prop("hull"), ExitCode.USAGE, {"checks": [], "exit_code": 2}, command)
    assert document_of(command, [good, faulty])["not_in_sums"] == ["hull"]


def test_a_token_is_told_by_the_name_that_the_portfolio_gives_it() -> None:
    said = "Check MEWS_PLATFORM_ADDRESS, MEWS_CLIENT_TOKEN and MEWS_ACCESS_TOKEN."
    whose = prop(access_token_env="MEWS_CLIENT_TOKEN")
    assert in_its_names(whose, said) == "Check MEWS_PLATFORM_ADDRESS, BATH_CLIENT and MEWS_CLIENT_TOKEN."
    far = in_its_names(prop(platform_address="https://x"), {"error": {"hint": said, "exit_code": 4}, "checks": [said]})
    told = "Check platform_address of [[property]] bath, BATH_CLIENT and BATH_ACCESS."
    assert far == {"error": {"hint": told, "exit_code": 4}, "checks": [told]}
    assert in_its_names(whose, "MEWS_CLIENT_TOKENS") == "MEWS_CLIENT_TOKENS"


def test_plans_are_lines_to_paste_and_say_which_are_there() -> None:
    planned = [
        Result(prop(name), ExitCode.DONE, {"orders": {}, "plan": plan}, "dry-run")
        for name, plan in (("bath", "sha256:ab"), ("hull", "sha256:cd"))
    ]
    refused = Result(prop("york"), ExitCode.USAGE, {"error": {}}, "dry-run")
    assert document_of("dry-run", [*planned, refused])["plans"] == [
        {"property": "bath", "plan": "sha256:ab", "line": 'expect = "sha256:ab"', "is_there": True},
        {"property": "hull", "plan": "sha256:cd", "line": 'expect = "sha256:cd"', "is_there": False},
    ]
    assert "plans" not in document_of("run", planned)
    assert next_step("dry-run", planned)[0].startswith("review")
    assert next_step("dry-run", planned[:1])[0].startswith("every property has")
    assert next_step("dry-run", [*planned, refused])[1] == "dry-run"


@pytest.mark.parametrize(
    ("command", "code", "then"),
    [
        ("preflight", ExitCode.DONE, "dry-run"),
        ("dry-run", ExitCode.ATTENTION, "run"),
        ("run", ExitCode.DONE, "reconcile"),
        ("run", ExitCode.ATTENTION, "reconcile"),
        ("run", ExitCode.INTERRUPTED, "run"),
        ("run", ExitCode.MEWS, "run"),
        ("reconcile", ExitCode.INTERRUPTED, "reconcile"),
        ("reconcile", ExitCode.DONE, ""),
        ("status", ExitCode.DONE, ""),
    ],
)
def test_each_end_leads_on(command: str, code: ExitCode, then: str) -> None:
    what, typed = next_step(command, [Result(prop(), code, {"orders": {}}, command)])
    assert (typed, bool(what)) == (then, bool(then))
