"""One request to Mews, exactly one attempt, and what became of it. Reads may be tried again here; writes never.

What an answer means is `answers.py`, how many may leave is `limiter.py`; what state follows is `model/states.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
from tenacity import AsyncRetrying, RetryCallState

from etl.errors import InternalError, MewsError
from etl.mews import answers
from etl.mews.attempt import BODY_PIECE, Attempt, BeforeSend, IdleConnectionError, Rest, in_one_step
from etl.mews.clock import Clock, Sleep
from etl.mews.http import CLIENT_NAME, check_address, under
from etl.mews.limiter import Backoff, Limiter
from etl.mews.operations import OPERATIONS, Operation
from etl.mews.secrets import Tokens, redact
from etl.model.outcome import Kind, Outcome
from etl.model.pace import Pace
from etl.model.payload import dump

LARGEST_ANSWER = 32 << 20
"""Bytes of an unpacked answer. A page holds 1,000 entries of a few KiB; whatever is larger is not Mews's."""

_PIECE = 1 << 20
"""Bytes unpacked at a time."""

_TOKEN_FIELDS = ("ClientToken", "AccessToken", "Client")
_RETRIED = frozenset({Kind.WAIT, Kind.NOT_SENT, Kind.UNKNOWN, Kind.CONFLICT})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a read is tried. 429 has bounds of its own: the limiter already waits for it."""

    attempts: int = 6
    seconds: float = 300.0
    pace: Pace = Pace(first=0.5, longest=20.0)
    waits: int = 20
    waiting_seconds: float = 1800.0


class Transport:
    """Sends operations to one platform address with one pair of tokens."""

    def __init__(
        self,
        *,
        address: str,
        tokens: Tokens,
        http: httpx.AsyncClient,
        limiter: Limiter,
        clock: Clock,
        retry: RetryPolicy = RetryPolicy(),
        rng: random.Random | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.address = check_address(address)
        self._tokens = tokens
        self._http = http
        self._limiter = limiter
        self._clock = clock
        self._retry = retry
        self._rng = rng or random.Random()  # noqa: S311 (jitter)
        self._backoff = Backoff(clock, self._rng)
        self._sleep = sleep
        self._urls = {name: httpx.URL(self.address + operation.path) for name, operation in OPERATIONS.items()}
        self._prefix = dump(
            dict(zip(_TOKEN_FIELDS, (tokens.client, tokens.access, CLIENT_NAME), strict=True))
        ).removesuffix(b"}")
        self._headers = [
            (b"Host", next(iter(self._urls.values())).netloc),
            (b"Content-Type", b"application/json"),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"gzip"),
            (b"User-Agent", CLIENT_NAME.replace(" ", "/").encode()),
        ]
        self._timeout = http.timeout.as_dict()
        self._rest = Rest(clock)

    @property
    def clock(self) -> Clock:
        """The clock that times are told by."""
        return self._clock

    async def send(
        self, operation: str, body: Mapping[str, Any] | bytes, *, before_send: BeforeSend | None = None
    ) -> Outcome:
        """What became of one request: waits for a slot, awaits `before_send`, sends once, classifies.

        A `body` of bytes is one that was frozen: it is sent as it is, behind the tokens.
        `before_send` is awaited again where 5 seconds pass between it and the first byte.
        Raises only what `before_send` raises (then nothing was sent), LedgerError where the limiter's file can't
        be written, and InternalError for an operation or body that can't be one. Cancelling passes.
        """
        named = OPERATIONS.get(operation)
        if named is None:
            raise InternalError(f"{operation} is no operation of ours", code="internal.operation")
        content = self._content(body) if isinstance(body, Mapping) else self._with_tokens(body)
        slot = await self._limiter.slot()
        attempt = Attempt(self._clock, self._limiter, slot, before_send, self._timeout.get("read"), self._rest)
        try:
            outcome = await self._delivered(named, content, attempt)
        except BaseException:
            attempt.give_up()
            raise
        attempt.end(outcome)
        self._keep_pace(outcome)
        return self._cleared(outcome)

    async def read(self, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of a read operation, tried again while that may help.

        Raises MewsError with Mews's Message and RequestId when it does not.
        """
        named = OPERATIONS.get(operation)
        if named is None or named.is_write:
            raise InternalError(f"{operation} is no read operation", code="internal.operation")
        retrying = AsyncRetrying(
            sleep=self._sleep,
            wait=self._pause,
            stop=_Patience(self._retry, self._clock),
            retry=lambda state: _outcome(state).kind in _RETRIED,
            retry_error_callback=_outcome,
        )
        outcome: Outcome = await retrying(self.send, operation, body)
        if outcome.kind is not Kind.DONE:
            raise failure(operation, outcome)
        return outcome.body

    def _content(self, body: Mapping[str, Any]) -> bytes:
        if any(name in body for name in _TOKEN_FIELDS):
            raise InternalError("a body brings its own tokens", code="internal.request")
        try:
            rest = dump(body)
        except (TypeError, ValueError) as error:
            raise InternalError(f"a body is no JSON: {error}", code="internal.request") from error
        return self._with_tokens(rest)

    def _with_tokens(self, rest: bytes) -> bytes:
        return self._prefix + (b"}" if rest == b"{}" else b"," + rest[1:])

    async def _delivered(self, operation: Operation, content: bytes, attempt: Attempt) -> Outcome:
        while True:
            await attempt.write_intent()
            with contextlib.suppress(IdleConnectionError):
                return await self._exchange(operation, content, attempt)

    async def _exchange(self, operation: Operation, content: bytes, attempt: Attempt) -> Outcome:
        request = self._request(operation, content, attempt)
        attempt.hand_over()
        try:
            async with asyncio.timeout(None) as attempt.deadline:
                return await self._answer(operation, request, attempt)
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, httpx.CookieConflict, OSError) as error:
            if attempt.failure is not None:
                # Nothing was sent: the intent could not be written, whatever the library made of that.
                raise attempt.failure from error
            outcome = answers.from_fault(httpx.ReadTimeout("") if isinstance(error, TimeoutError) else error)
            if attempt.has_left and outcome.kind is Kind.NOT_SENT:
                # Whatever a library calls it: once the first byte was let go, nobody knows how far the request came.
                return replace(outcome, kind=Kind.UNKNOWN)
            return outcome

    def _request(self, operation: Operation, content: bytes, attempt: Attempt) -> httpx.Request:
        url, extensions = self._urls[operation.name], {"timeout": self._timeout, "trace": attempt.trace}
        headers = [*self._headers, (b"Content-Length", b"%d" % len(content))]
        if len(content) > BODY_PIECE:
            return httpx.Request("POST", url, headers=headers, content=attempt.pieces(content), extensions=extensions)
        # Given as a stream, it is taken as it is: httpx finds out nothing of its own about headers and body.
        request = httpx.Request("POST", url, headers=headers, stream=httpx.ByteStream(content), extensions=extensions)
        request.headers.encoding = "ascii"
        request.read()
        return request

    async def _answer(self, operation: Operation, request: httpx.Request, attempt: Attempt) -> Outcome:
        response = await in_one_step(self._http.send(request, stream=True, auth=None, follow_redirects=False), attempt)
        try:
            content, why = await _whole_body(response)
        finally:
            await _stream(response).aclose()
        return answers.from_answer(operation, response.status_code, response.headers, content, self._clock.wall(), why)

    def _keep_pace(self, outcome: Outcome) -> None:
        if outcome.kind is Kind.WAIT:
            self._limiter.pause(outcome.retry_after or self._backoff.failed())
        elif outcome.status is not None:
            self._backoff.succeeded()

    def _cleared(self, outcome: Outcome) -> Outcome:
        if not outcome.message and not outcome.details:
            return outcome
        return replace(
            outcome,
            message=redact(outcome.message, self._tokens),
            details=redact(outcome.details, self._tokens),
            request_id=redact(outcome.request_id, self._tokens),
        )

    def _pause(self, state: RetryCallState) -> float:
        outcome = _outcome(state)
        if outcome.kind is Kind.WAIT:
            return 0.0
        return self._retry.pace.pause(state.attempt_number - 1, self._rng.random(), asked=outcome.retry_after or 0.0)


async def _whole_body(response: httpx.Response) -> tuple[bytes | None, str]:
    """The body, unpacked; or None and why there is none: the status has come, and only a success needs its body."""
    pieces: list[bytes] = []
    left = LARGEST_ANSWER
    try:
        async for piece in _pieces(response):
            left -= len(piece)
            if left < 0:
                return None, f"the answer is larger than {LARGEST_ANSWER >> 20} MiB"
            pieces.append(piece)
    except (httpx.HTTPError, httpx.StreamError, OSError, zlib.error, *under().BROKEN_OFF):
        return None, "the answer broke off"
    return b"".join(pieces), ""


def _pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body, unpacked, in pieces."""
    # What is asked for here is ASCII; httpx would try all headers to find that out.
    response.headers.encoding = "iso-8859-1"
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if not encoding:
        # Not packed at all, as a rule: nothing has to be decoded or cut.
        return aiter(_stream(response))
    return _unpacked(response) if encoding in ("gzip", "x-gzip") else response.aiter_bytes(_PIECE)


async def _unpacked(response: httpx.Response) -> AsyncIterator[bytes]:
    """In pieces of at most 1 MiB: httpx would unpack all that a packet of a bomb holds, a thousandfold."""
    gzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    async for packed in response.aiter_raw():
        rest = packed
        while rest:
            yield gzip.decompress(rest, _PIECE)
            rest = gzip.unconsumed_tail
    yield gzip.flush()
    if not gzip.eof:
        raise httpx.ReadError("the packed answer is cut short")


def _stream(response: httpx.Response) -> httpx.AsyncByteStream:
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise httpx.ReadError("an answer that can't be awaited")
    return response.stream


class _Patience:
    """Whether a read has been tried enough: tenacity asks after each attempt."""

    def __init__(self, policy: RetryPolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._start = clock.monotonic()
        self._waits = 0

    def __call__(self, state: RetryCallState) -> bool:
        seconds = self._clock.monotonic() - self._start
        if _outcome(state).kind is Kind.WAIT:
            self._waits += 1
            return self._waits >= self._policy.waits or seconds >= self._policy.waiting_seconds
        return state.attempt_number - self._waits >= self._policy.attempts or seconds >= self._policy.seconds


def _outcome(state: RetryCallState) -> Outcome:
    # tenacity also asks where the call raised: that passes.
    if state.outcome is None:
        raise InternalError("a retry without an outcome", code="internal.retry")
    result = state.outcome.result()
    if not isinstance(result, Outcome):
        raise InternalError(f"an outcome is {type(result).__name__}", code="internal.retry")
    return result


_FAILURES: dict[Kind, tuple[str, str]] = {
    Kind.WAIT: ("mews.throttled", "Other programs use the same access token: try again later, or lower rate_limit."),
    Kind.REFUSED: ("mews.refused", "Read Mews's message; ask Mews with the RequestId if it does not help."),
    Kind.CONFLICT: ("mews.conflict", "Try again."),
    Kind.NOT_SENT: ("mews.unreachable", "Check the network and MEWS_PLATFORM_ADDRESS, then run the same command."),
    Kind.UNKNOWN: ("mews.unreachable", "Try again; ask Mews with the RequestId if it stays so."),
    Kind.STOP: ("mews.address", "Check MEWS_PLATFORM_ADDRESS."),
}


def failure(operation: str, outcome: Outcome) -> MewsError:
    """The error of an outcome that ends a command."""
    code, hint = _FAILURES.get(outcome.kind, ("mews.unreachable", ""))
    if outcome.status == 401:
        code, hint = "mews.credentials", "Check MEWS_CLIENT_TOKEN, MEWS_ACCESS_TOKEN and the integration's permissions."
    said = f" (HTTP {outcome.status})" if outcome.status else ""
    error = MewsError(
        f"{operation}: {outcome.message}{said}", code=code, hint=hint, request_id=outcome.request_id or None
    )
    error.operation, error.status = operation, outcome.status
    return error
