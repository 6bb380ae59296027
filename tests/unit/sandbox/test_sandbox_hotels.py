"""Many access tokens at one server: each has a hotel, a limit and a state file of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import simplejson
from sandbox_desk import ACCOUNT, SERVICE, item, world_of

from etl.errors import UsageError
from etl.sandbox.server import running_sandbox
from etl.sandbox.world import ACCESS_TOKEN, World
from etl.sandbox.world_file import parse_world

ORDER = {
    "ServiceId": SERVICE,
    "AccountId": ACCOUNT,
    "Items": [item()],
    "ConsumptionUtc": "2011-12-01T08:26:00Z",
}
TOKENS = ("second-token", "third-token")


def group(limit: tuple[int, float] | None = (3, 60.0)) -> World:
    return replace(world_of(), access_tokens=TOKENS, limit=limit)


def asked(url: str, operation: str, token: str, **body: object) -> httpx.Response:
    content = simplejson.dumps({"ClientToken": world_of().client_token, "AccessToken": token, "Client": "test", **body})
    headers = {"Content-Type": "application/json"}
    return httpx.post(f"{url}/api/connector/v1/{operation}", content=content, headers=headers)


def test_each_token_has_a_limit_of_its_own() -> None:
    with running_sandbox(group()) as mews:
        for token in (world_of().access_token, *TOKENS):
            answers = [asked(mews.url, "configuration/get", token).status_code for _ in range(4)]
            assert answers == [200, 200, 200, 429], token
        assert asked(mews.url, "configuration/get", "unknown").status_code == 401
        assert httpx.post(f"{mews.url}/api/connector/v1/configuration/get", content=b"[]").status_code == 400
        assert [each.statuses[429] for each in mews.hotels] == [1, 1, 1]


def test_each_token_reaches_a_hotel_of_its_own(tmp_path: Path) -> None:
    """Other ids, other orders, other files; the first token's is the world as it was."""
    state = tmp_path / "mews.jsonl"
    with running_sandbox(group(None), state=state) as mews:
        found = [
            asked(mews.url, "configuration/get", one).json()["Enterprise"] for one in (world_of().access_token, *TOKENS)
        ]
        assert found[0]["Id"] == world_of().enterprise.id
        assert len({one["Id"] for one in found}) == len({one["Name"] for one in found}) == 3
        assert asked(mews.url, "orders/add", TOKENS[0], **ORDER).status_code == 200
        assert [len(each.orders) for each in mews.hotels] == [0, 1, 0]
        page = httpx.get(mews.url).text
        assert "3 hotels" in page
        assert f"<td>{found[1]['Name']}<td>1<td>" in page
    with running_sandbox(group(None), state=state) as mews:
        assert [len(each.orders) for each in mews.hotels] == [0, 1, 0]


def test_a_world_file_lists_its_tokens() -> None:
    told = {"pricing": "Gross", "currencies": {"GBP": 2}, "service": {"name": "Shop"}, "access_tokens": ["a", "b"]}
    assert parse_world(told).access_tokens == ("a", "b")
    for wrong in (["a", "a"], [ACCESS_TOKEN], [""]):
        with pytest.raises(UsageError, match="access_tokens"):
            parse_world({**told, "access_tokens": wrong})
