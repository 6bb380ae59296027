"""What is distinct among many numbers, and which of it stands where, without sorting them. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
_DENSE = 1 << 20
"""Whole numbers below it are places of a table."""
_MIX = np.uint64(0x9E3779B97F4A7C15)


def distinct(numbers: Ints) -> tuple[Ints, Ints]:
    """(the distinct ones of whole numbers from 0 on, ascending, and which of them stands where)."""
    size = int(numbers.max(initial=-1)) + 1
    if size > _DENSE:
        found, _, which = np.unique(numbers, return_index=True, return_inverse=True)
        return found, which.astype(np.int64)
    is_there = np.zeros(size, bool)
    is_there[numbers] = True
    found = np.flatnonzero(is_there)
    place = np.empty(size, np.int64)
    place[found] = np.arange(len(found))
    return found, place[numbers]


def first_of(codes: npt.NDArray[np.int32] | Ints) -> Ints:
    """Where each code is met first."""
    first = np.zeros(int(codes.max(initial=-1)) + 1, np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first


def alike(words: list[Words]) -> tuple[Ints, npt.NDArray[np.int32]] | None:
    """(where each distinct item stands, which of them each is) of items of some words; None where two mix to one."""
    key = words[0]
    if all((word == word[0]).all() for word in words):
        return np.zeros(1, np.int64), np.zeros(len(key), np.int32)
    for word in words[1:]:
        key = (key ^ (key >> np.uint64(29))) * _MIX + word
    one = _one_of(key)
    places = np.flatnonzero(one == np.arange(len(one)))
    codes = np.empty(len(key), np.int32)
    codes[places] = np.arange(len(places))
    codes = codes[one]
    if len(words) > 1 and any((word[places][codes] != word).any() for word in words):
        return None
    return places, codes


def _one_of(keys: Words) -> npt.NDArray[np.int32]:
    """Of each key where one that is equal stands, the same for all of them: a table of hashes, all keys at once.

    In every round the last key of each slot takes those that are equal out of it, until none is left.
    """
    bits = (4 * len(keys)).bit_length()
    slots = ((keys * _MIX) >> np.uint64(64 - bits)).astype(np.int64)
    table = np.empty(1 << bits, np.int32)
    table[slots] = np.arange(len(keys))
    found = table[slots]
    left = np.flatnonzero(keys[found] != keys)
    while len(left):
        own = slots[left]
        table[own] = left
        its = table[own]
        found[left] = its
        left = left[keys[its] != keys[left]]
    return found
