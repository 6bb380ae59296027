"""The list of guards to break keeps up with the source; `make guards` breaks them one by one."""

from __future__ import annotations

import pytest
from break_guards import GUARDS, ROOT

LEAST = 40


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_each_patch_still_applies(guard):
    """A guard that was moved or rewritten is broken where it stands now, not forgotten."""
    assert (ROOT / guard.file).read_text("utf-8").count(guard.old) == 1
    assert guard.old != guard.new
    assert (ROOT / guard.tests[0]).is_file()


def test_the_list_is_long_and_names_each_guard_once():
    """No guard drops out unnoticed."""
    assert len({guard.name for guard in GUARDS}) == len(GUARDS) >= LEAST
