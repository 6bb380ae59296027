"""Orders planned as outlet bills, and the bills sent straight to the local Mews, so that a prediction meets what is booked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from builders import a_context, a_mapping, a_reference

from etl.model.bill import bill_fragment, bills_body
from etl.model.identity import Identity, parse_identifier
from etl.model.plan import PlannedOrder, Verdict
from etl.model.reference import Named
from etl.sandbox.core import Sandbox
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN
from etl.transform.context import Context

OUTLET = Named("ou-shop", "Web shop", True)
PAYMENTS = "ca-paid"
SHIPPING = "ca-post"

Entries = dict[str, tuple[str, Decimal, Decimal, Decimal]]
"""Line to Type, net, tax and gross of the whole entry."""


def outlet_context(
    *, tables: dict[str, Any] | None = None, reference: dict[str, Any] | None = None, **more: Any
) -> Context:
    """Surroundings in which every order becomes a bill and every item has a category; `more` as of a_mapping."""
    sections: dict[str, dict[str, Any]] = {
        "target": {"route": "outlet", "service": ""},
        "outlet": {"outlet": OUTLET.name, "balance_category": PAYMENTS},
        "shipping": {"accounting_category": SHIPPING},
        "vouchers": {"accounting_category": SHIPPING},
        "payments": {"accounting_category": PAYMENTS},
        "accounts": {"fallback": ""},
    }
    window = {"window": more.pop("window")} if "window" in more else {}
    for section, values in more.items():
        sections[section] = sections.get(section, {}) | values
    known = a_reference()
    categories = {**known.categories, **{one: Named(one, one, True) for one in (PAYMENTS, SHIPPING)}}
    given = {"outlet": OUTLET, "categories": categories, "payment_types": ()} | (reference or {})
    return a_context(a_mapping(tables=tables, **sections), a_reference(**given), **window)


def with_outlet(world: dict[str, Any], outlet: str, categories: Iterable[str]) -> dict[str, Any]:
    """A world file's content with an outlet and accounting categories of these ids."""
    held = {one["id"] for one in world.get("accounting_categories", ())}
    more = [{"id": one, "name": one[-4:], "code": one[-4:]} for one in categories if one not in held]
    return world | {
        "outlets": [{"id": outlet, "name": "Web shop"}],
        "accounting_categories": [*world.get("accounting_categories", ()), *more],
    }


def send_bills(sandbox: Sandbox, orders: Iterable[PlannedOrder], store: str) -> int:
    """Sends every ready order in one request; gives how many. Raises AssertionError with Mews's words where it refuses."""
    fragments = [
        bill_fragment(order, Identity(store, order.number)) for order in orders if order.verdict is Verdict.READY
    ]
    if not fragments:
        return 0
    tokens = f'"ClientToken":"{CLIENT_TOKEN}","AccessToken":"{ACCESS_TOKEN}","Client":"test 1.0",'
    answer = sandbox.handle("/api/connector/v1/outletBills/add", b"{" + tokens.encode() + bills_body(fragments)[1:])
    assert answer.status == 200, answer.body
    assert len(json.loads(answer.body)["OutletBillIds"]) == len(fragments)
    return len(fragments)


def booked_on_bills(sandbox: Sandbox, store: str) -> dict[str, Entries]:
    """Order number to what Mews booked of its bill."""
    found: dict[str, Entries] = {}
    for item in sandbox.outlets.items:
        parsed = parse_identifier(item.external_identifier)
        if parsed is not None and parsed[0].store == store:
            amount = item.amount
            row = (item.type, Decimal(amount.net), Decimal(amount.gross) - Decimal(amount.net), Decimal(amount.gross))
            found.setdefault(parsed[0].number, {})[parsed[1]] = row
    return found


def predicted(order: PlannedOrder) -> Entries:
    """What the plan says that Mews books of the order's bill."""
    paid = {part for part, _, _ in order.paid}
    return {
        one.line: (
            "Payment" if one.line in paid else "Revenue",
            one.predicted.net,
            one.predicted.tax,
            one.predicted.gross,
        )
        for one in order.entries
    }


def write_outlet_mapping(folder: Path, outlet: str, category: str, **outlet_keys: str) -> None:
    """Turns a mapping folder to the outlet route: everything that lacks a category gets this one."""
    path = folder / "migration.toml"
    lines: list[str] = []
    sections = {"products", "shipping", "vouchers", "payments"}
    seen: set[str] = set()
    section = ""
    text = path.read_text("utf-8")
    for line in text.splitlines():
        if line.strip().startswith("["):
            section = line.strip().strip("[]").strip()
            seen.add(section)
            lines.append(line)
            if section == "target":
                lines.append('route = "outlet"')
            if section in sections and "accounting_category" not in _body(text, section):
                lines.append(f'accounting_category = "{category}"')
        else:
            lines.append(line)
    for name in sorted(sections - seen):
        lines += ["", f"[{name}]", f'accounting_category = "{category}"']
    keys = {"outlet": outlet, "balance_category": category} | outlet_keys
    lines += ["", "[outlet]", *(f'{key} = "{value}"' for key, value in keys.items())]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _body(text: str, section: str) -> str:
    body = text.partition(f"[{section}]")[2]
    return body.partition("\n[")[0]
