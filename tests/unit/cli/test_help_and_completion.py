"""What helps a person to type: examples in every help, the nearest command, a next step, completion in three shells."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys

import pytest

from etl.cli import COMMANDS, COMPLETE, EXAMPLES, cli, hoisted, run


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example_that_parses(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An example with a misspelt option is worse than none."""
    assert run([name, "--help"]) == 0
    shown = capsys.readouterr().out
    for example in EXAMPLES[name]:
        assert f"centra-mews {example}" in shown
        with cli.make_context("centra-mews", hoisted(shlex.split(example))) as ctx:
            assert ctx._protected_args == [name]
            command = cli.get_command(ctx, name)
            assert command is not None
            with command.make_context(name, ctx.args, parent=ctx):
                pass


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [("prefligth", "preflight"), ("dryrun", "dry-run"), ("Reconsile", "reconcile"), ("nxt", "next"), ("rn", "run")],
)
def test_a_mistyped_command_names_the_nearest(typed: str, nearest: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also what is to be typed to see them all."""
    assert run([typed]) == 2
    told = capsys.readouterr().err
    assert f"There is no command '{typed}'. Did you mean" in told
    assert nearest in told.split("Did you mean")[1]
    assert "Next: `centra-mews --help`" in told


@pytest.mark.parametrize(
    ("arguments", "message", "step"),
    [
        (["dry-run"], "Missing argument 'EXPORT...'", "centra-mews dry-run orders.csv"),
        (["run", "a.csv", "--limit", "-1"], "--limit", "centra-mews run orders.csv --expect"),
        (["settle"], "Missing argument 'ORDER'", "centra-mews settle 536365"),
        (["--nonsense"], "No such option", "centra-mews --help"),
        (["report"], "Missing option '--report'", "centra-mews report --report report"),
    ],
)
def test_usage_errors_end_in_a_next_step(
    arguments: list[str], message: str, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr as its last line, and in the document."""
    assert run([*arguments, "--json"]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert step in shown.err.strip().splitlines()[-1]
    error = json.loads(shown.out)["error"]
    assert message in error["message"]
    assert step in error["hint"]


def completed(shell: str, words: str, at: str) -> str:
    """What the program answers a shell that completes the line."""
    done = subprocess.run(
        [sys.executable, "-m", "etl"],
        env={**os.environ, COMPLETE: f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": at},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(("shell", "at"), [("bash", "1"), ("zsh", "1"), ("fish", "rec")])
def test_commands_are_completed(shell: str, at: str) -> None:
    """`centra-mews rec<tab>`."""
    words = completed(shell, "centra-mews rec", at).replace(",", "\n").split()
    assert {"reconcile", "recover"} <= set(words)
    assert "preflight" not in words


@pytest.mark.parametrize(("shell", "at"), [("bash", "2"), ("zsh", "2"), ("fish", "--exp")])
def test_options_of_a_command_are_completed(shell: str, at: str) -> None:
    """`centra-mews run --exp<tab>`."""
    assert "--expect" in completed(shell, "centra-mews run --exp", at)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    """As the README says to install it; the script asks with the same variable, and a shell that is here reads it."""
    environment = {**os.environ, COMPLETE: f"{shell}_source"}
    done = subprocess.run([sys.executable, "-m", "etl"], env=environment, capture_output=True, text=True, check=True)
    assert f"{COMPLETE}={shell}_complete" in done.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.stdout, text=True, check=True)
