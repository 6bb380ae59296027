"""What foreign words mean: country names by ISO, origins by their word; statuses and store types are a person's.

Rule: design section 3a: statuses that count, store types, payers and tax meanings are never filled in on likelihood.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from etl.model.export import BROKEN, plain
from etl.model.mapping import Sure
from etl.proposals.countries import common_names, country_names, plain_name
from etl.proposals.names import RETURN_WORDS, spelled
from etl.proposals.sheet import Sheet
from etl.reading.codes import currency_fault, nearest_country
from etl.reading.parse import MEANINGS
from etl.reading.remarks import RemarkedValue

_OPEN_CODES = frozenset({"GE", "CG", "CD", "KP", "KR", "GN", "WS", "MF", "SX", "VI", "VG", "FM"})
"""Countries whose short name is that of another country or part of one too: Georgia, Congo, Korea, Guinea, .."""
_WORDS = {
    "Completed": "paid bezahlt kundebezahlt bezahlung paye payee reglee pagado pagada betald betalt betaald complete completed "
    "abgeschlossen erledigt terminee termine completado completada slutford afsluttet voltooid fulfilled shipped versendet "
    "versandt ausgeliefert geliefert expediee livree enviado entregado levererad skickad leveret sendt verzonden geleverd done",
    "Cancelled": "cancelled canceled voided storniert abgebrochen annulee annule cancelado cancelada anulado avbruten makulerad "
    "annulleret geannuleerd refunded erstattet remboursee reembolsado aterbetald refunderet terugbetaald",
    "Pending": "pending open offen unbezahlt unpaid enattente pendiente obetald vantar afventer openstaand onhold draft entwurf brouillon "
    "borrador bozza inattesa inattesadipagamento awaitingpayment pendingpayment enattentedepaiement pendientedepago",
    "Processing": "processing inbearbeitung enpreparation procesando behandlas behandles inbehandeling partiallyfulfilled",
    "Failed": "failed fehlgeschlagen echouee fallido misslyckad fejlet mislukt",
}
_SIGNS = {"£": "GBP", "€": "EUR"}
_STATUS = {word: status for status, words in _WORDS.items() for word in words.split()}
_STORES = {
    **dict.fromkeys(("privat", "privatkunde", "consumer", "retail", "particulier", "particular", "privatkund", "endkunde"), "b2c"),
    **dict.fromkeys(("firma", "business", "geschaftskunde", "handler", "grosshandel", "professionnel", "empresa", "foretag",
                     "virksomhed", "zakelijk", "trade", "wholesale"), "b2b"),
}  # fmt: skip


_RATES_FOOT = "the orders foot with this share of tax on top"


@dataclass(frozen=True, slots=True)
class ValueProposal:
    """A word of a field: what it means, or "" with candidates. `orders` and `money` (currency -> total) that need it."""

    field: str
    value: str
    means: str = ""
    sure: Sure | None = None
    evidence: str = ""
    candidates: tuple[str, ...] = ()
    orders: int = 0
    money: Mapping[str, Decimal] = dataclasses.field(default_factory=dict)


def propose_values(
    sheet: Sheet, fields: Mapping[str, str], known: Mapping[str, Mapping[str, str]], *, rates_foot: bool = False
) -> list[ValueProposal]:
    """Every word that can't be read as it is; `known` (field -> word -> meaning) is what values.csv says already.

    `rates_foot`: the orders foot with the tax that the lines' rates put on top.
    """
    found: list[ValueProposal] = []
    totals = _totals(sheet, fields)
    for header, name in fields.items():
        parse: Callable[[str], Any] | None = MEANINGS.get(name) or MEANINGS.get(name.rpartition(".")[2])
        if parse is None or header not in sheet.profiles:
            continue
        words: dict[str, set[int]] = {}
        cells = sheet.cells(header)
        for number, rows in enumerate(sheet.groups):
            for row in rows:
                if cells[row].strip() and cells[row][:1] != BROKEN:
                    words.setdefault(plain(cells[row]).strip(), set()).add(number)
        if name == "products.vatPercent" and sheet.rates_are_shares(header):
            rates = _percents(sheet, words, known.get(name, {}), totals)
            found += (replace(one, sure=Sure.PROVED, evidence=_RATES_FOOT) if rates_foot else one for one in rates)
            continue
        for word, orders in words.items():
            is_rate = name == "products.vatPercent" and sheet.numbers.rate(word) is not None
            if word not in known.get(name, {}) and not is_rate and not _is_read(parse, word):
                found.append(_value(name, word, len(orders), _money(totals, orders)))
    return sorted(found, key=lambda one: (one.field, -sum(map(abs, one.money.values())), -one.orders, one.value))


def meanings_of(name: str, word: str) -> tuple[str, ...]:
    """What a word that nothing says the meaning of may mean in a field, most likely first."""
    found = _value(name, word, 0, {})
    return tuple(filter(None, (found.means, *found.candidates)))


def _percents(
    sheet: Sheet, words: Mapping[str, set[int]], known: Mapping[str, str], totals: Sequence[tuple[str, Decimal]]
) -> Iterator[ValueProposal]:
    for word, orders in words.items():
        rate = sheet.numbers.rate(word)
        if rate and word not in known:
            means, evidence = f"{(rate * 100).normalize():f}", "all rates are below 1: shares, no percents"
            name, money = "products.vatPercent", _money(totals, orders)
            yield ValueProposal(name, word, means, Sure.LIKELY, evidence, (), len(orders), money)


def _is_read(parse: Callable[[str], Any], word: str) -> bool:
    try:
        parse(word)
    except RemarkedValue as odd:
        return not odd.is_error
    return True


def _totals(sheet: Sheet, fields: Mapping[str, str]) -> list[tuple[str, Decimal]]:
    total = next((header for header, name in fields.items() if name == "orderTotal" and header in sheet.profiles), "")
    currency = next((header for header, name in fields.items() if name == "currency" and header in sheet.profiles), "")
    found = []
    for rows in sheet.groups:
        amount = sheet.numbers.amount(_first(sheet, total, rows)) if total else None
        found.append((plain(_first(sheet, currency, rows)).strip() if currency else "", amount or Decimal(0)))
    return found


def _first(sheet: Sheet, header: str, rows: Sequence[int]) -> str:
    cells = sheet.cells(header)
    return next((cells[row] for row in rows if cells[row].strip()), "")


def _money(totals: Sequence[tuple[str, Decimal]], orders: set[int]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for number in orders:
        currency, amount = totals[number]
        sums[currency] = sums.get(currency, Decimal(0)) + amount
    return sums


def _value(name: str, word: str, orders: int, money: Mapping[str, Decimal]) -> ValueProposal:
    means, evidence = "", ""
    sure: Sure | None = None
    candidates: tuple[str, ...] = ()
    match name.rpartition(".")[2]:
        case "country":
            means, sure, evidence, candidates = country_of(word)
        case "status" if name == "status":
            near = _STATUS.get(spelled(word), "")
            candidates = tuple(dict.fromkeys(one for one in (near, "Completed", "Cancelled", "Pending") if one))
        case "storeType":
            candidates = (_STORES.get(spelled(word), ""),) if spelled(word) in _STORES else ("b2c", "b2b")
        case "currency":
            _, near = currency_fault(word)
            candidates = tuple(part.strip("?") for part in near.split()[-1:])
            if word in _SIGNS:
                means, sure, evidence, candidates = (
                    _SIGNS[word],
                    Sure.LIKELY,
                    "a sign that few other currencies have",
                    (),
                )
        case "type":
            means = "return" if spelled(word) in RETURN_WORDS else "order"
            sure, evidence = Sure.LIKELY, "by its word"
        case "vatPercent":
            candidates = ("0",)
    return ValueProposal(name, word, means, sure, evidence, candidates, orders, money)


def country_of(word: str) -> tuple[str, Sure | None, str, tuple[str, ...]]:
    """Meaning, sureness, evidence and candidates of a country's name."""
    codes = country_names().get(plain_name(word), frozenset())
    if len(codes) == 1:
        code = next(iter(codes))
        if code in _OPEN_CODES and len(word.split()) == 1 and not word.isupper():
            return "", None, "a name of more than one country", (code,)
        return code, Sure.PROVED, "the name of one ISO country", ()
    if codes:
        return "", None, "a name of more than one country", tuple(sorted(codes))
    common = common_names().get(plain_name(word))
    if common:
        return common, Sure.LIKELY, "a common name", ()
    near = nearest_country(word)
    return "", None, "", (near,) if near else ()
