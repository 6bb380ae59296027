"""migration.toml to `Settings`: every fault with its row, key, value and nearest known name."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from etl.mapping import cells
from etl.mapping.fields import NAME_FIELDS, NOTES_FIELDS, VOUCHER_FIELDS
from etl.mapping.table import decode
from etl.model.faults import Fault, did_you_mean, one_of
from etl.model.mapping import EXTERNAL_PAYMENT_TYPES, SHIPPING_WORDS, Mews, Outlet, Section, Settings, Source, Target
from etl.model.place import Place
from etl.model.route import Route

FILE = "migration.toml"
_HEADER = re.compile(r"""\s*\[\s*["']?([A-Za-z0-9_-]+)["']?\s*\]""")
_KEY = re.compile(r"""\s*["']?([A-Za-z0-9_-]+)["']?\s*=""")
_TOML_AT = re.compile(r"\(at line (\d+), column \d+\)")
_CURLY = "“”„‟«»"
_Check = Callable[[str], str]


def _shipping_tax(value: str) -> str:
    near = next(iter(difflib.get_close_matches(value.casefold(), SHIPPING_WORDS, 1, 0.85)), "")
    # A tax code is free text, so only what is nearly one of the words is refused.
    if near and value != near:
        raise cells.CellError(f"{value!r} is nearly {near}. Did you mean {near}?")
    return value


_CHECKS: dict[tuple[str, str], _Check] = {
    ("source", "timezone"): cells.timezone,
    ("source", "order_number"): cells.number_pattern,
    ("source", "encoding"): cells.encoding,
    ("source", "date_format"): cells.date_format,
    ("source", "default_currency"): cells.currency,
    ("source", "default_country"): cells.country,
    ("target", "service"): partial(cells.guid_or_eid, what="service"),
    ("target", "enterprise_id"): partial(cells.guid, what="EnterpriseId"),
    ("target", "notes"): partial(cells.template, known=NOTES_FIELDS),
    ("accounts", "fallback"): partial(cells.guid_or_eid, what="account"),
    ("products", "item_name"): partial(cells.template, known=NAME_FIELDS),
    ("products", "accounting_category"): partial(cells.guid, what="AccountingCategoryId"),
    ("shipping", "name"): partial(cells.template, known=()),
    ("shipping", "accounting_category"): partial(cells.guid, what="AccountingCategoryId"),
    ("shipping", "tax"): _shipping_tax,
    ("vouchers", "name"): partial(cells.template, known=VOUCHER_FIELDS),
    ("vouchers", "accounting_category"): partial(cells.guid, what="AccountingCategoryId"),
    ("payments", "type"): partial(cells.choice, allowed=EXTERNAL_PAYMENT_TYPES),
    ("payments", "accounting_category"): partial(cells.guid, what="AccountingCategoryId"),
    ("outlet", "balance_name"): partial(cells.template, known=()),
    ("outlet", "balance_category"): partial(cells.guid, what="AccountingCategoryId"),
}
"""What a text must be beyond its type. An empty one is a key left out and is not checked."""


def read_settings(path: Path, faults: list[Fault]) -> Settings | None:
    """The settings, or None with the reasons in `faults`. Effects: reads the file."""
    text = _text(path, faults)
    document = None if text is None else _document(text, faults)
    if text is None or document is None:
        return None
    rows = rows_of(text)
    before = len(faults)
    _unknown_sections(document, rows, faults)
    sections = {name: _section(name, document.get(name, {}), rows, faults) for name in Settings.model_fields}
    source = document.get("source")
    if isinstance(source, dict) and source.get("prices_include_tax", "") == "":
        message = (
            "The key prices_include_tax is missing in [source]: write true for prices with tax, false for prices without, "
            'or "b2c". A default would be a guess about all of the tax.'
        )
        faults.append(Fault(_place(rows, "source", "prices_include_tax"), message))
    faults += _missing_for_route(sections, rows)
    if len(faults) > before:
        return None
    return Settings.model_validate(sections)


def _missing_for_route(sections: dict[str, Section | None], rows: dict[tuple[str, str], int]) -> Iterator[Fault]:
    """What the chosen route needs: a service for orders, an outlet for bills."""
    target, outlet = sections["target"], sections["outlet"]
    if not isinstance(target, Target):
        return
    if Route(target.route) is Route.ORDERS and not target.service:
        text = "ServiceId, or eid: and its ExternalIdentifier"
        yield Fault(_place(rows, "target", "service"), f"The key service is missing in [target]: {text}.")
    if Route(target.route) is Route.OUTLET and isinstance(outlet, Outlet) and not outlet.outlet:
        text = "write the Id or the name of an outlet; `centra-mews preflight` lists them"
        row = _place(rows, "outlet", "outlet").row or _place(rows, "target", "route").row
        yield Fault(Place(FILE, row=row, column="outlet.outlet"), f"The key outlet is missing in [outlet]: {text}.")


def faults_of_source(store: str, timezone: str) -> list[str]:
    """What is wrong with a store's name and timezone that are to be written into a new folder, as sentences."""
    faults: list[Fault] = []
    _section("source", {"store": store, "timezone": timezone}, {}, faults)
    return [fault.message for fault in faults]


def read_source(path: Path, faults: list[Fault], *, store: str, timezone: str) -> tuple[Source, frozenset[str]]:
    """[source] as far as it can be read, and the keys that stand there; the rest of the file may be wrong or missing.

    A key with a fault is left out; `store` and `timezone` hold where the file names none. Effects: reads the file.
    """
    text = _text(path, faults)
    document = None if text is None else _document(text, faults)
    section = (document or {}).get("source", {})
    filled = {key: value for key, value in section.items() if value != ""} if isinstance(section, dict) else {}
    rows = rows_of(text or "")
    given = {
        key: value
        for key, value in filled.items()
        if _section("source", {"store": store, "timezone": timezone, key: value}, rows, faults) is not None
    }
    found = _section("source", {"store": store, "timezone": timezone, **given}, rows, faults)
    return found if isinstance(found, Source) else Source(store=store, timezone=timezone), frozenset(given)


class Readable(NamedTuple):
    """What can be read of a migration.toml that may be missing or faulty elsewhere; "" or the default for the rest."""

    service: str = ""
    enterprise_id: str = ""
    mews: Mews = Mews()
    fallback: str = ""
    route: Route = Route.ORDERS
    outlet: str = ""


def read_readable(path: Path) -> Readable:
    """target.service, target.enterprise_id, [mews], accounts.fallback, target.route and outlet.outlet.

    Effects: reads the file.
    """
    ignored: list[Fault] = []
    text = (_text(path, ignored) if path.is_file() else None) or ""
    document = _document(text, ignored) or {}
    given = {name: value for name, value in document.items() if isinstance(value, dict)}
    target, accounts, outlet = (given.get(name, {}) for name in ("target", "accounts", "outlet"))
    mews = _section("mews", given.get("mews", {}), rows_of(text), ignored)
    named = outlet.get("outlet")
    return Readable(
        _usable("target", "service", target),
        _usable("target", "enterprise_id", target),
        mews if isinstance(mews, Mews) else Mews(),
        _usable("accounts", "fallback", accounts),
        Route.OUTLET if target.get("route") == Route.OUTLET.value else Route.ORDERS,
        named.strip() if isinstance(named, str) else "",
    )


def _usable(section: str, key: str, given: dict[str, Any]) -> str:
    """The text of a key, "" where it can't be taken."""
    text = given.get(key)
    try:
        return _CHECKS[section, key](text.strip()) if isinstance(text, str) and text.strip() else ""
    except cells.CellError:
        return ""


def _text(path: Path, faults: list[Fault]) -> str | None:
    try:
        return decode(path)
    except ValueError as error:
        faults.append(Fault(Place(FILE), str(error)))
    except OSError as error:
        faults.append(Fault(Place(FILE), f"The file can't be read: {error.strerror or error}."))
    return None


def _document(text: str, faults: list[Fault]) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text.replace("\r\n", "\n").replace("\r", "\n"), parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        at = _TOML_AT.search(message)
        row = int(at[1]) if at else None
        line = text.splitlines()[row - 1] if row and row <= len(text.splitlines()) else ""
        what = _TOML_AT.sub("", message).strip() or "The line is not understood"
        faults.append(
            Fault(Place(FILE, row=row), f"{what}{f': {line.strip()!r}' if line.strip() else ''}.{_toml_hint(line)}")
        )
    except ValueError as error:
        faults.append(Fault(Place(FILE), f"A number is not understood: {error}."))
    except RecursionError:
        faults.append(Fault(Place(FILE), "Lists or tables stand in each other thousands of times; no key needs that."))
    return None


def _toml_hint(line: str) -> str:
    if set(_CURLY) & set(line):
        return ' Use straight quotation marks: "like this".'
    if re.search(r"=\s*[^\s\"'\[{0-9tf#]", line):
        return ' Texts need quotation marks: store = "uk".'
    return ""


def rows_of(text: str) -> dict[tuple[str, str], int]:
    """Row of every section ("" as key) and key; tomllib does not tell."""
    rows: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if match := _HEADER.match(line):
            section = match[1]
            rows.setdefault((section, ""), number)
        elif match := _KEY.match(line):
            rows.setdefault((section, match[1]), number)
    return rows


def keys_of(text: str) -> set[tuple[str, str]]:
    """(section, key) of every key that stands in a migration.toml, empty ones too."""
    return {key for key in rows_of(text) if key[1]}


def _place(rows: dict[tuple[str, str], int], section: str, key: str = "") -> Place:
    row = rows.get((section, key)) or rows.get((section, "")) or rows.get(("", section))
    return Place(FILE, row=row, column=f"{section}.{key}" if key else section)


def _unknown_sections(document: dict[str, Any], rows: dict[tuple[str, str], int], faults: list[Fault]) -> None:
    for name, value in document.items():
        if name in Settings.model_fields:
            continue
        if isinstance(value, dict):
            hint = did_you_mean(name, Settings.model_fields) or f" The sections are {one_of(Settings.model_fields)}."
            faults.append(Fault(_place(rows, name), f"There is no section [{name}].{hint}"))
        else:
            faults.append(
                Fault(
                    Place(FILE, row=rows.get(("", name)), column=name),
                    f"The key {name} stands in no section.{_home(name)}",
                )
            )


def _home(key: str, but: str = "") -> str:
    homes = [section for section, info in Settings.model_fields.items() if section != but and key in _keys(info)]
    return f" It belongs in {one_of(f'[{home}]' for home in homes)}." if homes else ""


def _keys(info: FieldInfo) -> dict[str, FieldInfo]:
    return _model(info).model_fields


def _model(info: FieldInfo) -> type[Section]:
    if not isinstance(info.annotation, type) or not issubclass(info.annotation, Section):
        raise TypeError(f"{info.annotation} is no section")
    return info.annotation


def _section(name: str, value: Any, rows: dict[tuple[str, str], int], faults: list[Fault]) -> Section | None:
    model = _model(Settings.model_fields[name])
    if not isinstance(value, dict):
        faults.append(
            Fault(_place(rows, name), f"{name} is a section: write [{name}] on a line of its own, its keys below.")
        )
        return None
    known = model.model_fields
    given: dict[str, Any] = {}
    for key, found in value.items():
        bare = found.strip() if isinstance(found, str) else found
        if key not in known:
            hint = _home(key, name) or did_you_mean(key, known) or f" The keys are {one_of(known)}."
            faults.append(Fault(_place(rows, name, key), f"There is no key {key!r} in [{name}].{hint}"))
        elif bare != "":
            given[key] = bare
    for key in given.keys() & {key for section, key in _CHECKS if section == name}:
        _apply_check(name, key, given, rows, faults)
    try:
        section = model(**given)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            key = str(detail["loc"][0])
            faults.append(Fault(_place(rows, name, key), _explain(name, key, detail, known[key])))
        return None
    if name == "payments" and given.get("post") is True and "type" not in given:
        message = "The key type is missing in [payments], and post is true. Write the external payment type of Mews, such as CreditCard."
        faults.append(Fault(_place(rows, name, "post"), message))
    return section


def _apply_check(
    name: str, key: str, given: dict[str, Any], rows: dict[tuple[str, str], int], faults: list[Fault]
) -> None:
    if not isinstance(given[key], str):
        return
    try:
        given[key] = _CHECKS[name, key](given[key])
    except cells.CellError as bad:
        faults.append(Fault(_place(rows, name, key), str(bad)))


def _explain(section: str, key: str, detail: ErrorDetails, info: FieldInfo) -> str:
    if detail["type"] == "missing":
        return f"The key {key} is missing in [{section}]: {info.description}."
    value = detail["input"]
    shown = f"{key} = {_as_toml(value)}"
    allowed = _allowed(info.annotation)
    if allowed and detail["type"] in ("literal_error", "value_error"):
        near = did_you_mean(value, [one for one in allowed if isinstance(one, str)]) if isinstance(value, str) else ""
        if isinstance(value, str) and value.lower() in ("true", "false") and True in allowed:
            near = f" Write {value.lower()} without quotation marks."
        return f"{shown} is not known.{near or f' Write {one_of(_as_toml(one) for one in allowed)}.'}"
    return f"{shown} can't be taken: {_rule(key, detail, info)}."


def _rule(key: str, detail: ErrorDetails, info: FieldInfo) -> str:
    match detail["type"]:
        case "bool_type":
            return "write true or false, without quotation marks"
        case "string_type":
            return "write a text in quotation marks"
        case "tuple_type":
            return 'write a list, such as ["Completed", "Archived"]'
        case "is_instance_of" | "finite_number" | "int_type" | "decimal_type":
            return "write a number, such as 100 or 0.5" if key != "concurrency" else "write a whole number"
        case "string_pattern_mismatch":
            return (
                "write requests per seconds, such as 200/30s"
                if key == "rate_limit"
                else "write 1 to 32 small letters, digits or hyphens"
            )
        case "greater_than" | "greater_than_equal" | "less_than_equal":
            return detail["msg"].replace("Input should be", "it must be")
        case _:
            return detail["msg"].removeprefix("Value error, ") or str(info.description)


def _allowed(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [value for part in get_args(annotation) for value in _allowed(part)]


def _as_toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
