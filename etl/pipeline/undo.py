"""The job of `undo`: choose what a run or a person names, ask, reverse it, account for every order."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from etl.errors import ExitCode, PlanError
from etl.ledger.ledger import Ledger
from etl.ledger.records import RunRecord
from etl.load.stop import StopFlag
from etl.load.undo import Ending, Selection, Undoer, UndoResult, UndoRules
from etl.model.mapping import Mapping
from etl.model.reference import Reference, Strategy
from etl.pipeline.connect import Link
from etl.pipeline.outlet import on_route
from etl.pipeline.planning import Progress, Span
from etl.pipeline.prepare import keep_reference, link_to_mews, locked, read_mapping_of, reference_online
from etl.pipeline.run import signals
from etl.pipeline.sending import reach_of, run_facts
from etl.settings import Connection, Settings


@dataclass(frozen=True, slots=True)
class UndoOptions:
    """What the user asked to be undone."""

    run: str = ""
    only: Sequence[str] = ()
    order_ids: Sequence[str] = ()
    take_over: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a person sees before saying yes. `money` by currency, in the source's basis."""

    enterprise: str
    platform: str
    orders: int
    already: int
    money: dict[str, Decimal]
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UndoDone:
    """What an undo did. `stopped` says why it ended early, if it did."""

    document: dict[str, Any]
    exit_code: ExitCode
    stopped: str = ""
    hint: str = ""


Confirm = Callable[[Preview], bool]
"""Shows what would be undone, and asks."""


async def undo(
    stack: ExitStack,
    settings: Settings,
    connection: Connection,
    options: UndoOptions,
    *,
    confirm: Confirm,
    progress: Progress,
) -> UndoDone:
    """Reverses posted orders. Effects: writes to Mews and the ledger.

    Raises UsageError for names that mean nothing, PlanError where nobody confirmed, LedgerError where the ledger is
    missing, held, foreign or incomplete, MewsError where Mews can't be reached or refuses the credentials.
    """
    mapping = read_mapping_of(settings)
    ledger = stack.enter_context(Ledger.open(settings.ledger, create=False))
    stack.enter_context(locked(ledger, "undo", take_over=options.take_over))
    async with link_to_mews(settings, mapping, connection, writes=True) as link:
        reference = await reference_online(link, mapping, None, Span())
        keep_reference(ledger, mapping, reference)
        routed = on_route(link, mapping, reference, ledger)
        run_id, stop = uuid.uuid4().hex[:12], StopFlag()
        undoer = _undoer(ledger, routed, mapping, reference, run_id, stop, progress)
        chosen = await undoer.choose(options.run, options.only, options.order_ids)
        if chosen.targets and not confirm(_preview(chosen, reference)):
            raise PlanError(
                "The undo was not confirmed. Nothing was sent.",
                code="undo.unconfirmed",
                hint="Type the enterprise's name when asked, or give --yes in scripts.",
            )
        ledger.save_run(RunRecord(run_id, "undo", mapping={"digest": mapping.digest}))
        with signals(stop):
            result = await undoer.run(chosen)
        document = _document(run_id, result)
        ledger.save_run(
            RunRecord(
                run_id,
                "undo",
                exit_code=int(result.exit_code),
                summary={"orders": document["orders"], "stopped": document["stopped"]},
                mapping={"digest": mapping.digest},
            )
        )
    early = result.stop
    return UndoDone(document, result.exit_code, early.message if early else "", early.hint if early else "")


def _undoer(
    ledger: Ledger,
    link: Link,
    mapping: Mapping,
    reference: Reference,
    run_id: str,
    stop: StopFlag,
    progress: Progress,
) -> Undoer:
    flat_codes = frozenset(rate.code for rate in reference.tax_rates.values() if rate.strategy is Strategy.FLAT)
    return Undoer(
        ledger,
        reach_of(link),
        run_facts(run_id, mapping, reference),
        UndoRules(mapping.settings.target.rebates == "allow", flat_codes),
        reader=link.reader,
        stop=stop,
        progress=progress,
    )


def _preview(chosen: Selection, reference: Reference) -> Preview:
    return Preview(
        enterprise=reference.enterprise_name,
        platform=reference.platform,
        orders=len(chosen.targets),
        already=len(chosen.already),
        money=chosen.money,
        examples=tuple(target.number for target in chosen.targets[:10]),
    )


def _document(run_id: str, result: UndoResult) -> dict[str, Any]:
    return {
        "command": "undo",
        "run_id": run_id,
        "exit_code": int(result.exit_code),
        "orders": {
            "reversed": result.count(Ending.REVERSED),
            "kept": result.count(Ending.KEPT),
            "failed": result.count(Ending.FAILED),
            "already_reversed": result.count(Ending.ALREADY),
            "left": result.left,
        },
        "details": [
            {
                "order": detail.order,
                "order_id": detail.order_id,
                "how": detail.how,
                "result": detail.result.value,
                "message": detail.message,
            }
            for detail in result.details
        ],
        "duplicated": {number: list(ids) for number, ids in result.duplicated.items()},
        "stopped": result.stop.attrs() if result.stop else None,
    }
