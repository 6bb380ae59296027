"""What the sandbox refuses before any rule is asked: address, method, size, form, tokens, request limit."""

from __future__ import annotations

import json
from datetime import UTC
from email.utils import parsedate_to_datetime

import pytest
from sandbox_desk import Desk, world_of

from etl.sandbox.core import PREFIX, Sandbox


def status(desk: Desk, path: str = PREFIX + "configuration/get", body: bytes | None = None, **how: str) -> int:
    return desk.sandbox.handle(path, desk.body() if body is None else body, **how).status


@pytest.mark.parametrize(
    "path",
    [
        "/api/connector/v1/configuration/get/",
        "/api/connector/v1/Configuration/get",
        "/api/connector/v1/configuration/Get",
        "/api/connector/v1/configuration/get?x=1",
        "/configuration/get",
        "/api/connector/v1/",
        "/",
    ],
)
def test_addresses_are_exact(path):
    """Case matters and a trailing slash is another address, as with Mews."""
    assert status(Desk(), path) == 404


def test_operations_are_posted():
    """Other methods are refused."""
    assert status(Desk(), method="GET") == 405


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xef\xbb\xbf{}",
        b"\xff",
        b'{"ClientToken": "x",}',
        b'{"x": NaN}',
        b'{"x": 1e9999999999999999999}',
        b"[" * 100_000,
        b'{"x": ' + b"1" * 5000 + b"}",
        b"{}",
        Desk().body(Notes="\ud83c"),
        Desk().body(Notes="\udf81").replace(b"\\ud", b"\\uD"),
    ],
)
def test_what_is_no_json_object_is_malformed(body):
    """Strict JSON in UTF-8 or 400, never a crash."""
    assert status(Desk(), body=body) == 400


def test_the_content_type_must_be_json():
    """Mews takes application/json only."""
    assert status(Desk(), content_type="text/plain") == 400
    assert status(Desk(), content_type="application/json; charset=utf-8") == 200


def test_a_body_beyond_the_size_is_413():
    """Too large is told as such, before the body is looked at."""
    desk = Desk()
    sandbox = Sandbox(desk.world, desk.clock, largest_body=100)
    assert sandbox.handle(PREFIX + "orders/add", b"x" * 101).status == 413


@pytest.mark.parametrize("name", ["ClientToken", "AccessToken"])
def test_wrong_tokens_are_401_missing_ones_400(name):
    """A token of somebody else is unauthorised, none at all is malformed."""
    desk = Desk()
    request = json.loads(desk.body())
    assert status(desk, body=json.dumps({**request, name: "wrong"}).encode()) == 401
    assert status(desk, body=json.dumps({**request, name: ""}).encode()) == 400
    assert status(desk, body=json.dumps({**request, name: None}).encode()) == 400
    del request[name]
    assert status(desk, body=json.dumps(request).encode()) == 400


def test_errors_carry_message_and_request_id():
    """Every refusal says why, with an id that differs each time and is in the header too."""
    desk = Desk()
    answers = [desk.raw("orders/add") for _ in range(2)]
    bodies = [json.loads(answer.body) for answer in answers]
    assert bodies[0]["Message"] == "Invalid ServiceId: the property is required."
    assert bodies[0]["RequestId"] != bodies[1]["RequestId"]
    assert answers[0].headers["Request-Id"] == bodies[0]["RequestId"]


def test_no_answer_repeats_a_token():
    """Tokens come in bodies and must never come out: not in answers, not on the page, not in the log."""
    desk = Desk(world_of(client_token="secret-client", access_token="secret-access"))
    desk.order()
    wrong = desk.sandbox.handle(PREFIX + "orders/add", desk.body().replace(b"secret-access", b"secret-other"))
    text = wrong.body.decode() + desk.raw("configuration/get").body.decode() + desk.sandbox.page()
    assert "secret-" not in text + str(list(desk.sandbox.log))


def test_the_window_slides():
    """At most N requests in any S seconds: not a counter that starts anew, and refused ones do not count."""
    desk = Desk(world_of(rate_limit="3/10s"))
    answers = []
    for _ in range(3):
        answers.append(desk.raw("configuration/get").status)
        desk.clock.forward(2)
    refused = desk.raw("configuration/get")
    assert [*answers, refused.status, refused.headers["Retry-After"]] == [200, 200, 200, 429, "4"]
    desk.clock.forward(3.999)
    assert desk.raw("configuration/get").status == 429
    desk.clock.forward(0.001)
    assert [desk.raw("configuration/get").status for _ in range(2)] == [200, 429]


def test_the_limit_counts_all_operations_but_not_refused_tokens():
    """The limit is the access token's over everything, and a stranger does not use it up."""
    desk = Desk(world_of(rate_limit="2/30s"))
    for _ in range(5):
        assert status(desk, body=desk.body().replace(b"ACCESS", b"OTHERS")) == 401
    assert [desk.raw("currencies/getAll").status, desk.order()[0], desk.order()[0]] == [200, 200, 429]
    assert len(desk.sandbox.orders) == 1


def test_the_wait_may_be_told_as_a_date_or_not_at_all():
    """Both other forms of Retry-After that clients meet; the date is on Mews's clock and never too early."""
    limited = world_of(rate_limit="1/30s")
    dated, silent = Desk(limited, "retry-after:form=date"), Desk(limited, "retry-after:form=none")
    for desk in (dated, silent):
        desk.raw("configuration/get")
        desk.clock.forward(10.5)
    until = parsedate_to_datetime(dated.raw("configuration/get").headers["Retry-After"]).astimezone(UTC)
    assert 19.5 <= (until - dated.sandbox.mews_time(dated.clock())).total_seconds() <= 21
    assert "Retry-After" not in silent.raw("configuration/get").headers


def test_mewss_clock_starts_where_the_world_says_and_runs():
    """NowUtc is the world's `now` plus the time passed since the sandbox began, wherever this machine's clock is."""
    desk = Desk(world_of(now="2025-03-10T15:00:00Z"), "clock-offset:seconds=-90")
    desk.clock.forward(30)
    assert desk.get("configuration/get")["NowUtc"] == "2025-03-10T14:59:00Z"


def test_the_log_tells_every_request():
    """Time, operation, status and reason of each request can be asked for."""
    desk = Desk()
    desk.order()
    desk.order(Items=[])
    desk.raw("orders/remove")
    logged = [(each.number, each.operation, each.status) for each in desk.sandbox.requests()]
    assert logged == [(1, "orders/add", 200), (2, "orders/add", 403), (3, "orders/remove", 404)]
    assert "at least one" in desk.sandbox.requests("orders/add", 403)[0].message
