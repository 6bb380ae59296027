"""In what the source differs from the version that was posted, in words. Pure.

Rule: design section 7.4: amounts, currency, lines, VAT, countries, account keys, consumption. What another format or
vocabulary leaves out or writes otherwise is no difference; account keys that are gone or anonymised are told apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

from etl.ledger.records import dumps, loads
from etl.model.plan import REFUNDS
from etl.model.words import counted

_ERASED = re.compile(r"anonymi[sz]|erased|deleted|redacted|removed", re.IGNORECASE)
_HASHED = "mail:"
_ACCOUNT = ("e-mail address", "customerId", "accountId", "buyerId", "market")
_MAIL, _MARKET = 0, 4
_SHOWN = 4

_READ_AS = ("basis", "currency", "tax country", "consumption")
"""What `PlannedOrder.read_as` always says; of a bill that captures pay, what was captured and its rule follow."""

Line = tuple[str, ...]
"""sku, ean, id, item (or the line's texts), unit price, quantity, VAT percent, bundle."""
_KEYS, _PRICE, _QTY, _VAT, _BUNDLE = slice(0, 4), 4, 5, 6, 7


@dataclass(frozen=True, slots=True)
class Changes:
    """`differences`: sentences with was and now. `erased`: account keys that are gone or anonymised."""

    differences: tuple[str, ...] = ()
    erased: tuple[str, ...] = ()


def kept(content: str) -> str:
    """The content of a version as the ledger keeps it: the e-mail address as a hash, an anonymised one as none."""
    found = loads(content, None)
    if not isinstance(found, dict):
        return ""
    account = list(found["account"])
    mail = account[_MAIL]
    if mail:
        account[_MAIL] = "" if _ERASED.search(mail) else _HASHED + sha256(mail.encode()).hexdigest()[:24]
    return dumps({**found, "account": account})


def is_nobodys(content: str) -> bool:
    """Whether a version names nobody by e-mail address or number (any more)."""
    return not any(loads(kept(content), {})["account"][:_MARKET])


def compare(posted: str, posted_as: str, now: str, now_as: str, captured: Sequence[Decimal] = ()) -> Changes:
    """Two versions of an order: `posted` as the ledger keeps it, `now` with the e-mail address as it is.

    `.._as`: `PlannedOrder.read_as`. `captured`: `PlannedOrder.captured` now.
    """
    before, after = loads(posted, {}), loads(kept(now), {})
    differences = [
        *_read_as(posted_as.split("|"), now_as.split("|")),
        *_captured(posted_as.split("|"), now_as.split("|"), captured),
        *_lines(before, after),
        *_amounts(before, after),
        *_countries(before["countries"], after["countries"]),
        *_kinds(before, after),
    ]
    keys, erased = _account(before["account"], after["account"])
    return Changes(tuple(_shortened([*differences, *keys])), erased)


def _was(what: str, before: object, after: object) -> str:
    return f"{what} was {before or 'empty'}, is {after or 'empty'}"


def _read_as(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    if before[0] != after[0]:
        yield "prices were with tax, are without tax" if after[0] == "net" else "prices were without tax, are with tax"
    for at, what in ((1, "currency"), (2, "tax country")):
        if before[at] != after[at]:
            yield _was(what, before[at], after[at])
    if before[3] != after[3]:
        yield _was("consumption", _time(before[3]), _time(after[3]))


def _captured(before: Sequence[str], after: Sequence[str], captured: Sequence[Decimal]) -> Iterator[str]:
    """What the bill holds of captures, and what it would hold now by the rule under which it was posted.

    How a bill is paid is the mapping's to say: that of today counts only where an earlier version kept no rule. An export
    that tells of no capture may just leave them out.
    """
    paid = len(_READ_AS)
    if len(before) <= paid or not captured:
        return
    rule = next((one[paid + 1] for one in (before, after) if len(one) > paid + 1), REFUNDS[0])
    held, now = before[paid], captured[REFUNDS.index(rule)]
    if Decimal(held or 0) != now:
        yield _was("what was captured", held, str(now))


def _time(text: str) -> str:
    return text.replace("T", " ").replace("+00:00", " UTC")


def _amounts(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name, what in (
        ("shipping", "shipping"),
        ("handling", "handling cost"),
        ("return_cost", "return cost"),
        ("voucher", "voucher"),
    ):
        if (was := before.get(name, "0")) != (now := after.get(name, "0")):
            yield _was(what, _money(was), _money(now))
    # An export without orderTotal says the same by its lines.
    if before["total"] is not None and after["total"] is not None and before["total"] != after["total"]:
        yield _was("orderTotal", _money(before["total"]), _money(after["total"]))
    mine, theirs = before["vouchers"], after["vouchers"]
    # create-order has one amount for all vouchers; only lists of them can differ.
    if mine and theirs and _values(mine) != _values(theirs):
        yield _was("vouchers", _vouchers(mine), _vouchers(theirs))


def _values(vouchers: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    return sorted((value, is_credit) for _, value, is_credit in vouchers)


def _vouchers(vouchers: Sequence[Sequence[str]]) -> str:
    return ", ".join(f"{_money(value)}{' credit' if is_credit == 'True' else ''}" for _, value, is_credit in vouchers)


def _countries(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    for what, was, now in zip(("delivery", "invoice"), before, after, strict=True):
        # One that is missing is what the other one or the default says, and that is compared as the tax country.
        if was and now and was != now:
            yield _was(f"{what} country", was, now)


def _kinds(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    was, now = (one["store_type"] or "b2c" for one in (before, after))
    if was != now:
        yield _was("storeType", was, now)
    if before["is_return"] != after["is_return"]:
        yield "it was a sale, is a return" if after["is_return"] else "it was a return, is a sale"


def _account(before: Sequence[str], after: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """What is another account key now, and which keys were erased at the shop."""
    pairs = list(zip(_ACCOUNT, before, after, strict=True))
    erased = tuple(what for what, was, now in pairs if was and (not now or _ERASED.search(now)))
    other = [(what, was, now) for what, was, now in pairs if was and now and was != now and what not in erased]
    # One more key than before, beside one that is the same, is another format's; the only one is another person.
    people = pairs[:_MARKET]
    if not any(was and was == now for _, was, now in people):
        other += [(what, was, now) for what, was, now in people if now and not was]
    return [_other(*one) for one in other], erased


def _other(what: str, was: str, now: str) -> str:
    if what == _ACCOUNT[_MAIL]:
        return "the e-mail address is another one" if was else "there was no e-mail address, there is one"
    return _was(what, was, now)


def _lines(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    gone = Counter(tuple(line) for line in before["lines"])
    new = Counter(tuple(line) for line in after["lines"])
    gone, new = gone - new, new - gone
    left = list(gone.elements())
    unmatched = []
    for line in new.elements():
        twin = next((one for one in left if _is_same(one, line)), None)
        if twin is None:
            unmatched.append(line)
        else:
            left.remove(twin)
    for line in unmatched:
        twin = next((one for one in left if _is_same_article(one, line)), None)
        if twin is None:
            yield f"{_line(line)} is new"
        else:
            left.remove(twin)
            yield f"{_line(twin)} was posted, is {_line(line)} now"
    for line in left:
        yield f"{_line(line)} is gone"


def _is_same(first: Line, second: Line) -> bool:
    """Whether two lines say the same, each with the product keys that its export has."""
    numbers = all(first[at] == second[at] for at in (_PRICE, _QTY, _VAT))
    return numbers and bool(first[_BUNDLE]) == bool(second[_BUNDLE]) and _is_same_article(first, second)


def _is_same_article(first: Line, second: Line) -> bool:
    keys = [(was, now) for was, now in zip(first[_KEYS], second[_KEYS], strict=True) if was and now]
    return bool(keys) and all(was == now for was, now in keys)


def _line(line: Line) -> str:
    key = next((key for key in line[_KEYS] if key), "a line without key")
    vat = f" at {line[_VAT]} %" if line[_VAT] else ""
    return f"{line[_QTY]} x {_money(line[_PRICE])} {key}{vat}"


def _money(text: str) -> str:
    amount = Decimal(text)
    exponent = amount.as_tuple().exponent
    return f"{amount:.2f}" if isinstance(exponent, int) and exponent > -2 else f"{amount:f}"


def _shortened(differences: Sequence[str]) -> Sequence[str]:
    if len(differences) <= _SHOWN:
        return differences
    return [*differences[:_SHOWN], f"and {counted(len(differences) - _SHOWN, 'difference|differences')} more"]


def edited(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> str:
    """In what a mapping folder reads the source otherwise. Shape: table to key to meaning; "" for nothing."""
    said = []
    for table in sorted(before.keys() | after.keys()):
        was, now = before.get(table, {}), after.get(table, {})
        keys = [key for key in sorted(was.keys() | now.keys()) if was.get(key) != now.get(key)]
        words = [f"{key} was {_meaning(was.get(key))}, is {_meaning(now.get(key))}" for key in keys[:_SHOWN]]
        if len(keys) > _SHOWN:
            words.append(f"and {len(keys) - _SHOWN} more")
        if words:
            said.append(f"{table}: {'; '.join(words)}")
    return ". ".join(said)


def _meaning(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value)) or "empty"
    return "not there" if value is None else str(value) or "empty"
