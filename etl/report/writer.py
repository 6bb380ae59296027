"""The report folder of a command: orders go in one by one, the files appear together at the end."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import IO, Any

from etl.model.problem import Problem
from etl.model.status import OrderStatus
from etl.report.excel import Workbook
from etl.report.facts import Details, OrderDetail, PackedOrders, ReportFacts, Section
from etl.report.folder import (
    OUTPUTS,
    SUMMARY,
    ReportFolder,
    close_quietly,
    explained,
    private_bytes,
    private_text,
    unwritable,
)
from etl.report.html import Content, write_page
from etl.report.parts import all_grids
from etl.report.spool import OrderSpool
from etl.report.tables import OrderTable, PlainOrder, ProblemTable, order_row
from etl.report.tally import Tally

__all__ = ["ReportFacts", "ReportWriter", "Section"]


class ReportWriter:
    """Writes report.html, report.xlsx, orders.csv, problems.csv and summary.json into `folder`.

    Orders come in number order; memory does not grow with their number. Nothing is replaced before
    `close`. `inputs`: files that must not be replaced, whatever their name.
    *Units*: `currency_precisions` holds the decimals of each currency; 2 for others. `timezone`: whose days count.
    *Raises*: UsageError where the folder can't be written or holds somebody's own file of such a name;
    a writer that raised has aborted.
    *Effects*: the folder (0700) and its files (0600) belong to the user alone.
    """

    def __init__(
        self,
        folder: Path,
        *,
        currency_precisions: Mapping[str, int],
        inputs: Iterable[Path] = (),
        timezone: tzinfo | None = None,
    ) -> None:
        self._precisions = dict(currency_precisions)
        self._folder = ReportFolder(folder, OUTPUTS, inputs=inputs)
        self._streams: list[IO[Any]] = []
        self._tally = Tally(timezone, self._precisions)
        self._spool: OrderSpool | None = None
        self._workbook: Workbook | None = None
        try:
            with explained(folder):
                self._open()
        except BaseException:
            self.abort()
            raise

    def _open(self) -> None:
        scratch = self._folder.scratch
        self._orders = OrderTable(self._text("orders.csv"))
        self._problems = ProblemTable(self._text("problems.csv"))
        self._spool = OrderSpool(scratch, self._precisions)
        self._streams.append(private_bytes(scratch / "report.xlsx"))
        self._workbook = Workbook(self._streams[-1], scratch, self._precisions)

    def add(self, order: OrderStatus) -> None:
        """Takes one order into every file."""
        try:
            row = order_row(order, self._precisions)
            self._tally.add(order)
            self._orders.add(row)
            self._open_parts[0].add(order, row)
            self._open_parts[1].add_order(order, row)
            for problem in order.problems:
                self._add_problem(problem)
        except OSError as error:
            self.abort()
            raise unwritable(self._folder.path, error) from error

    def add_plain(self, orders: Sequence[PlainOrder]) -> None:
        """Takes orders of which nothing is to be said into every file."""
        try:
            self._tally.add_plain(orders)
            self._orders.add_plain(orders)
            self._open_parts[0].add_plain(orders)
            self._open_parts[1].add_plain(orders)
        except OSError as error:
            self.abort()
            raise unwritable(self._folder.path, error) from error

    def add_unassigned(self, problem: Problem) -> None:
        """Takes a problem of a row that belongs to no order."""
        try:
            self._add_problem(problem)
        except OSError as error:
            self.abort()
            raise unwritable(self._folder.path, error) from error

    def close(
        self,
        document: Mapping[str, Any],
        facts: ReportFacts,
        details: Details | None = None,
        packed: Sequence[PackedOrders] = (),
    ) -> list[Path]:
        """Writes what needs the sums, publishes all files and gives their paths. `details`: what orders open to, but for `packed`.

        *Raises*: InternalError where `document` counts other orders than were added.
        """
        try:
            with explained(self._folder.path):
                self._open_parts[0].close(packed)
                self._finish(document, facts, details or _nothing_more)
                return self._folder.publish(OUTPUTS)
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Leaves the folder as it was found; may be called at any time, and again."""
        if self._spool:
            self._spool.discard()
        if self._workbook:
            self._workbook.discard()
        for stream in self._streams:
            close_quietly(stream)
        self._folder.withdraw()

    @property
    def _open_parts(self) -> tuple[OrderSpool, Workbook]:
        if self._spool is None or self._workbook is None:
            raise ValueError("the report is closed")
        return self._spool, self._workbook

    def _add_problem(self, problem: Problem) -> None:
        self._problems.add(problem)
        self._open_parts[1].add_problem(problem)

    def _finish(self, document: Mapping[str, Any], facts: ReportFacts, details: Details) -> None:
        self._tally.check(document.get("orders"))
        spool, workbook = self._open_parts
        grids = all_grids(document, facts, self._tally, self._precisions)
        content = Content(document, facts, grids, self._tally, spool, self._precisions, details)
        write_page(self._text("report.html"), content)
        workbook.finish(facts, grids, self._tally)
        json.dump(_summary(document, facts), self._text(SUMMARY), indent=2, default=str, ensure_ascii=False)
        for stream in self._streams:
            stream.close()

    def _text(self, name: str) -> IO[str]:
        stream = private_text(self._folder.scratch / name)
        self._streams.append(stream)
        return stream


def _nothing_more(_numbers: Collection[str]) -> Iterator[OrderDetail]:
    return iter(())


def _summary(document: Mapping[str, Any], facts: ReportFacts) -> dict[str, Any]:
    """The `--json` document, and what it does not hold of the report's circumstances."""
    more = {
        "generated_utc": facts.generated.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "enterprise_name": facts.enterprise_name,
        "platform": facts.platform,
        "store": facts.store,
        "sources": list(facts.files),
        "mapping": facts.mapping_digest,
        "notes": list(facts.notes),
        "sections": [
            {"title": part.title, "columns": part.columns, "rows": part.rows, "text": part.text}
            for part in facts.sections
        ],
    }
    return {**document, **{key: value for key, value in more.items() if key not in document}}
