"""The numbers that tell how scattered rows are dealt out: few of them, and true to all of the file."""

from __future__ import annotations

import numpy as np

from etl.staging import raw_store


def test_a_longer_file_keeps_no_more_numbers_and_all_of_it_counts(monkeypatch):
    """Memory does not grow with the file, and its first stretches do not decide where the parts of all of it end."""
    monkeypatch.setattr(raw_store, "_SAMPLES", 2_000)
    samples = raw_store._Samples()
    most = 0
    for stretch in range(200):
        samples.add(np.random.default_rng(stretch).permutation(np.arange(1_600) + 1_600 * stretch))
        most = max(most, sum(len(some.base if some.base is not None else some) for some in samples._found))
    found = samples.all()
    assert most <= 2_000 + 2 * 512
    assert (np.diff(found) > 0).all()
    middle = found[np.arange(1, 4) * len(found) // 4] / (200 * 1_600)
    assert np.abs(middle - (0.25, 0.5, 0.75)).max() < 0.05


def test_short_stretches_are_told_apart_by_each_of_their_numbers():
    samples = raw_store._Samples()
    for numbers in ([3, 1], [2]):
        samples.add(np.array(numbers, np.int64))
    assert samples.all().tolist() == [1, 2, 3]
