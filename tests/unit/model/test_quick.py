"""A class that is made quickly is the same class."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from etl.model.packed import Packed
from etl.model.place import Place
from etl.model.quick import quick


@dataclass(frozen=True, slots=True)
class Slow:
    number: str
    count: int = 1
    facts: dict[str, int] = field(default_factory=dict)
    name: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Fast:
    number: str
    count: int = 1
    facts: dict[str, int] = field(default_factory=dict)
    name: str = ""


def test_it_is_made_as_the_other_is():
    """By place and by name, with what is given for nothing; each has its own."""
    for given, named in [(("1",), {}), (("1", 2), {"name": "x"}), ((), {"number": "1", "facts": {"a": 1}})]:
        slow, fast = Slow(*given, **named), Fast(*given, **named)
        assert repr(fast) == repr(slow).replace("Slow", "Fast")
        assert type(fast) is Fast
    assert Fast("1").facts is not Fast("1").facts
    assert Fast("1", 2) == Fast("1", 2) != Fast("1", 3)
    assert replace(Fast("1", 2), name="x") == Fast("1", 2, {}, "x")
    for wrong in [(), ("1", 2, {}, "x", "y")]:
        with pytest.raises(TypeError):
            Fast(*wrong)


def test_one_with_a_base_is_of_its_base():
    """The values of the plan have one, which says how they are pickled."""
    place = Place("a.csv", "", 2, "x")
    assert isinstance(place, Packed)
    assert type(place) is Place
    assert pickle.loads(pickle.dumps(place)) == place


def test_nobody_changes_it():
    """Frozen, also for those who copy it or read it from a file."""
    one = Fast("1", 2, {"a": 1}, "x")
    for same in [one, copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))]:
        assert same == one
        with pytest.raises(FrozenInstanceError):
            same.count = 3
        with pytest.raises(AttributeError):
            object.__setattr__(same, "other", 1)


def test_what_is_of_another_form_is_refused():
    """Without slots, or with more to do after its fields are set."""

    @dataclass(frozen=True)
    class Open:
        number: str

    @dataclass(frozen=True, slots=True)
    class Checked:
        number: str

        def __post_init__(self) -> None:
            raise ValueError

    for form in (Open, Checked):
        with pytest.raises(TypeError):
            quick(form)
