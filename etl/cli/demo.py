"""centra-mews demo: the whole job on the sandbox, as a person would type it."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from etl.cli import samples
from etl.cli.console import Console
from etl.errors import ExitCode, UsageError

FOLDER = Path("centra-mews-demo")
_MARK = ".made-by-centra-mews-demo"
_PORT = 8099
_EXPECTED = [3, 3, 3, 0, 3]
"""Exit codes of dry run, run, the same run again, status and reconcile: some sample orders are blocked on purpose."""


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where the rehearsal takes place, what starts the program, and the Mews that it talks to."""

    console: Console
    folder: Path
    program: tuple[str, ...]
    environment: dict[str, str]

    def typed(self, *arguments: str) -> str:
        """The command as a person types it in this folder."""
        return shlex.join([*_program_name(), *self.options, *arguments])

    @property
    def options(self) -> list[str]:
        """Mapping and ledger of the rehearsal."""
        return ["--mappings", str(self.folder / samples.MAPPINGS), "--ledger", str(self.folder / "ledger.sqlite")]

    def run(self, *arguments: str) -> int:
        """Runs the command, its text going where ours goes; its exit code."""
        self.console.text("", f"$ {self.typed(*arguments)}")
        quiet = ["--quiet"] if self.console.settings.quiet else []
        command = [*self.program, *quiet, *self.options, *arguments]
        return subprocess.run(command, env=self.environment, check=False).returncode  # noqa: S603 - this program

    def plan(self, export: str) -> str:
        """The plan id of a dry run, as a script reads it."""
        import json

        command = [*self.program, "--json", "--quiet", *self.options, "dry-run", export]
        environment = self.environment
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)  # noqa: S603
        return str(json.loads(done.stdout)["plan"])


@click.command("demo")
@click.pass_obj
def command(console: Console) -> int:
    """Rehearse the whole job with sample data on a local Mews: dry run, run, run again, status, reconcile, report.

    Nothing leaves this machine. Everything it makes lies in the new folder centra-mews-demo, which may be deleted. The
    next demo makes it anew, or takes another folder where you went on with what lies there.
    """
    from etl.sandbox.server import running_sandbox
    from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN

    folder = _make_folder(console)
    export = str(folder / samples.EXPORTS / "orders.csv")
    report = folder / "report"
    # The ledger belongs to this very address: whoever goes on afterwards needs the same port.
    port = _free_port()
    with running_sandbox("gross-uk", port=port, state=folder / "mews.jsonl") as mews:
        tokens = {"MEWS_CLIENT_TOKEN": CLIENT_TOKEN, "MEWS_ACCESS_TOKEN": ACCESS_TOKEN}
        environment = {**os.environ, **tokens, "MEWS_PLATFORM_ADDRESS": mews.url}
        # -P: a folder named etl that happens to lie here is not this package.
        desk = _Desk(console, folder, (sys.executable, "-P", "-m", "etl"), environment)
        console.text(f"A local Mews listens on {mews.url}. This is a rehearsal: nothing leaves this machine.")
        console.text(f"Sample exports and their mapping lie in {folder}.")
        codes = [desk.run("dry-run", export, "--report", str(folder / "dry-run"))]
        plan = desk.plan(export)
        codes.append(desk.run("run", export, "--expect", plan, "--report", str(report)))
        codes.append(desk.run("run", export, "--expect", plan))
        codes.append(desk.run("status"))
        codes.append(desk.run("reconcile"))
        duplicates, orders = len(mews.sandbox.duplicates()), len(mews.sandbox.orders)
    (folder / _MARK).write_text(_look(folder), "utf-8")
    is_right = codes == _EXPECTED and not duplicates
    steps = _next_steps(desk, port, tokens)
    _tell(console, f"The local Mews holds {orders} orders, {duplicates} of them twice.", codes, report, steps)
    document: dict[str, Any] = {"command": "demo", "folder": str(folder), "report": str(report / "report.html")}
    document |= {"orders": orders, "duplicates": duplicates, "exit_codes": codes, "next": steps}
    code = ExitCode.DONE if is_right else ExitCode.INTERNAL
    console.result({**document, "exit_code": int(code)})
    return int(code)


def _make_folder(console: Console) -> Path:
    """A fresh folder: the last demo's made anew, or another one where somebody went on with that."""
    number, folder = 1, FOLDER
    while folder.exists() and _is_gone_on_with(folder):
        number += 1
        folder = FOLDER.with_name(f"{FOLDER.name}-{number}")
    if number > 1:
        console.text(f"{FOLDER} was gone on with after its demo and stays as it is: this one takes {folder}.")
    if folder.exists():
        console.text(f"{folder} is made anew: what the last demo left there is replaced.")
        shutil.rmtree(folder)
    folder.mkdir()
    (folder / _MARK).touch()
    samples.lay_out(folder)
    return folder


def _is_gone_on_with(folder: Path) -> bool:
    """Whether something there is not as its demo left it. Raises UsageError for a folder that no demo made."""
    mark = folder / _MARK
    if not mark.is_file():
        raise UsageError(
            f"{folder} is there already and was not made by a demo, so it is left alone.",
            code="demo.folder",
            place=str(folder),
            hint=f"Move {folder} away, or run the demo in another folder.",
        )
    left = mark.read_text("utf-8")
    # Nothing is written there by a demo that did not come to its end.
    return bool(left) and left != _look(folder)


def _look(folder: Path) -> str:
    """What lies in the folder: every file's name, size and time, without those that SQLite keeps while it is open."""
    files = sorted(one for one in folder.rglob("*") if one.is_file() and one.name != _MARK)
    kept = [one for one in files if not one.name.endswith(("-wal", "-shm"))]
    return "".join(f"{one.relative_to(folder)} {one.stat().st_size} {one.stat().st_mtime_ns}\n" for one in kept)


def _tell(console: Console, verdict: str, codes: list[int], report: Path, steps: list[str]) -> None:
    console.text("", verdict, f"Report: {report / 'report.html'}")
    if codes != _EXPECTED:
        console.always(f"This is not as it should be: exit codes {codes}, expected {_EXPECTED}.")
        return
    console.text(
        "The commands' exit code 3 is right here: some sample orders are blocked on purpose, so the history is not "
        "complete in Mews.",
        "",
        "Try next (the first in a terminal of its own; it goes on with what was posted):",
        *(f"  {step}" for step in steps),
    )


def _next_steps(desk: _Desk, port: int, tokens: dict[str, str]) -> list[str]:
    """Commands that work in the current folder, in this order."""
    exports = desk.folder / samples.EXPORTS
    sandbox = [*_program_name(), "sandbox", "--state", str(desk.folder / "mews.jsonl"), "--port", str(port)]
    return [
        shlex.join(sandbox),
        f"export MEWS_PLATFORM_ADDRESS=http://127.0.0.1:{port}",
        *(f"export {name}={value}" for name, value in tokens.items()),
        desk.typed("inspect", str(exports / "orders-eu.csv")),
        desk.typed("run", str(exports / "orders.xlsx")) + "   # the same orders: nothing is posted twice",
        desk.typed("reconcile", "--report", str(desk.folder / "reconcile")),
        shlex.join(
            [
                *_program_name(),
                *(
                    "--mappings",
                    str(desk.folder / "new-mapping"),
                    "init",
                    str(exports / "orders.csv"),
                    "--store",
                    "shop",
                ),
            ]
        ),
    ]


def _program_name() -> list[str]:
    """What starts this very program in the user's shell: its name if that is found there, else its path."""
    script = Path(sys.argv[0])
    if script.stem == "centra-mews":
        found = shutil.which(script.stem)
        is_found = found is not None and Path(found).samefile(script)
        return [script.stem] if is_found else [_near(str(script))]
    return [_near(sys.executable), "-m", "etl"]


def _near(path: str) -> str:
    """The path as short as it can be said in the current folder."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def _free_port() -> int:
    """The sandbox's usual port, or a free one where something else listens there."""
    for port in (_PORT, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return _PORT
