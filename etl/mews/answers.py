"""Answer or fault of one request -> Outcome. Pure; whether Mews may have acted decides.

Rule: design section 7.3.
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx
import simplejson

from etl.mews import bodies
from etl.mews.operations import Operation
from etl.model.outcome import Kind, Outcome

FAULTS: dict[type[Exception], Kind] = {
    # No byte of the request left this machine.
    httpx.ConnectError: Kind.NOT_SENT,
    httpx.ConnectTimeout: Kind.NOT_SENT,
    httpx.PoolTimeout: Kind.NOT_SENT,
    # The proxy refused the tunnel; plain http never goes through one.
    httpx.ProxyError: Kind.NOT_SENT,
    # The address is wrong and stays wrong.
    httpx.UnsupportedProtocol: Kind.STOP,
    httpx.InvalidURL: Kind.STOP,
    # Perhaps processed.
    httpx.HTTPError: Kind.UNKNOWN,
    httpx.HTTPStatusError: Kind.UNKNOWN,
    httpx.RequestError: Kind.UNKNOWN,
    httpx.TransportError: Kind.UNKNOWN,
    httpx.TimeoutException: Kind.UNKNOWN,
    httpx.ReadTimeout: Kind.UNKNOWN,
    httpx.WriteTimeout: Kind.UNKNOWN,
    httpx.NetworkError: Kind.UNKNOWN,
    httpx.ReadError: Kind.UNKNOWN,
    httpx.WriteError: Kind.UNKNOWN,
    httpx.CloseError: Kind.UNKNOWN,
    httpx.ProtocolError: Kind.UNKNOWN,
    httpx.LocalProtocolError: Kind.UNKNOWN,
    httpx.RemoteProtocolError: Kind.UNKNOWN,
    httpx.DecodingError: Kind.UNKNOWN,
    httpx.TooManyRedirects: Kind.UNKNOWN,
    httpx.CookieConflict: Kind.UNKNOWN,
    httpx.StreamError: Kind.UNKNOWN,
    httpx.StreamConsumed: Kind.UNKNOWN,
    httpx.StreamClosed: Kind.UNKNOWN,
    httpx.ResponseNotRead: Kind.UNKNOWN,
    httpx.RequestNotRead: Kind.UNKNOWN,
}
"""What each of httpx's exceptions means; a test fails when httpx has one more."""

_WORDS: dict[type[Exception], str] = {
    httpx.ConnectTimeout: "no connection in time",
    httpx.PoolTimeout: "no free connection in time",
    httpx.ReadTimeout: "no answer in time",
    httpx.WriteTimeout: "the request could not be sent in time",
}

# Answers of a server that looked at the request and would not act on it. Any other 4xx may come from
# something between us and Mews that gave up waiting, such as 499.
_REFUSALS = frozenset(
    {400, 402, 403, 405, 406, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424, 425, 426, 428, 431, 451}
)
_STOPS = frozenset({401, 404, 407})

_TEXT_LIMIT = 1000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def kind_of_status(status: int) -> Kind:
    """What a status alone says; 200 is DONE only once its body has been read."""
    if status == HTTPStatus.OK:
        return Kind.DONE
    if status in _REFUSALS:
        return Kind.REFUSED
    # A redirect is never followed: the body would carry the tokens to another address.
    if status in _STOPS or 300 <= status < 400:
        return Kind.STOP
    if status == HTTPStatus.CONFLICT:
        return Kind.CONFLICT
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Kind.WAIT
    return Kind.UNKNOWN


def from_fault(error: Exception) -> Outcome:
    """The outcome of a request that got no answer."""
    for ancestor in type(error).__mro__:
        if ancestor in FAULTS:
            words = _WORDS.get(ancestor) or f"{type(error).__name__}: {error}".rstrip(": ")
            return Outcome(FAULTS[ancestor], message=_clean(words))
    # Timeouts and socket errors that httpx let through: nobody knows how far the request came.
    return Outcome(Kind.UNKNOWN, message=_clean(f"{type(error).__name__}: {error}".rstrip(": ")))


def from_answer(
    operation: Operation, status: int, headers: Mapping[str, str], content: bytes | None, now: datetime, why: str = ""
) -> Outcome:
    """The outcome of an answer. `content` is None where there is no whole body, `why` says why not.

    `now` is our clock, aware.
    """
    if status == HTTPStatus.OK:
        return _from_success(operation, content, why)
    kind = kind_of_status(status)
    body = _object(content)
    message = _text(body.get("Message")) or f"HTTP {status} {_phrase(status)}".rstrip()
    if 300 <= status < 400:
        message = f"HTTP {status}: Mews is not at this address"
    return Outcome(
        kind,
        status=status,
        message=message,
        request_id=_text(body.get("RequestId")),
        details=_text(body.get("Details")),
        retry_after=_retry_after(headers, now),
    )


def _from_success(operation: Operation, content: bytes | None, why: str) -> Outcome:
    if content is None:
        return Outcome(Kind.UNKNOWN, status=200, message=why or "the answer broke off")
    try:
        body = bodies.load(content)
    except ValueError:
        return Outcome(Kind.UNKNOWN, status=200, message="the answer is no complete JSON")
    if not isinstance(body, dict):
        return Outcome(Kind.UNKNOWN, status=200, message="the answer is no JSON object")
    if missing := operation.missing(body):
        return Outcome(Kind.UNKNOWN, status=200, message=f"the answer has no valid {missing}")
    request_id = body.get("RequestId")
    return Outcome(Kind.DONE, body=body, status=200, request_id=request_id if isinstance(request_id, str) else "")


def _object(content: bytes | None) -> dict[str, Any]:
    if not content:
        return {}
    try:
        body = bodies.load(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return _clean(value if isinstance(value, str) else simplejson.dumps(value, use_decimal=True, default=str))


def _clean(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()[:_TEXT_LIMIT]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        moment = _http_date(value)
        if moment is None:
            return None
        # The server's own clock, where it tells it: ours may be minutes off.
        seconds = (moment - (_http_date(headers.get("date", "")) or now)).total_seconds()
    return max(0.0, seconds) if seconds == seconds and seconds != float("inf") else None  # noqa: PLR0124 (NaN)


def _http_date(text: str) -> datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
