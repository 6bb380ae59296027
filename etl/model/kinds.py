"""Kinds: needs that only Mews can tell, and what its words say about them. Pure.

Rule: design section 7.1, "One of each kind first".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from enum import StrEnum

EQUAL_REFUSALS = 3
"""So many refusals in equal words hold a kind."""

REBATES = "rebates"
COMPANY = "company"
RESERVATION = "reservation"
BILL = "bill"
OLD = "old"
_PAYMENT = "payment:"


class KindState(StrEnum):
    """`open`: nobody knows; `proved`: Mews accepted one; `held`: Mews refused three in equal words."""

    OPEN = "open"
    PROVED = "proved"
    HELD = "held"


def payment_kind(payment_type: str) -> str:
    """The kind of an external payment of this type."""
    return f"{_PAYMENT}{payment_type}"


def is_payment_kind(kind: str) -> bool:
    """Whether a payment needs the kind, and not the order itself."""
    return kind.startswith(_PAYMENT)


def payment_type_of(kind: str) -> str:
    """The external payment type of a payment's kind."""
    return kind.removeprefix(_PAYMENT)


def name_of(kind: str) -> str:
    """The kind in words."""
    return f"payments of type {payment_type_of(kind)}" if is_payment_kind(kind) else _NAMES.get(kind, kind)


_NAMES = {
    REBATES: "negative amounts (rebates)",
    COMPANY: "billing a company",
    RESERVATION: "the link to a reservation",
    BILL: "posting to a bill",
    OLD: "outlet bills older than the editable window",
}

_TOPICS = {
    REBATES: re.compile(
        r"negativ|rebate|refund|credit|discount|minus|positive|greater than|less than|below zero", re.IGNORECASE
    ),
    COMPANY: re.compile(r"compan|business account|\bbilling\b", re.IGNORECASE),
    RESERVATION: re.compile(r"reservation", re.IGNORECASE),
    BILL: re.compile(r"\bbills?\b|\bBillId\b", re.IGNORECASE),
    OLD: re.compile(
        r"editable|histor|closed ?utc|\bolder\b|\btoo old\b|\bin the past\b|\A(?!.*\btax).*\bconsum", re.IGNORECASE
    ),
    _PAYMENT: re.compile(r"payment", re.IGNORECASE),
}
_ELSEWHERE = re.compile(
    r"\btax|consum|editable|histor|\bproducts?\b|productid|\bservice|currenc|segment|categor|cash ?list|decimal"
    r"|too large|external ?identifier|\bnames?\b",
    re.IGNORECASE,
)
"""What no kind is about: the mapping, or this one order."""


def is_about(kind: str, message: str) -> bool:
    """Whether Mews's words may speak of the kind; false where they evidently speak of something else."""
    own = _PAYMENT if is_payment_kind(kind) else kind
    if own not in _TOPICS or is_named_by(kind, message):
        return True
    others = (topic for name, topic in _TOPICS.items() if name != own)
    return not _ELSEWHERE.search(message) and not any(topic.search(message) for topic in others)


def is_named_by(kind: str, message: str) -> bool:
    """Whether Mews's words name the kind."""
    topic = _TOPICS.get(_PAYMENT if is_payment_kind(kind) else kind)
    return topic is not None and topic.search(message) is not None


def concerned(kinds: Collection[str], message: str) -> list[str]:
    """Which of the unproved kinds of a refused request Mews's words may speak of."""
    return [kind for kind in kinds if is_about(kind, message)]


_QUOTED = re.compile(r"'[^']{1,80}'|\"[^\"]{1,80}\"|“[^”]{1,80}”|‘[^’]{1,80}’|«[^»]{1,80}»|`[^`]{1,80}`")
_IDENTIFIER = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}|\S+@\S+|https?://\S+", re.IGNORECASE)
_NUMBERED = re.compile(r"\S*\d\S*")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SENTENCE = re.compile(r"[.!?:;]\s+")


def words_of(message: str, names: Iterable[str] = ()) -> str:
    """Mews's words without ids, numbers and names, so that equal refusals of two orders are equal.

    `names`: texts of the refused request that the answer may repeat. A capitalised word counts as a name,
    unless a sentence begins with it.
    """
    text = message
    for name in sorted({name for name in names if len(name) > 2}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", text)
    text = _NUMBERED.sub(" ", _IDENTIFIER.sub(" ", _QUOTED.sub(" ", text)))
    return " ".join(word for sentence in _SENTENCE.split(text) for word in _plain(sentence))


def _plain(sentence: str) -> list[str]:
    """The words of a sentence that are no names."""
    words = _WORD.findall(sentence)
    # Two capitalised words at the beginning are a name as well: "Acme Ltd can't be billed".
    begins_plainly = len(words) > 1 and not words[1][0].isupper()
    return [word.lower() for at, word in enumerate(words) if not word[0].isupper() or (at == 0 and begins_plainly)]
