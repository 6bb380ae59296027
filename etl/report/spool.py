"""The orders that the page's table holds: those needing attention first, kept on disk until the page is written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain, groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import IO, Any

from markupsafe import Markup

from etl.model.money import digits_of, units_text
from etl.model.order import number_key
from etl.model.shares import ENDS, BridgeLine
from etl.model.status import OrderStatus, ReportState
from etl.report.cells import amount_text, are_simple, printable
from etl.report.facts import PackedOrders
from etl.report.folder import close_quietly, private_text
from etl.report.tables import OrderRow, PlainOrder, message_of

LIMIT = 50_000
LONGEST_MESSAGE = 400
UNDER_A_LINE = 20
"""Orders that a line of the bridge opens to by itself; the table has all."""
PER_CHUNK = 100
"""Orders whose details stand packed together."""
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
    "lines",
    "notices",
    "chunk",
)
_STATES = list(ReportState)
_INDEX = {state: at for at, state in enumerate(_STATES)}
_LINES = list(BridgeLine)
_BITS = {line: 1 << at for at, line in enumerate(_LINES)}
_PLAIN_LINES = _BITS[BridgeLine.SOURCE] | _BITS[BridgeLine.READY]
_CHUNK = 1 << 16
_KEPT = 10_000
_ZERO = Decimal(0)
_money_of = attrgetter("currency", "precision", "basis")
_encode = json.JSONEncoder(separators=(",", ":")).encode


class OrderSpool:
    """Two lists on disk, each at most `limit` rows: orders that need attention, and the others."""

    def __init__(self, scratch: Path, precisions: Mapping[str, int], *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._precisions = precisions
        self._paths = (scratch / "attention.part", scratch / "others.part")
        self._streams: list[IO[str]] = [private_text(path) for path in self._paths]
        self._numbers: tuple[list[str], list[str]] = ([], [])
        self.packed: list[PackedOrders] = []
        """Those that hold any order that is shown; the numbers of chunks begin with them."""
        self._few: dict[tuple[str, str, str], list[tuple[Decimal, str]]] = {}
        self._least: dict[tuple[str, str, str], Decimal] = {}
        """What an order has on a line at least, up or down, if it may still be among those with most there."""
        self._quoted = _Quoted()

    def add(self, order: OrderStatus, row: OrderRow) -> None:
        """Keeps the order if the table has room for it. `row`: its texts."""
        lines = 0
        for line, currency, basis, amount in order.bridge:
            if amount:
                lines |= _BITS[BridgeLine(line)]
                self._add_to_line(BridgeLine(line), currency, str(basis), amount, order.number)
        self._keep(row, order.state, lines, _message(order), needs_attention=order.needs_attention)

    def add_plain(self, orders: Sequence[PlainOrder]) -> None:
        """Keeps orders that are ready, and so on one line of the bridge each, with their totals."""
        self._add_plain_to_line(orders)
        kept = orders[: self._room(1)]
        if not kept:
            return
        numbers = [order.number for order in kept]
        self._numbers[1].extend(numbers)
        ready, quoted, nothing = _INDEX[ReportState.READY], self._quoted, _Nothing()
        shown = [f'"{number}"' for number in numbers] if are_simple(numbers) else list(map(_encode, numbers))
        self._streams[1].write(
            "".join(
                [
                    f'[{number},{ready},"","{month}",{quoted[currency]},"{total}","{total}",{nothing[precision]},"",'
                    f'{quoted[account]},"",0,{_PLAIN_LINES if units else 0},""]\n'
                    for number, (_, currency, precision, units, total, account, month, *_) in zip(
                        shown, kept, strict=True
                    )
                ]
            )
        )

    def _add_plain_to_line(self, orders: Sequence[PlainOrder]) -> None:
        """Of each currency those that are among the largest; with them all that are as large as the last of these."""
        for (currency, precision, basis), some in groupby(orders, _money_of):
            known = self._least.get((str(BridgeLine.READY), currency, basis), _ZERO)
            # At least 1, the smallest unit: an order of nothing stands on no line.
            least = max(1, int(known.scaleb(precision)))
            for number, units in [(order.number, order.units) for order in some if abs(order.units) >= least]:
                self._add_to_line(BridgeLine.READY, currency, basis, -Decimal(units).scaleb(-precision), number)

    def _room(self, which: int) -> int:
        """Rows that the list has room for; the others have none where those needing attention fill the table."""
        attention, others = map(len, self._numbers)
        if which and attention >= self._limit:
            return 0
        return max(0, self._limit - (others if which else attention))

    def _keep(self, row: OrderRow, state: ReportState, lines: int, message: str, *, needs_attention: bool) -> None:
        which = 0 if needs_attention else 1
        if not self._room(which):
            return
        self._numbers[which].append(row.order)
        shown = [
            row.order,
            _INDEX[state],
            row.problem,
            row.month,
            row.currency,
            row.source_total,
            row.planned_total,
            row.difference,
            printable(message),
            row.account_id,
            row.mews_order_id,
            1 if row.clamped else 0,
            lines,
            row.notices,
        ]
        self._streams[which].write(_encode(shown) + "\n")

    def _add_to_line(self, line: BridgeLine, currency: str, basis: str, amount: Decimal, number: str) -> None:
        if line in ENDS:
            return
        key = (str(line), currency, basis)
        found = self._few.setdefault(key, [])
        found.append((amount, number))
        if len(found) > 10 * UNDER_A_LINE:
            most = self._few[key] = _most(found)
            # One of as much may still come before the last of these, by its number.
            self._least[key] = abs(most[-1][0])

    @property
    def shown(self) -> int:
        """Rows that the table will hold."""
        return min(self._limit, sum(map(len, self._numbers)))

    @property
    def attention(self) -> list[str]:
        """Numbers of the orders that need attention, as far as the table holds them."""
        return self._numbers[0]

    def chunks(self) -> list[list[str]]:
        """The numbers shown that are not among `packed`, by number, in the chunks in which their details will be packed."""
        own = {number for one in self.packed for number in one.numbers}
        shown = [number for number in self._shown_numbers() if number not in own]
        shown.sort(key=number_key)
        return [shown[at : at + PER_CHUNK] for at in range(0, len(shown), PER_CHUNK)]

    def close(self, packed: Sequence[PackedOrders] = ()) -> None:
        """Closes the lists; what reads them comes afterwards. `packed`: orders whose details are packed already."""
        for stream in self._streams:
            stream.close()
        shown = set(self._shown_numbers())
        self.packed = [one for one in packed if not shown.isdisjoint(one.numbers)]

    def _shown_numbers(self) -> list[str]:
        return [*self._numbers[0], *self._numbers[1][: self.shown - len(self._numbers[0])]]

    def discard(self) -> None:
        """Closes the lists, whatever the disk says."""
        for stream in self._streams:
            close_quietly(stream)

    def attention_rows(self) -> Iterator[dict[str, Any]]:
        """The orders that need attention, by name of the column, for readers without scripts. Closed lists only."""
        with self._paths[0].open(encoding="utf-8") as stream:
            for line in stream:
                row = dict(zip(COLUMNS, json.loads(line), strict=False))
                yield {**row, "state": _STATES[row["state"]].value.replace("_", " ")}

    def line_orders(self) -> dict[tuple[str, str, str], list[tuple[str, str]]]:
        """The orders with most money on each line of the bridge, by line, currency and basis: number and amount there."""
        return {
            key: [
                (number, amount_text(amount, digits_of(key[1], self._precisions))) for amount, number in _most(orders)
            ]
            for key, orders in self._few.items()
        }

    def json_text(self, accounts: Mapping[str, str]) -> Iterator[Markup]:
        """`{"columns":..,"states":..,"lines":..,"accounts":..,"rows":[..]}` in pieces, safe inside a script element.

        `accounts` names ids. Closed lists only.
        """
        words = [state.value.replace("_", " ") for state in _STATES]
        known = {number: printable(name) for number, name in accounts.items() if name}
        facts = {"columns": COLUMNS, "states": words, "lines": _LINES, "accounts": known}
        yield script_safe(json.dumps(facts, separators=(",", ":"))[:-1] + ',"rows":[')
        lots = chain((one.numbers for one in self.packed), self.chunks())
        chunk_of = {number: at for at, numbers in enumerate(lots) for number in numbers}
        numbers = iter([*self._numbers[0], *self._numbers[1]])
        piece, size, comma = [], 0, ""
        for line in self._shown_lines():
            piece.append(f"{comma}{line[:-2]},{chunk_of[next(numbers)]}]")
            comma = ",\n"
            size += len(line)
            if size > _CHUNK:
                yield script_safe("".join(piece))
                piece, size = [], 0
        yield script_safe("".join(piece))
        yield Markup("]}")

    def _shown_lines(self) -> Iterator[str]:
        left = self.shown
        for path in self._paths:
            with path.open(encoding="utf-8") as stream:
                for line in islice(stream, left):
                    left -= 1
                    yield line


class _Quoted(dict[str, str]):
    """Text to JSON, of texts that come again."""

    def __missing__(self, text: str) -> str:
        if len(self) >= _KEPT:
            self.clear()
        found = self[text] = _encode(text)
        return found


class _Nothing(dict[int, str]):
    """Decimals of a currency to a JSON text of no money."""

    def __missing__(self, precision: int) -> str:
        found = self[precision] = _encode(units_text(0, precision))
        return found


def _message(order: OrderStatus) -> str:
    """What happened to the order: every reason where it needs attention, each within bounds."""
    messages = [message_of(order)]
    if order.needs_attention:
        messages += [problem.message for problem in order.problems if problem.is_error]
    return "\n".join(cut(text) for text in dict.fromkeys(messages) if text)


def _most(orders: list[tuple[Decimal, str]]) -> list[tuple[Decimal, str]]:
    return sorted(orders, key=lambda one: (-abs(one[0]), number_key(one[1])))[:UNDER_A_LINE]


def cut(text: str) -> str:
    """The text within the bounds of a table's cell."""
    return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 1]}…"


def script_safe(text: str) -> Markup:
    """JSON text that can't end the script element that it stands in."""
    escaped = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(escaped)  # noqa: S704 - what HTML could read is escaped above
