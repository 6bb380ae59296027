"""Which 8-bit encoding a text is in: nearly every byte means something in each, so what decodes proves nothing.

Evidence are the words with bytes above 127. A word speaks against an encoding where it shows signs or capitals in the
middle of a word, a letter at a digit, or letters that no one language has together; charset-normalizer judges the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

CANDIDATES = (
    *("cp1252", "iso8859-15", "cp1250", "mac_roman", "cp850", "iso8859-2", "cp437"),
    *("cp1251", "cp1253", "cp1254", "koi8_r", "cp852", "mac_latin2"),
)
"""Encodings tried, in the order of how common they are: of equals the first is taken."""
ODD_WORD = re.compile(rb"[\x80-\xff0-9A-Za-z'-]*[\x80-\xff][\x80-\xff0-9A-Za-z'-]*")
_LETTERS = {
    "French": "àâæçéèêëîïôœùûüÿ",
    "German": "äöüß",
    "Swedish, Finnish": "åäöéüšž",
    "Danish, Norwegian": "æøåéèêòóôöäü",
    "Spanish": "áéíóúüñçªº",
    "Portuguese": "ãõçáéíóúâêôàüºª",
    "Italian": "àèéìíîòóùú",
    "Dutch": "áéíóúèëïöüçê",
    "Icelandic": "áéíóúýþæöð",
    "Irish, Welsh": "áéíóúâêîôûŵŷ",
    "Polish": "ąćęłńóśźżé",
    "Czech, Slovak": "áčďéěíĺľňóôŕřšťúůýžäöü",
    "Hungarian": "áéíóöőúüű",
    "Romanian": "ăâîșțşţ",
    "Croatian, Slovene": "čćđšž",
    "Turkish": "çğıiöşüâîû",
    "Estonian, Latvian, Lithuanian": "äöõüšžāčēģīķļņšūąęėįų",
    "Russian": "абвгдежзийклмнопрстуфхцчшщъыьэюяё",
    "Greek": "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",
}
_ALPHABETS = tuple(frozenset(letters) for letters in _LETTERS.values())
_PLAUSIBLE_IN_WORD = frozenset("'’‘-–·´`")
_NEVER_AFTER = frozenset("‚„†‡ˆ‰‹¡¿")
_IMPLAUSIBLE = frozenset("¤¦¨¬¯´¸\ufffd")
_MARGIN = 0.05
DOUBTFUL = 0.2
"""Share of words that speak even against the best encoding, from which on nobody should trust it."""


@dataclass(frozen=True, slots=True)
class Guess:
    """The most plausible encoding. `against`: share of odd words that speak against it, 0 to 1."""

    encoding: str
    against: float

    @property
    def is_doubtful(self) -> bool:
        """Whether a person should look at the samples before anything is sent."""
        return self.against > DOUBTFUL


def guess(words: Iterable[bytes]) -> Guess:
    """The encoding in which the words with bytes above 127 read most like words; Windows-1252 without any."""
    odd = sorted(word for word in set(words) if len(word) > 1)
    if not odd:
        # A letter alone is one in every encoding.
        return Guess(CANDIDATES[0], 0.0)
    scores = {encoding: _against(odd, encoding) for encoding in CANDIDATES}
    common = scores[CANDIDATES[0]]
    best = min(CANDIDATES, key=lambda encoding: (round(scores[encoding], 6), CANDIDATES.index(encoding)))
    # What is common needs no proof; what is rare has to read better.
    if scores[best] > common - _MARGIN:
        best = CANDIDATES[0]
    return Guess(best, scores[best])


def _against(words: list[bytes], encoding: str) -> float:
    texts = [word.decode(encoding, "replace") for word in words]
    share = sum(not is_plausible(text) for text in texts) / len(texts)
    return share + _mess(" ".join(texts)) / 4


def _mess(text: str) -> float:
    from charset_normalizer.md import mess_ratio

    return min(1.0, mess_ratio(text[:20_000], 1.0))


@cache
def is_plausible(word: str) -> bool:
    """Whether a token may stand in a shop's export: one language has its letters, in their places."""
    if _IMPLAUSIBLE & set(word) or any("\x7f" <= char <= "\x9f" or "\u2500" <= char <= "\u25ff" for char in word):
        return False
    letters = [char for char in word if char.isalpha() and not char.isascii() and char not in "ºª"]
    has_word = any(char.isalpha() and char.isascii() for char in word) or len(letters) > 1
    for at, char in enumerate(word):
        if char.isascii():
            continue
        before, after = word[at - 1 : at], word[at + 1 : at + 2]
        if not char.isalpha():
            if before.isalpha() and (after.isalpha() or char in _NEVER_AFTER) and char not in _PLAUSIBLE_IN_WORD:
                return False
        elif (
            before.isdigit()
            or after.isdigit()
            or (char.isupper() and before.isalpha() and any(one.islower() for one in word))
        ):
            return False
    if not has_word and letters:
        # A letter alone, such as à or ö, is a word; a letter beside signs is a sign that was misread.
        return len(word) == 1 and letters[0].casefold() in "àéèóòöåæøìùäüâêîôûиіаояуσο"
    found = {char.lower() for char in letters}
    return any(found <= alphabet for alphabet in _ALPHABETS)
