"""The orders that the page's table holds: those needing attention first, kept on disk until the page is written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from markupsafe import Markup

from etl.model.status import OrderStatus, ReportState
from etl.report.cells import amount_text, printable
from etl.report.folder import close_quietly, private_text
from etl.report.tables import blocking_codes, message_of

LIMIT = 50_000
LONGEST_MESSAGE = 400
COLUMNS = (
    "order",
    "state",
    "problem",
    "month",
    "currency",
    "source",
    "planned",
    "difference",
    "message",
    "account",
    "mews",
    "clamped",
)
_STATES = list(ReportState)
_INDEX = {state: at for at, state in enumerate(_STATES)}
_CHUNK = 1 << 16


class OrderSpool:
    """Two lists on disk, each at most `limit` rows: orders that need attention, and the others."""

    def __init__(self, scratch: Path, precisions: Mapping[str, int], *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._precisions = precisions
        self._paths = (scratch / "attention.part", scratch / "others.part")
        self._streams: list[IO[str]] = [private_text(path) for path in self._paths]
        self._counts = [0, 0]

    def add(self, order: OrderStatus) -> None:
        """Keeps the order if the table has room for it."""
        which = 0 if order.needs_attention else 1
        if self._counts[which] >= self._limit or (which and self._counts[0] >= self._limit):
            return
        self._counts[which] += 1
        self._streams[which].write(json.dumps(self._row(order), separators=(",", ":")) + "\n")

    @property
    def shown(self) -> int:
        """Rows that the table will hold."""
        return min(self._limit, sum(self._counts))

    def close(self) -> None:
        """Closes the lists; `json_text` reads them afterwards."""
        for stream in self._streams:
            stream.close()

    def discard(self) -> None:
        """Closes the lists, whatever the disk says."""
        for stream in self._streams:
            close_quietly(stream)

    def json_text(self) -> Iterator[Markup]:
        """`{"columns":..,"states":..,"rows":[..]}` in pieces, safe inside a script element. Closed lists only."""
        head = json.dumps({"columns": COLUMNS, "states": _STATES}, separators=(",", ":"))
        yield Markup(head[:-1] + ',"rows":[')  # noqa: S704 - our own constants
        left, piece, size, comma = self.shown, [], 0, ""
        for path in self._paths:
            with path.open(encoding="utf-8") as stream:
                for line in stream:
                    if not left:
                        break
                    left -= 1
                    piece.append(comma + line[:-1])
                    comma = ",\n"
                    size += len(line)
                    if size > _CHUNK:
                        yield script_safe("".join(piece))
                        piece, size = [], 0
        yield script_safe("".join(piece))
        yield Markup("]}")

    def _row(self, order: OrderStatus) -> list[str | int]:
        now = self._precisions.get(order.currency, 2)
        held = self._precisions.get(order.planned_currency or order.currency, 2)
        message = message_of(order)
        if len(message) > LONGEST_MESSAGE:
            message = f"{message[: LONGEST_MESSAGE - 1]}…"
        return [
            order.number,
            _INDEX[order.state],
            blocking_codes(order),
            order.month,
            order.currency,
            amount_text(order.source_total, now),
            amount_text(order.planned_total, held),
            amount_text(order.difference, now),
            printable(message),
            order.account_id,
            order.mews_order_id,
            1 if order.is_clamped else 0,
        ]


def script_safe(text: str) -> Markup:
    """JSON text that can't end the script element that it stands in."""
    escaped = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(escaped)  # noqa: S704 - what HTML could read is escaped above
