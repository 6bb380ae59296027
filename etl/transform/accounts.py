"""Who is charged: accounts.csv, else e-mail look-up, else creation, else the fallback. Pure.

Rule: design section 5 (account).
"""

from __future__ import annotations

from dataclasses import dataclass

from etl.model.mapping import ACCOUNT_KEYS
from etl.model.order import Order
from etl.model.problem import Problem
from etl.transform.context import Context, Findings

REFUSED_CLASSIFICATION = "Cashlist"
MERGE_HINT = "Use the account that it was merged into."


@dataclass(frozen=True, slots=True)
class Charged:
    """The account of an order. `key` tells how it was found; `create` holds customers/add fields if it must be made."""

    account_id: str = ""
    key: str = ""
    create: tuple[tuple[str, str], ...] = ()
    is_company: bool = False


def account_of(order: Order, ctx: Context, found: Findings) -> Charged:
    """The account to charge; an empty AccountId comes with the reason in `found`."""
    values = {
        "email": order.email,
        "customerId": order.customer_id,
        "accountId": order.account_id,
        "buyerId": order.buyer_id,
        "market": order.market,
    }
    for key_type in ACCOUNT_KEYS:
        key = (key_type, values[key_type])
        if not values[key_type] or key not in ctx.mapping.accounts:
            continue
        target = ctx.mapping.accounts[key]
        if target is None:
            found.add(
                Problem(
                    "account.undecided",
                    order.number,
                    order.place,
                    f"{key_type} {values[key_type]}",
                    f"accounts.csv has a row for {key_type} {values[key_type]} with an empty account.",
                )
            )
            return Charged(key=key_type)
        return _checked(target, key_type, order, ctx, found)
    return _looked_up(order, ctx, found)


def _looked_up(order: Order, ctx: Context, found: Findings) -> Charged:
    settings = ctx.mapping.settings.accounts
    if settings.lookup_email and order.email:
        candidates = ctx.reference.accounts_by_email.get(order.email.lower(), ())
        if len(candidates) == 1:
            return _checked(candidates[0], "lookup", order, ctx, found)
        if candidates:
            found.add(
                Problem(
                    "account.ambiguous",
                    order.number,
                    order.place.at("invoiceAddress.email"),
                    order.email,
                    f"{len(candidates)} customers have the e-mail address of order {order.number}: {', '.join(candidates)}.",
                )
            )
            return Charged(key="lookup")
    if settings.create_customers and order.email:
        return Charged("", "create", _new_customer(order))
    if settings.fallback:
        return _checked(settings.fallback, "fallback", order, ctx, found)
    found.add(
        Problem(
            "account.unmapped",
            order.number,
            order.place.at("invoiceAddress.email"),
            order.email,
            f"Nothing says whom to charge for order {order.number}.",
        )
    )
    return Charged()


def _checked(target: str, key: str, order: Order, ctx: Context, found: Findings) -> Charged:
    account_id = (
        ctx.reference.eids.get(f"account:{target.removeprefix('eid:')}", "") if target.startswith("eid:") else target
    )
    account = ctx.reference.accounts.get(account_id)
    if account is None:
        found.add(
            Problem(
                "account.unknown",
                order.number,
                order.place,
                target,
                f"Mews has no customer or company {target} (found by {key}).",
            )
        )
        return Charged(key=key)
    if not account.is_active or account.merged_into:
        hint = f"{MERGE_HINT} It is {account.merged_into}." if account.merged_into else "Use an active account."
        found.add(
            Problem(
                "account.inactive",
                order.number,
                order.place,
                target,
                f"{account.kind} {target} is deleted or merged.",
                hint,
            )
        )
    if REFUSED_CLASSIFICATION in account.classifications:
        found.add(
            Problem("account.cashlist", order.number, order.place, target, f"Customer {target} is on the cash list.")
        )
    return Charged(account.id, key, is_company=account.kind == "Company")


def _new_customer(order: Order) -> tuple[tuple[str, str], ...]:
    last_name = order.last_name or order.email.partition("@")[0]
    fields = {"Email": order.email, "FirstName": order.first_name, "LastName": last_name, "Phone": order.phone}
    return tuple((name, value) for name, value in fields.items() if value)
