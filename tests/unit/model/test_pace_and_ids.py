"""Growing pauses, and look-ups of which Mews refuses an id."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import MewsError
from etl.model.by_ids import Refusals, read_by_ids
from etl.model.identity import return_number, split_number
from etl.model.pace import Pace


@given(st.integers(0, 5000), st.floats(0, 1), st.floats(0, 10_000))
def test_pauses_grow_and_stay_bounded(failures: int, chance: float, asked: float) -> None:
    """Never longer than the longest, never shorter than its share of the step, whatever Mews asks for."""
    pace = Pace(0.5, 20.0)
    pause = pace.pause(failures, chance, asked=asked)
    assert 0.25 <= pause <= 20.0
    assert pause >= pace.pause(failures, 0.0, asked=asked)
    assert pace.pause(failures + 1, chance, asked=asked) >= pause


def test_pauses_double() -> None:
    """0.5, 1, 2, 4 and so on; what Mews asks for counts where it is longer."""
    assert [Pace(0.5, 20.0).pause(failures, 1.0) for failures in range(7)] == [0.5, 1, 2, 4, 8, 16, 20]
    assert Pace(0.5, 20.0).pause(0, 1.0, asked=7.0) == 7.0


@given(st.lists(st.integers(0, 300), max_size=200), st.sets(st.integers(0, 300), max_size=6), st.integers(1, 60))
def test_bad_ids_cost_themselves_alone(ids: list[int], bad: set[int], size: int) -> None:
    """Every good id is read once, in requests of at most that size; a refused id is left out."""
    found: list[str] = []
    names = {str(one) for one in bad}

    async def read(batch: list[str]) -> None:
        assert 0 < len(batch) <= size
        if names & set(batch):
            raise MewsError("no such id", code="mews.refused")
        found.extend(batch)

    asyncio.run(read_by_ids(map(str, ids), size, read, Refusals(1000)))
    assert sorted(found) == sorted({str(one) for one in ids} - names)


def test_what_is_no_refusal_of_ids_is_passed_on() -> None:
    """A permission that is missing is said soon; a Mews that can't be reached is no empty answer."""
    asked = 0

    async def read(_: list[str]) -> None:
        nonlocal asked
        asked += 1
        raise MewsError("no", code=code)

    code = "mews.refused"
    with pytest.raises(MewsError):
        asyncio.run(read_by_ids(map(str, range(1000)), 1000, read, Refusals(40)))
    assert asked == 41
    asked, code = 0, "mews.unreachable"
    with pytest.raises(MewsError):
        asyncio.run(read_by_ids(["1"], 1, read, Refusals()))
    assert asked == 1


@pytest.mark.parametrize(("number", "parts"), [("10038", ("10038", "")), ("10038-R7", ("10038", "7"))])
def test_numbers_of_nested_returns(number: str, parts: tuple[str, str]) -> None:
    """An order's number and, behind the mark, that of a return nested in it."""
    assert split_number(number) == parts
    assert (return_number(*parts) if parts[1] else parts[0]) == number
