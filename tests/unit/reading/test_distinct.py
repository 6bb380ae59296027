"""What is distinct among numbers and words, as sorting and dicts find it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from etl.reading.distinct import alike, distinct, first_of

SMALL = st.integers(0, 40)
LARGE = st.integers(0, 2**62)
MIX = 0x9E3779B97F4A7C15
WORDS = st.sampled_from([0, 1, 2, 255, 2**32, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)


@given(st.lists(SMALL, max_size=60) | st.lists(SMALL | LARGE, max_size=60))
def test_whole_numbers_are_those_that_sorting_finds(numbers: list[int]) -> None:
    found, which = distinct(np.array(numbers, np.int64))
    assert found.tolist() == sorted(set(numbers))
    assert found[which].tolist() == numbers
    assert first_of(which).tolist() == [numbers.index(number) for number in sorted(set(numbers))]


@given(st.integers(1, 3).flatmap(lambda width: st.lists(st.tuples(*[WORDS] * width), min_size=1, max_size=60)))
def test_items_of_some_words_are_alike_where_all_words_are(items: list[tuple[int, ...]]) -> None:
    found = alike([np.array(column, np.uint64) for column in zip(*items, strict=True)])
    assert found is not None
    places, codes = found
    assert len(places) == len(set(items))
    assert [items[place] for place in places[codes]] == items


def test_every_item_in_one_slot_is_found() -> None:
    """Words whose hashes share their first bits take a round each."""
    unmixed = pow(MIX, -1, 2**64)
    words = np.array([place * unmixed % 2**64 for place in range(9)] * 3, np.uint64)
    found = alike([words])
    assert found is not None
    assert words[found[0]][found[1]].tolist() == words.tolist()


def test_two_items_that_mix_to_one_are_told() -> None:
    """Then the cells are compared one by one."""
    assert alike([np.array([0, 1], np.uint64), np.array([MIX, 0], np.uint64)]) is None
