"""Settings and tables of a small shop beyond the plain ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from small_shop import SmallShop, open_shop, unlimited

from etl.sandbox.faults import parse_fault
from etl.sandbox.server import running_sandbox
from etl.sandbox.world import World

ANN = "ac000000-0000-4000-a000-000000000002"
HOUSE = "ac000000-0000-4000-a000-000000000001"


def configure(shop: SmallShop, tables: dict[str, str] | None = None, /, **sections: str) -> None:
    """Writes the mapping folder with more lines in the sections of migration.toml named, and these tables."""
    more = {name: sections.pop(name) for name in list(sections) if name == "target"}
    shop.map(**more)  # type: ignore[arg-type]
    path = shop.mapping / "migration.toml"
    text = path.read_text("utf-8")
    for name, lines in sections.items():
        head = f"[{name}]\n"
        text = text.replace(head, f"{head}{lines}\n") if head in text else f"{text}{head}{lines}\n"
    path.write_text(text, "utf-8")
    for name, content in (tables or {}).items():
        (shop.mapping / f"{name}.csv").write_text(content, "utf-8")


@contextmanager
def bad_day(folder: Path, *faults: str, world: World | None = None, **mapping: Any) -> Iterator[SmallShop]:
    """A shop whose Mews has these dials switched on."""
    dials = [parse_fault(fault) for fault in faults]
    with running_sandbox(world or unlimited(), faults=dials) as mews:
        yield open_shop(folder, mews, "shop", **mapping)


def change_enterprise(change: Callable[[Any], Any], name: str = "gross-uk") -> World:
    """A built-in world with its one enterprise changed."""
    world = unlimited(name)
    return replace(world, enterprises={world.enterprise.id: change(world.enterprise)})


def accounts_charged(shop: SmallShop) -> dict[str, str]:
    """The account that Mews holds each order of this store on."""
    from etl.model.identity import parse_identifier

    found: dict[str, str] = {}
    for item in shop.sandbox.items:
        parsed = parse_identifier(item.external_identifier or "")
        if parsed is not None and parsed[0].store == shop.store:
            found[parsed[0].number] = item.account_id
    return found


def people(shop: SmallShop, emails: Iterable[str]) -> dict[str, list[str]]:
    """The ids of the customers with these addresses, as Mews holds them."""
    return {
        email: [one.id for one in shop.sandbox.customers if (one.email or "").lower() == email.lower()]
        for email in emails
    }
