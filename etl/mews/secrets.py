"""The two tokens, and how every text that leaves this room is cleared of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import MutableMapping
from typing import Any

MASK = "***"

_NAMED = re.compile(
    r"""((?:MEWS_)?(?:Client|Access|CLIENT|ACCESS)_?(?:Token|TOKEN)\\?["']?\s*[:=]\s*\\?["']?)([^\s"'\\,;&}]+)"""
)
_SHAPED = re.compile(r"\b[0-9A-Fa-f]{32}-[0-9A-Fa-f]{31,32}\b")


class Tokens:
    """ClientToken and AccessToken. Prints as ***; the values are read where the body is built, nowhere else."""

    __slots__ = ("access", "client")

    def __init__(self, client: str, access: str) -> None:
        self.client = client
        self.access = access

    @property
    def key(self) -> str:
        """A hash that stands for the access token, on disk too."""
        return hashlib.sha256(b"centra-mews access token\n" + self.access.encode()).hexdigest()

    def __repr__(self) -> str:
        return f"Tokens({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("tokens are not stored")


def redact(text: str, tokens: Tokens | None = None) -> str:
    """`text` without tokens: the given ones, named ones (`AccessToken: ...`) and anything shaped like one. Pure."""
    if tokens is not None:
        # The longer first: one token may contain the other.
        for secret in sorted((tokens.client, tokens.access), key=len, reverse=True):
            if secret:
                text = text.replace(secret, MASK)
    return _SHAPED.sub(MASK, _NAMED.sub(rf"\g<1>{MASK}", text))


class Redactor:
    """A structlog processor that clears every text of an event, however deep it stands."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self._tokens = tokens

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG002 (structlog calls it so)
        """The event without tokens. Effects: changes `event` in place, as structlog expects."""
        for name, value in event.items():
            event[name] = self._clear(value)
        return event

    def _clear(self, value: Any) -> Any:
        if isinstance(value, str):
            return redact(value, self._tokens)
        if isinstance(value, bytes):
            return redact(value.decode("utf-8", "replace"), self._tokens)
        if isinstance(value, dict):
            return {self._clear(key): self._clear(part) for key, part in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)([self._clear(part) for part in value]) if type(value) in (list, tuple) else str(value)
        if isinstance(value, BaseException):
            return redact(f"{type(value).__name__}: {value}", self._tokens)
        return value
