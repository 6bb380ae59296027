"""What each answer or fault means: whether Mews may have acted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from etl.mews import answers, bodies
from etl.mews.operations import OPERATIONS
from etl.model.outcome import Kind, Outcome
from etl.model.payload import dump

ORDER = OPERATIONS["orders/add"]
NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
ORDER_ID = "11111111-2222-3333-4444-555555555555"


def outcome(status: int, content: bytes | None = b"{}", operation: str = "orders/add", **headers: str) -> Outcome:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answers.from_answer(OPERATIONS[operation], status, httpx.Headers(named), content, NOW)


def exceptions_of_httpx() -> list[type[Exception]]:
    found = [getattr(httpx, name) for name in httpx.__all__]
    return [cls for cls in found if isinstance(cls, type) and issubclass(cls, Exception)]


def test_every_exception_of_httpx_is_mapped():
    """An exception class that a new httpx brings must not be taken for 'not sent' by accident."""
    assert len(exceptions_of_httpx()) > 20
    assert set(exceptions_of_httpx()) == set(answers.FAULTS)


@pytest.mark.parametrize("cls", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError])
def test_connect_and_pool_faults_were_not_sent(cls):
    """An order whose request never left is simply ready again."""
    assert answers.from_fault(cls("x")).kind is Kind.NOT_SENT


@pytest.mark.parametrize(
    "cls",
    [
        httpx.ReadTimeout,
        httpx.WriteTimeout,
        httpx.ReadError,
        httpx.WriteError,
        httpx.CloseError,
        httpx.RemoteProtocolError,
        httpx.LocalProtocolError,
        httpx.DecodingError,
        ConnectionResetError,
        OSError,
    ],
)
def test_faults_after_the_first_byte_are_unknown(cls):
    """Sending such an order again could charge the guest twice."""
    assert answers.from_fault(cls("x")).kind is Kind.UNKNOWN


def test_subclasses_follow_their_nearest_known_ancestor():
    """A private subclass of a connect error is still a connect error, of anything else still in doubt."""
    assert answers.from_fault(type("New", (httpx.ConnectError,), {})("x")).kind is Kind.NOT_SENT
    assert answers.from_fault(type("New", (httpx.TransportError,), {})("x")).kind is Kind.UNKNOWN


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Kind.REFUSED),
        (403, Kind.REFUSED),
        (413, Kind.REFUSED),
        (405, Kind.REFUSED),
        (415, Kind.REFUSED),
        (422, Kind.REFUSED),
        (401, Kind.STOP),
        (404, Kind.STOP),
        (407, Kind.STOP),
        (301, Kind.STOP),
        (302, Kind.STOP),
        (308, Kind.STOP),
        (409, Kind.CONFLICT),
        (429, Kind.WAIT),
        (408, Kind.UNKNOWN),
        (499, Kind.UNKNOWN),
        (460, Kind.UNKNOWN),
        (500, Kind.UNKNOWN),
        (502, Kind.UNKNOWN),
        (503, Kind.UNKNOWN),
        (599, Kind.UNKNOWN),
        (201, Kind.UNKNOWN),
        (202, Kind.UNKNOWN),
        (204, Kind.UNKNOWN),
        (999, Kind.UNKNOWN),
    ],
)
def test_statuses(status, kind):
    """Design section 7.3, status by status."""
    assert outcome(status).kind is kind


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b'{"OrderId": "11111111-2222',
        b"[]",
        b'"x"',
        b"<html>",
        b"{}",
        b'{"OrderId": null}',
        b'{"OrderId": ""}',
        b'{"OrderId": 7}',
        b'{"OrderId": "order"}',
        b'{"OrderId": "00000000-0000-0000-0000-000000000000"}',
        b'{"OrderId": NaN}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_a_success_without_a_valid_order_id_is_unknown(content):
    """A 200 that does not name the order proves nothing: it is looked up, not repeated."""
    assert outcome(200, content).kind is Kind.UNKNOWN


def test_a_success_is_done_with_exact_numbers():
    """Amounts of an answer are Decimal, digit by digit."""
    done = outcome(200, f'{{"OrderId": "{ORDER_ID}", "Extra": 0.1}}'.encode())
    assert done.kind is Kind.DONE
    assert done.body["OrderId"] == ORDER_ID
    assert done.body["Extra"] == Decimal("0.1")
    assert isinstance(done.body["Extra"], Decimal)


@pytest.mark.parametrize(("operation", "key"), [("payments/addExternal", "ExternalPaymentId"), ("customers/add", "Id")])
def test_other_writes_need_their_own_key(operation, key):
    """A payment or customer without an id in the answer is as doubtful as an order."""
    assert outcome(200, b"{}", operation).kind is Kind.UNKNOWN
    assert outcome(200, f'{{"{key}": "{ORDER_ID}"}}'.encode(), operation).kind is Kind.DONE


def test_cancelling_answers_an_empty_object():
    """`orderItems/cancel` says nothing but {}."""
    assert outcome(200, b"{}", "orderItems/cancel").kind is Kind.DONE
    assert outcome(200, b"", "orderItems/cancel").kind is Kind.UNKNOWN


def test_a_read_without_its_list_is_no_answer():
    """A scan must not take an answer without the list for 'nothing there'."""
    assert outcome(200, b"{}", "orderItems/getAll").kind is Kind.UNKNOWN
    assert outcome(200, b'{"OrderItems": null}', "orderItems/getAll").kind is Kind.UNKNOWN
    assert outcome(200, b'{"OrderItems": []}', "orderItems/getAll").kind is Kind.DONE


def test_refusals_keep_what_mews_said():
    """Message and RequestId are what Mews's support asks for."""
    refused = outcome(403, b'{"Message": "Rebates are not allowed.", "RequestId": "r-1", "Details": {"A": 1.50}}')
    assert (refused.message, refused.request_id, refused.details) == ("Rebates are not allowed.", "r-1", '{"A": 1.50}')
    assert refused.status == 403


@pytest.mark.parametrize("content", [b"", b"<html>no</html>", None, b"[]", b'{"Message": null}'])
def test_refusals_without_json_still_have_words(content):
    """A person must be able to read what happened where Mews said nothing."""
    assert outcome(400, content).message == "HTTP 400 Bad Request"


def test_a_broken_off_refusal_is_still_a_refusal():
    """The status line has come whole; only a success needs its body."""
    assert outcome(403, None).kind is Kind.REFUSED


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("7", "", 7.0),
        ("0", "", 0.0),
        ("1.5", "", 1.5),
        ("Sat, 01 Aug 2026 12:00:30 GMT", "", 30.0),
        ("Sat, 01 Aug 2026 12:05:30 GMT", "Sat, 01 Aug 2026 12:05:00 GMT", 30.0),
        ("Sat, 01 Aug 2026 11:00:00 GMT", "", 0.0),
        ("-5", "", 0.0),
        ("soon", "", None),
        ("", "", None),
        ("nan", "", None),
        ("inf", "", None),
        ("Sat, 99 Aug 2026", "", None),
    ],
)
def test_retry_after(value, date, seconds):
    """Seconds or HTTP date, by the server's own clock where it tells it; missing or nonsense is None."""
    assert outcome(429, b"{}", retry_after=value, date=date).retry_after == seconds


def test_messages_lose_control_characters():
    """A message is printed on terminals and written to CSV."""
    assert outcome(400, b'{"Message": "a\\u001b[31m\\u0000b"}').message == "a [31m b"


@pytest.mark.parametrize(
    ("value", "text"),
    [("12.30", b"12.30"), ("1E+2", b"100"), ("1E-7", b"0.0000001"), ("0E-2", b"0.00"), ("-5.00", b"-5.00")],
)
def test_decimals_leave_as_plain_numbers(value, text):
    """Never a float, never an exponent, no digit lost."""
    assert dump({"V": Decimal(value)}) == b'{"V":' + text + b"}"


@pytest.mark.parametrize("name", ["E-bike", "SIZE+E+", "NaN", "Infinity", "1E+2", 'Zoë \\ "x" \u2028'])
@pytest.mark.parametrize("value", ["12.30", "1E+2"])
def test_a_name_that_looks_like_a_number_changes_nothing(name, value):
    """What is written in one go and what is written digit by digit are the same bytes."""
    text = json.dumps(name, ensure_ascii=False)
    assert dump({"N": name, "V": Decimal(value)}) == f'{{"N":{text},"V":{Decimal(value):f}}}'.encode()


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), float("nan"), object()])
def test_what_is_no_json_does_not_leave(value):
    """NaN in a body would be refused by Mews, or worse."""
    with pytest.raises((TypeError, ValueError)):
        dump({"V": value})


@pytest.mark.parametrize("text", ["0.1", "12.345678901234567890", "-0.00", "1e3"])
def test_fractions_are_read_exactly(text):
    """No float between Mews's digits and ours."""
    value = bodies.load(f'{{"V": {text}}}'.encode())["V"]
    assert isinstance(value, Decimal)
    assert value == Decimal(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'{"Message": "bad \ud83d!"}', {"Message": "bad \ufffd!"}),
        (r'{"A": ["\uDE00", {"\ud800": 1.50}]}', {"A": ["\ufffd", {"\ufffd": Decimal("1.50")}]}),
        (r'{"A": "\ud83d\ude00 \u00e9"}', {"A": "\U0001f600 \u00e9"}),
        (r'{"A": "\\ud83d"}', {"A": r"\ud83d"}),
    ],
)
def test_half_a_character_is_replaced(text, value):
    """JSON may name it; the ledger's driver, a file and a terminal take none."""
    found = bodies.load(text.encode())
    assert found == value
    str(found).encode()
