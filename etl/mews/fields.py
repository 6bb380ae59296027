"""Properties of answers as types of models: strict on what is essential, tolerant on everything else.

Fields carry Mews's own names in snake case. An answer is read with every fraction as Decimal (`bodies.load`) and only
then validated: pydantic's own JSON reader would lose digits. What a text, list or part holds of another kind counts
as empty; properties that nobody here knows are passed over. An essential property that is missing, or is no text, number
or time, ends in the one sentence of `MissingFieldError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    PlainValidator,
    Strict,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic.alias_generators import to_pascal
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from etl.errors import MewsError

Json = Mapping[str, Any]
T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class MissingFieldError(MewsError):
    """An answer lacks a property that nothing may be concluded without."""

    code = "mews.answer"

    def __init__(self, owner: str, name: str, value: Any = None) -> None:
        said = "is missing" if value is None else f"is no {_expected(name)}"
        super().__init__(
            f"an answer of Mews can't be used: {owner}.{name} {said}",
            hint="Try again; ask Mews if it stays so, and check MEWS_PLATFORM_ADDRESS.",
        )


def _expected(name: str) -> str:
    if name.endswith("Utc"):
        return "time"
    return "number" if name.endswith(("Value", "Count", "Precision")) else "text"


def parse_moment(value: Any) -> datetime | None:
    """Mews's `YYYY-MM-DDThh:mm:ssZ` (fractions and offsets too) as aware UTC; None where it is no time."""
    return _read_moment(value) if type(value) is str else None


@lru_cache(maxsize=2048)
def _read_moment(text: str) -> datetime | None:
    # Remembered: the items of an order, and all that was made in one second, share their times.
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_WRONG = "wrong"
_WRONG_KINDS = frozenset({_WRONG, "string_type"})


def _missing() -> PydanticCustomError:
    return PydanticCustomError("missing", "missing")


def _number(value: Any) -> Decimal:
    if type(value) is Decimal:
        return value
    if type(value) is int:
        return Decimal(value)
    raise _missing() if value is None else PydanticCustomError(_WRONG, "wrong")


def _count(value: Any) -> int:
    if type(value) is int:
        return value
    if type(value) is Decimal and value == value.to_integral_value():
        return int(value)
    raise _missing() if value is None else PydanticCustomError(_WRONG, "wrong")


def known_moment(value: Any) -> datetime:
    """A time that must be there. Raises ValueError, which says whether it is missing or no time."""
    found = parse_moment(value)
    if found is None:
        raise PydanticCustomError(_WRONG, "wrong") if value else _missing()
    return found


def optional_moment(value: Any) -> datetime | None:
    """A time, or None where there is none. Raises ValueError where something else is there."""
    return known_moment(value) if value else None


def _part(value: Any) -> Any:
    return value if type(value) is dict else {}


def _optional_part(value: Any) -> Any:
    return value if type(value) is dict and value else None


def _essential_part(value: Any) -> Any:
    if type(value) is dict and value:
        return value
    raise _missing()


def objects(value: Any) -> Any:
    """A list of objects, without what is none; empty where it is no list."""
    return [entry for entry in value if type(entry) is dict] if type(value) is list else []


def _objects_or_none(value: Any) -> Any:
    return None if value is None else objects(value)


def _optional_objects(value: Any) -> Any:
    return objects(value) if type(value) is list else None


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(entry for entry in value if type(entry) is str) if type(value) is list else ()


class _Exact:
    """Takes a Decimal as it is, without a call into Python; an int becomes one; else it is missing, or no number."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.union_schema(
            [core_schema.is_instance_schema(Decimal), core_schema.no_info_plain_validator_function(_number)],
            mode="left_to_right",
            custom_error_type=_WRONG,
            custom_error_message="wrong",
        )


class _Tolerant:
    """Has the default stand for whatever is of another kind, without a call into Python."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), default="", on_error="default")


Text = Annotated[str, Strict(), _Tolerant()]
""""" where it is null, missing or something else."""
Essential = Annotated[str, Strict(), StringConstraints(min_length=1)]
"""A text that must be there."""
Number = Annotated[Decimal, _Exact()]
"""An amount that must be there."""
Count = Annotated[int, PlainValidator(_count)]
"""A count that must be there; 2.0 is 2."""
Moment = Annotated[datetime | None, PlainValidator(optional_moment)]
"""A time, aware UTC; None where it is null or missing."""
EssentialMoment = Annotated[datetime, PlainValidator(known_moment)]
"""A time that must be there."""
Flag = Annotated[bool, BeforeValidator(lambda value: value is True)]
"""Yes only where Mews says true."""
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
"""A list of texts, without what is none."""
Part = Annotated[T, BeforeValidator(_part)]
"""A nested object, empty where it is null, missing or something else."""
OptionalPart = Annotated[T | None, BeforeValidator(_optional_part)]
"""A nested object, None where it is empty, null, missing or something else."""
EssentialPart = Annotated[T, BeforeValidator(_essential_part)]
"""A nested object that must be there."""
Objects = Annotated[tuple[T, ...], BeforeValidator(objects)]
"""A list of objects, without what is none."""


OptionalObjects = Annotated[tuple[T, ...] | None, BeforeValidator(_optional_objects)]
"""A list of objects, None where it is no list."""
OptionalCount = Annotated[int | None, BeforeValidator(lambda value: None if value is None else _count(value))]
"""A count, None where it is null or missing."""
RawPart = Annotated[dict[str, Any], BeforeValidator(_part)]
"""A nested object as it came, empty where it is none."""
RawObjects = Annotated[list[dict[str, Any]] | None, BeforeValidator(_objects_or_none)]
"""A list of objects as they came, None where it is null or missing."""


def one_of(kinds: type[E]) -> BeforeValidator:
    """Reads a text that must be one of an enumeration."""

    def read(value: Any) -> E:
        if not value:
            raise _missing()
        if type(value) is not str or value not in kinds.__members__.values():
            raise PydanticCustomError(_WRONG, "wrong")
        return kinds(value)

    return BeforeValidator(read)


class Entity(BaseModel):
    """One object of an answer. `owner` is what an error calls it."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_pascal)
    owner: ClassVar[str] = ""

    @classmethod
    def read(cls, row: Json) -> Self:
        """The object as a model. Raises MissingFieldError naming the first essential property that can't be used."""
        try:
            return cls.model_validate(row)
        except ValidationError as error:
            raise _first_missing(cls.owner, error) from error


class Table(Generic[T]):
    """The entries of a page, which are many: typed dictionaries, read at once, for a third of what as many models cost.

    `kind`: a TypedDict configured by `TABLE`, each text NotRequired: where it is missing it is there as "".
    """

    def __init__(self, owner: str, kind: type[T]) -> None:
        self._owner = owner
        self._adapter = TypeAdapter(list[kind])  # type: ignore[valid-type]

    def read(self, entries: Sequence[Json]) -> list[T]:
        """The entries in their order. Raises MissingFieldError as `Entity.read`."""
        try:
            return self._adapter.validate_python(entries)
        except ValidationError as error:
            raise _first_missing(self._owner, error) from error


TABLE = ConfigDict(extra="ignore", alias_generator=to_pascal)
"""How a typed dictionary of `Table` is read: `__pydantic_config__`."""


def _first_missing(owner: str, error: ValidationError) -> MissingFieldError:
    """The first essential property that can't be used."""
    first = error.errors(include_url=False, include_context=False)[0]
    *parents, name = [part for part in first["loc"] if isinstance(part, str)]
    value = first["input"] if first["type"] in _WRONG_KINDS else None
    return MissingFieldError(".".join([owner, *parents]), name, value)
