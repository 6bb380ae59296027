"""A stranger who does nothing but what `next` says: types its command, or fills the cell that it names with a decision."""

from __future__ import annotations

import csv
import io
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl
from cli_run import Shell

Decide = Callable[["Cell"], str]


@dataclass(frozen=True)
class Cell:
    """A cell to be decided: its table, its column (or key of migration.toml), its row by header, and what is offered."""

    file: str
    column: str
    row: Mapping[str, str]
    candidates: Sequence[str]
    what: str


class StuckError(AssertionError):
    """`next` leads nowhere: no command, no cell, or the same step again."""


@dataclass
class Stranger:
    """Follows `next` with a shell. `decide` is what a person knows, `mews` the address that is written into .env.

    `steps` is what was done, in order.
    """

    shell: Shell
    exports: Sequence[str]
    decide: Decide
    mews: str = ""
    steps: list[dict[str, Any]] = field(default_factory=list)
    codes: dict[str, list[int]] = field(default_factory=dict)

    def ask(self) -> dict[str, Any]:
        """What `next EXPORT...` says now."""
        done = self.shell.run("next", *self.exports)
        assert done.code == 0, done.err
        return done.json

    def go(self, *, until: str = "", most: int = 80) -> dict[str, Any]:
        """Does one step after the other until nothing is left, or the next command is `until`, which is not typed."""
        for _ in range(most):
            step = self.ask()
            words = self._words(step)
            if "Nothing is left to do" in step["what"] or (until and until in words[:1]):
                return step
            if any(step == one for one in self.steps):
                raise StuckError(f"again: {step['what']}\n{self.told}")
            self.steps.append(step)
            self._do(step, words)
        raise StuckError(f"no end after {most} steps\n{self.told}")

    @property
    def told(self) -> str:
        """Everything that was done."""
        return "\n".join(f"{one['what']} | {one['type']}" for one in self.steps)

    def _words(self, step: Mapping[str, Any]) -> list[str]:
        """The command without the global options that the shell gives itself."""
        words = shlex.split(step["type"])
        if not words:
            return []
        assert words[0] == "centra-mews", step
        at = 1
        while words[at].startswith("--"):
            at += 2
        return [part for word in words[at:] for part in (self.exports if word == "EXPORT..." else [word])]

    def _do(self, step: Mapping[str, Any], words: list[str]) -> None:
        if step.get("column"):
            self._fill(step)
        elif words:
            if step["file"] == ".env":
                # What the hotel has given: from here on Mews can be asked.
                self.shell.url = self.mews
            done = self.shell.run(*words)
            self.codes.setdefault(words[0], []).append(done.code)
            assert done.code in (0, 2, 3), done.err
        else:
            raise StuckError(f"neither command nor cell: {step['what']}\n{self.told}")

    def _fill(self, step: Mapping[str, Any]) -> None:
        path = self.shell.folder / self.shell.mappings / step["file"]
        assert step["row"], step
        if path.suffix == ".toml":
            self._fill_setting(path, step)
        elif path.suffix == ".xlsx":
            self._fill_sheet(path, step)
        else:
            self._fill_cell(path, step)

    def _fill_setting(self, path: Path, step: Mapping[str, Any]) -> None:
        lines = path.read_text("utf-8").split("\n")
        key = step["column"].rpartition(".")[2]
        line = lines[step["row"] - 1]
        assert re.match(rf"(# )?{key} = ", line), f"row {step['row']} is {line!r}: {step['what']}"
        lines[step["row"] - 1] = f"{key} = {self._answer(step, {key: line})}"
        path.write_text("\n".join(lines), "utf-8")

    def _fill_cell(self, path: Path, step: Mapping[str, Any]) -> None:
        lines = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
        header = next(cells for cells in lines if not cells[0].startswith("#"))
        cells = lines[step["row"] - 1]
        row = dict(zip(header, cells, strict=False))
        cells[header.index(step["column"])] = self._answer(step, row)
        out = io.StringIO(newline="")
        csv.writer(out).writerows(lines)
        path.write_text(out.getvalue(), "utf-8")

    def _fill_sheet(self, path: Path, step: Mapping[str, Any]) -> None:
        book = openpyxl.load_workbook(path)
        sheet = book[step["sheet"]]
        header = [str(cell.value) for cell in sheet[1]]
        row = {name: str(cell.value or "") for name, cell in zip(header, sheet[step["row"]], strict=False)}
        sheet.cell(step["row"], header.index(step["column"]) + 1).value = self._answer(step, row)
        book.save(path)

    def _answer(self, step: Mapping[str, Any], row: Mapping[str, str]) -> str:
        return self.decide(Cell(step["file"], step["column"], row, step["candidates"], step["what"]))
