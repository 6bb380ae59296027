"""Orders of one flat file to their plan by the cells of their columns, or to the reason why not. Pure.

Rule: design sections 5 and 6, for prices with tax in an enterprise with prices with tax: an order of plain lines and
shipping, booked as the source has it. Each test below is one rule of the contract that would need more than that. Orders of
other prices are plain among many only (`bulk`), which takes what is read and decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from etl.columns.cells import KEPT, Units, clean, is_clean
from etl.columns.decided import Decided
from etl.columns.known import KEYED, PASSIVE, SINGLE
from etl.columns.moments import Moments, When
from etl.columns.notes import Notes, NotesOf
from etl.columns.paid import Payer, Payers
from etl.columns.quick import Quick
from etl.columns.rows import AMOUNT, QTY, Flat, LineCells, Row, Rows
from etl.columns.writing import Shipping, Writing
from etl.model.order import LocalTime
from etl.model.plan import Basis
from etl.model.problem import Problem
from etl.model.rules import check_enabled
from etl.reading.kinds import Kind
from etl.reading.parse import Reader
from etl.reading.texts import are_plain_emails
from etl.staging.draft import ADDRESSES, PERSON, names_of, phone_of
from etl.staging.plain import PlainTable
from etl.transform.accounts import Charged
from etl.transform.checks import negative_in_sale
from etl.transform.context import Context
from etl.transform.near import near_key
from etl.transform.order_context import LARGEST_AMOUNT

if TYPE_CHECKING:
    from etl.columns.block import Column


class Columns(Protocol):
    """Order-level columns by where they stand."""

    def __getitem__(self, at: int, /) -> Column: ...


_ACCOUNT = ("invoiceAddress.email", "address.email", "customerId", "accountId", "buyerId")
DATES = frozenset(("orderDate", "deliveryDate"))
"""The dates that may decide when Mews books an order."""
METHODS = ("payment.capture.method", "payment.method", "payment.type")
"""What tells by what a capture was paid, as `staging.draft` takes it."""
_FLAGS = ("hold", "waitingForPayment", "suspect", "internalOrder", "handlingCost")


class Head(NamedTuple):
    """What the cells of the keyed fields decide. `sign`: -1 in returns. `is_deducted`: sold without tax, at a rate of 0.
    `skipped`: why. `at`: its number among heads.
    """

    store: str
    country: str
    market: str
    sign: int
    is_deducted: bool
    decided: Decided
    amounts: Units
    writing: Writing
    skipped: str
    at: int


class _Plain(NamedTuple):
    """An order with all that its plan is made of."""

    number: str
    head: Head
    when: When
    charged: Charged
    lines: list[Flat]
    shipping: Shipping
    total: int
    is_shipping_told: bool
    is_footed: bool
    payer: Payer | None
    notes: Notes


class Lane:
    """Takes the orders of one file. Every answer is a `Quick`, or the reason why the rules have to plan the order."""

    def __init__(self, ctx: Context, table: PlainTable) -> None:
        self._ctx, self.table = ctx, table
        readers = table.readers
        self._at = at = {column.field: index for index, column in enumerate(table.order)}
        self._emails = readers.by_kind[Kind.EMAIL]
        self._kind = {column.field: readers.by_kind[column.kind] for column in table.order}
        self._keyed = [name for name in KEYED if name in at]
        self.keyed_at = [at[name] for name in self._keyed]
        self._key_of = itemgetter(*(at[name] for name in self._keyed)) if self._keyed else None
        self._heads: dict[Any, Head | str] = {}
        self._heads_made = count()
        self.moments = Moments(ctx)
        self.lines, self.notes = LineCells(table), NotesOf(ctx, table)
        self._decided: dict[tuple[str, Basis], tuple[Decided, Units, Writing]] = {}
        known = {*KEYED, *SINGLE, *PASSIVE}
        self._others = [(at[name], name) for name in at if name not in known]
        source = ctx.mapping.settings.source
        # Also the date that does not decide when Mews books an order may be one that there is something to say of.
        texts = (*_ACCOUNT, "payment.capture.status", "voucherCode", *(DATES - {source.consumption}))
        passive = [name for name in at if name in PASSIVE or name in texts]
        self._passive = [(at[name], self._kind[name]) for name in passive]
        self._account = [(at.get(name, -1), self._kind.get(name)) for name in _ACCOUNT]
        accounts = ctx.mapping.settings.accounts
        person = [f"{side}.{name}" for side in ADDRESSES for name in PERSON] if accounts.create_customers else []
        self._person = [(at[name], name) for name in person if name in at]
        self.account_at = [at[name] for name in (*_ACCOUNT, *person) if name in at]
        nowhere = len(table.order)
        self.number_at, self.date_at, self.shipping_at, self.total_at = (
            at.get(name, nowhere) for name in ("orderNumber", source.consumption, "shippingValue", "orderTotal")
        )
        self.captured_at, self.capture_at, self.voucher_at, self.code_at = (
            at.get(name, nowhere)
            for name in ("payment.capture.amount", "payment.capture.status", "voucherValue", "voucherCode")
        )
        self.method_at = [at[name] for name in METHODS if name in at]
        self.captured_by_at = [
            at[name] for name in ("payment.capture.status", "payment.capture.transaction") if name in at
        ]
        """What else tells of a capture than its amount."""
        self.dates: Reader[Any] = readers.date
        mapping = ctx.mapping
        self.own = {*ctx.waivers, *mapping.bills, *mapping.reservations}
        self.no_shipping = None if "shippingValue" in at else 0
        """What an empty cell means: where there is no such column, nothing is said of it."""
        self.has_accounts = bool(mapping.accounts) or accounts.lookup_email or accounts.create_customers
        self._is_made = accounts.create_customers
        self.skips_zero = source.zero_orders == "skip"
        self.tolerance = source.total_tolerance
        self._statuses = {"", *source.import_statuses}

    def take(self, number: str, groups: Rows, *, is_detailed: bool = False) -> Quick | str:
        """The order of that number, all of whose rows are in `groups`, none of them with a fault.

        `is_detailed`: with what a person is shown of its entries.
        """
        plain = self._plain(number, groups)
        found = plain if isinstance(plain, str) else self._written(plain, groups[0][1][0][0])
        if not is_detailed or isinstance(plain, str) or isinstance(found, str):
            return found
        paid = found.report.paid if found.report.is_bill else ()
        return found._replace(beside=plain.head.writing.beside(plain.lines, plain.shipping, paid))

    def _plain(self, number: str, groups: Rows) -> _Plain | str:
        cells = groups[0][0]
        if len(groups) > 1 and any(other[0] != cells for other in groups):
            return "order-level cells that differ"
        head = self.head(cells)
        if isinstance(head, str):
            return head
        if head.skipped:
            return "a status that is not imported"
        cells += ("",)
        if (cell := cells[self.voucher_at]) and head.amounts[cell] != 0:
            return "a voucher"
        if cells[self.number_at] != number:
            return "an order number with blanks or zeros"
        if number in self.own:
            return "a row of its own in the mapping"
        for index, reader in self._passive:
            if (cell := cells[index]) and cell not in reader and not is_clean(reader, cell):
                return "a text with a remark"
        for index, name in self._others:
            if cells[index]:
                return f"the field {name}"
        return self._taken(number, cells, head, groups)

    def _taken(self, number: str, cells: tuple[str, ...], head: Head, groups: Rows) -> _Plain | str:
        when = self.when(cells[self.date_at])
        if when is None:
            return "a date that is not plain, or outside the window"
        charged = self.charged(cells, head)
        if charged is None:
            return "an account with a remark"
        amounts = head.amounts
        cell = cells[self.shipping_at]
        shipping = amounts[cell] if cell else 0
        if shipping is None or shipping * head.sign < 0:
            return "shipping of the other sign or not plain"
        is_told = not cell and self.no_shipping is None
        taxes = head.decided.taxes(head.country, when, head.store)
        lines = self.lines.read(groups, amounts, taxes, head.decided)
        if isinstance(lines, str):
            return lines
        if head.decided.source is Basis.NET:
            return "taken at once only, of prices without tax"
        total = sum(map(AMOUNT, lines)) + shipping
        cell = cells[self.total_at]
        is_footed = bool(cell)
        if is_footed and amounts[cell] != total:
            return "an orderTotal that differs"
        captured = cells[self.captured_at]
        if captured and not (cells[self.capture_at].strip() and cell and amounts[captured] == total):
            return "a capture that is not plain"
        if not lines and not shipping:
            return "nothing to send"
        if not total and self.skips_zero:
            return "all amounts zero"
        payer = self._payer(cells, head, total)
        if isinstance(payer, str):
            return payer
        if head.decided.is_converted:
            return "taken at once only, in an enterprise with net pricing"
        notes = self.notes.of(cells, head.writing.currency, head.writing.precision)
        if notes is None:
            return "notes of a cell with a remark"
        share = Shipping(shipping, taxes, is_return=head.sign < 0)
        return _Plain(number, head, when, charged, lines, share, total, is_told, is_footed, payer, notes)

    def _payer(self, cells: tuple[str, ...], head: Head, total: int) -> Payer | str | None:
        """What pays an order, None for nothing; or why it is not plain."""
        payers, captured = head.writing.payers, cells[self.captured_at]
        payer: Payer | None = None
        if not total and not payers.by_captures:
            return None
        if payers.by_balance:
            payer = payers.balance
        elif payers.by_captures:
            is_return = head.sign < 0
            if is_return and not captured and not any(cells[at] for at in self.captured_by_at):
                return None if not payers.is_bill or not total else "a bill that nothing pays"
            if (
                captured
                and self.is_success(cells[self.capture_at])
                and not self._is_refund(payers, total, is_return=is_return)
            ):
                method = self.method(cells)
                payer = None if method is None else payers.capture(method)
        elif payers.is_bill:
            return "a bill that nothing pays"
        else:
            return None
        return payer if payer is not None else "a payment that is not plain"

    @staticmethod
    def _is_refund(payers: Payers, total: int, *, is_return: bool) -> bool:
        """Whether what was captured is not posted, with words about it."""
        return (total < 0 and not payers.has_refunds) or (total > 0 and is_return)

    def is_success(self, cell: str) -> bool:
        """Whether a capture of that status counts."""
        return bool(cell) and clean(self._kind["payment.capture.status"], cell) == "success"

    def method(self, cells: tuple[str, ...]) -> str | None:
        """By what an order was paid; None where there is something to say of it."""
        for at in self.method_at:
            if cell := cells[at]:
                value = clean(self._kind[self.table.order[at].field], cell)
                if not isinstance(value, str):
                    return None
                if value:
                    return value
        return ""

    def voucher_code(self, cell: str) -> str | None:
        """The code of a voucher; None where there is something to say of it."""
        reader = self._kind.get("voucherCode")
        word = clean(reader, cell) if cell and reader is not None else ""
        return word.strip() if isinstance(word, str) else None

    def _written(self, plain: _Plain, first_row: int) -> Quick | str:
        number, head, when, charged, lines, shipping, total, is_shipping_told, is_footed, payer, notes = plain
        quick = head.writing.write(number, when, charged, lines, shipping, total, payer, notes)
        if isinstance(quick, str):
            return quick
        is_negative = not shipping.is_return and any(count < 0 for count in map(QTY, lines))
        rows = list(map(Row._make, lines)) if is_negative or self.lines.has_told else []
        is_told = any(row.article.is_told for row in rows)
        signature = (head.at, is_told, is_negative, is_shipping_told, *quick.signature)
        place = self.table.place_of
        problems: list[Problem] = []
        if is_shipping_told:
            problems.append(self.table.empty_shipping(number, first_row))
        if is_negative:
            problems.append(negative_in_sale(number, [(row.qty, place(row.at)) for row in rows if row.qty < 0]))
        if is_told:
            problems += head.decided.notices(number, [(row.article, place(row.at)) for row in rows])
        return Quick(quick.line, quick.report, signature, tuple(problems), is_footed and bool(shipping.amount))

    # Order-level cells

    @property
    def is_open_to_many(self) -> bool:
        """Whether orders may be taken at once: no word for nothing begins as a number or a date does."""
        return not any(word[:1] in "-0123456789" for word in self.table.readers.empty_words)

    def plain_texts(self, columns: Columns) -> Iterator[tuple[Column, list[bool]]]:
        """Columns with cells that keep an order from being plain, and of each of its texts whether it does not.

        These are texts with a remark, and whatever stands in a field that only the rules weigh.
        """
        for index, reader in self._passive:
            if reader is self._emails and are_plain_emails(columns[index].texts):
                continue
            plain = [not cell or cell in reader or is_clean(reader, cell) for cell in columns[index].texts]
            if not all(plain):
                yield columns[index], plain
        for index, _ in self._others:
            if any(columns[index].texts):
                yield columns[index], [not cell for cell in columns[index].texts]

    def head(self, cells: tuple[str, ...]) -> Head | str:
        """What the keyed cells of an order decide, or why it is not plain."""
        key = self._key_of(cells) if self._key_of else ()
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= KEPT:
                self._heads.clear()
            head = self._heads[key] = self._make_head(cells)
        return head

    def _make_head(self, cells: tuple[str, ...]) -> Head | str:
        values: dict[str, Any] = {}
        for name in self._keyed:
            cell = cells[self._at[name]]
            if not cell:
                continue
            if not is_clean(self._kind[name], cell):
                return f"the field {name} with a remark"
            value = clean(self._kind[name], cell)
            values[name] = value.strip() if isinstance(value, str) else value
        get = values.get
        source, ctx = self._ctx.mapping.settings.source, self._ctx
        status = get("status") or ""
        if flag := next((name for name in _FLAGS if get(name)), ""):
            return f"the field {flag}"
        store = get("storeType") or ""
        include = source.prices_include_tax
        is_gross = store != "b2b" if include == "b2c" else include is True
        # Of an order's own, whatever the shop's prices are.
        is_deducted = bool(get("taxDeducted"))
        is_gross = is_gross and not is_deducted and not get("taxAdded")
        currency = get("currency") or source.default_currency
        if currency not in ctx.reference.currencies or list(check_enabled(currency, ctx.reference)):
            return "a currency that is not enabled"
        country = (
            get("deliveryAddress.country") or get("address.country")
            or get("invoiceAddress.country") or ""
        )  # fmt: skip
        if not country:
            return "no country"
        market = get("market") or ""
        if market in ctx.mapping.segments or near_key(ctx, "segments", {"": market})[1]:
            return "a business segment"
        sign = -1 if get("createdFromOrigin.type") == "return" else 1
        skipped = "" if status in self._statuses else f"status {status}"
        asked = self._of_currency(currency, Basis.GROSS if is_gross else Basis.NET)
        return Head(store, country, market, sign, is_deducted, *asked, skipped, next(self._heads_made))

    def _of_currency(self, currency: str, source: Basis) -> tuple[Decided, Units, Writing]:
        key = (currency, source)
        if key not in self._decided:
            precision = self._ctx.reference.currencies[currency].precision
            decided = Decided(self._ctx, currency, precision, source)
            readers = self.table.readers
            amounts = Units(readers.amount, precision, below=int(LARGEST_AMOUNT), nothing=readers.empty_words)
            writing = Writing(self._ctx, currency, precision, decided.shipping())
            self._decided[key] = (decided, amounts, writing)
        return self._decided[key]

    def when(self, cell: str) -> When | None:
        """The consumption of a cell with a plain date."""
        value = clean(self.dates, cell) if cell else None
        return self.moments.when(value) if isinstance(value, LocalTime) else None

    def charged(self, cells: tuple[str, ...], head: Head) -> Charged | None:
        """The account; that the cells have nothing to remark on was found before."""
        if not self.has_accounts:
            return head.decided.charged(("", "", "", "", ""))
        first, second, customer, account, buyer = (
            reader[cells[index]].strip() if reader is not None and cells[index] else ""
            for index, reader in self._account
        )
        keys = (first or second, customer, account, buyer, head.market)
        return head.decided.charged((*keys, *self._who(cells)) if self._is_made else keys)

    def _who(self, cells: tuple[str, ...]) -> tuple[str, str, str]:
        """First and last name and telephone of the person of an order."""
        values = {name: self._kind[name][cells[at]].strip() for at, name in self._person if cells[at]}
        return (*names_of(values), phone_of(values))
