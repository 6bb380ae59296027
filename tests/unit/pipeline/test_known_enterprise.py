"""Whether Mews knows the enterprise is told by the status of its answer, never by words that happen to stand in it."""

from __future__ import annotations

import pytest

from etl.errors import MappingError, MewsError
from etl.mews.transport import failure
from etl.model.outcome import Kind, Outcome
from etl.pipeline.prepare import known_enterprise


def refused(operation: str, status: int, message: str) -> MewsError:
    return failure(operation, Outcome(Kind.REFUSED, status=status, message=message, request_id="r-1"))


def test_a_malformed_enterprise_is_the_mappings() -> None:
    """The first request names nothing but tokens and enterprise."""
    with pytest.raises(MappingError) as caught, known_enterprise("e-1"):
        raise refused("configuration/get", 400, "Invalid EnterpriseId.")
    assert caught.value.code == "enterprise.unknown"
    assert caught.value.request_id == "r-1"
    assert "'e-1'" in caught.value.message
    with pytest.raises(MappingError, match="which enterprise"), known_enterprise(""):
        raise refused("configuration/get", 400, "EnterpriseId is required.")


@pytest.mark.parametrize(
    "error",
    [
        refused("configuration/get", 403, "Ask for permission 400."),
        refused("services/getAll", 400, "configuration/get"),
        MewsError("configuration/get: no answer after 400 s"),
    ],
    ids=["a permission", "another request", "no answer"],
)
def test_everything_else_stays_mewss(error: MewsError) -> None:
    """A refusal of another kind says what Mews said."""
    with pytest.raises(MewsError) as caught, known_enterprise("e-1"):
        raise error
    assert caught.value is error
