"""The three jobs for a program of your own: `plan`, `run`, `reconcile`. Also as `etl.plan` and so on.

They are the commands of the same names (`plan` is dry-run) without their output: same mapping folder, ledger, report and
promises. `document` is what `--json` prints. Errors are raised: `etl.errors.EtlError` with code, message, place, hint.
The Mews address and tokens come from the environment or a .env file in the current folder, as for the commands.

    import etl
    planned = etl.plan(["orders.xlsx"], report="dry-run")
    done = etl.run(["orders.xlsx"], expect=planned.plan_id)
    assert etl.reconcile(report="reconciled").document["complete"]
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import etl.reconcile
from etl.errors import ExitCode, UsageError
from etl.settings import Connection, Settings

T = TypeVar("T")
Progress = Callable[[str, int, int | None], None]
"""Called with a stage, how much of it is done, and its end if that is known."""
PathLike = str | Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job found or did. `document`: the `--json` document; `files`: the report's; amounts are texts."""

    document: dict[str, Any]
    exit_code: ExitCode
    files: tuple[Path, ...]

    @property
    def plan_id(self) -> str:
        """The id of the plan, "" for a reconciliation."""
        return str(self.document.get("plan", ""))


def plan(
    exports: Sequence[PathLike],
    *,
    mappings: PathLike = "mappings",
    ledger: str = "ledger.sqlite",
    corrections: Sequence[PathLike] = (),
    report: PathLike | None = None,
    start: date | None = None,
    end: date | None = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Plans the exports and sends nothing. `start`, `end` (exclusive): local order dates.

    Raises EtlError. Effects: reads Mews unless `offline`, stores reference data in the ledger, writes the report.
    """
    from etl.pipeline.dry_run import dry_run

    connection = None if offline else _connection()
    export = _export(exports, corrections, start, end)
    with ExitStack() as stack:
        done = _finished(
            dry_run(
                stack,
                _settings(mappings, ledger),
                export,
                connection,
                report=_path(report),
                progress=progress or _silent,
            )
        )
        return Outcome(done.document, done.exit_code, tuple(done.report))


def run(
    exports: Sequence[PathLike],
    *,
    expect: str,
    mappings: PathLike = "mappings",
    ledger: str = "ledger.sqlite",
    corrections: Sequence[PathLike] = (),
    report: PathLike | None = None,
    start: date | None = None,
    end: date | None = None,
    limit: int | None = None,
    only: Iterable[str] = (),
    canary: int | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Posts what is not posted yet of exactly the plan `expect`: each order once, whatever fails, whenever.

    From the main thread of a program without a running event loop: Ctrl-C has to reach it.
    Raises EtlError; PlanError where the plan is another. Effects: writes to Mews, the ledger and the report.
    """
    from etl.pipeline.run import RunOptions
    from etl.pipeline.run import run as post

    if not expect:
        raise UsageError(
            "A run needs the id of the plan that was reviewed.",
            hint="Give run(.., expect=plan(..).plan_id) after a review.",
        )
    chosen = RunOptions(expect=expect, limit=limit, only=frozenset(only), canary=canary, report=_path(report))
    export = _export(exports, corrections, start, end)
    with ExitStack() as stack:
        done = _finished(
            post(
                stack,
                _settings(mappings, ledger),
                export,
                _connection(),
                chosen,
                confirm=lambda _prepared, _summary: False,
                progress=progress or _silent,
            )
        )
        return Outcome(done.document, done.exit_code, tuple(done.report))


def reconcile(
    *,
    mappings: PathLike = "mappings",
    ledger: str = "ledger.sqlite",
    report: PathLike | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Reads every order back from Mews and compares it with the ledger. Raises EtlError. Effects: writes the report."""
    from etl.pipeline.reconcile import reconcile as compare

    with ExitStack() as stack:
        done = _finished(
            compare(
                stack,
                _settings(mappings, ledger),
                _connection(),
                report=_path(report),
                progress=progress or _silent,
            )
        )
        return Outcome(done.document, done.exit_code, tuple(done.report))


class _Room(ModuleType):
    """The package `etl.reconcile`, which has the name of a job: called, it is the job."""

    def __call__(self, **given: Any) -> Outcome:
        """As `reconcile`."""
        return reconcile(**given)


# Whoever imported the package before finds it under the name of the job, whatever the order of imports.
sys.modules[etl.reconcile.__name__].__class__ = _Room


def _finished(job: Coroutine[Any, Any, T]) -> T:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(job)
    job.close()
    raise UsageError(
        "This thread runs an event loop already, as notebooks do.",
        code="api.loop",
        hint="Start the job from a program of its own, or type the command; etl.frames works in a notebook.",
    )


def _settings(mappings: PathLike, ledger: str) -> Settings:
    return Settings(Path(mappings), ledger)


def _connection() -> Connection:
    from etl.settings import connection, environment

    return connection(environment())


def _export(exports: Sequence[PathLike], corrections: Sequence[PathLike], start: date | None, end: date | None) -> Any:
    from etl.pipeline.planning import Span
    from etl.pipeline.prepare import Export

    return Export([Path(one) for one in exports], Span(start, end), [Path(one) for one in corrections])


def _path(path: PathLike | None) -> Path | None:
    return None if path is None else Path(path)


def _silent(_stage: str, _done: int, _total: int | None) -> None:
    return
