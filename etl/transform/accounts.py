"""Who is charged: accounts.csv, else e-mail look-up, else creation, else the fallback. Pure.

Rule: design section 5 (account).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from etl.model.mapping import ACCOUNT_KEYS
from etl.model.order import Order
from etl.model.place import Place
from etl.model.problem import Problem, notice
from etl.model.reference import Account, Reference
from etl.model.rules import AccountRule
from etl.transform.context import Context, Findings
from etl.transform.near import tell_near

LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Charged:
    """The account of an order. `key` tells how it was found.

    `create` holds the customers/add fields of an order whose customer is found by e-mail or made; `account_id` is
    empty where nobody has the address yet.
    """

    account_id: str = ""
    key: str = ""
    create: tuple[tuple[str, str], ...] = ()
    is_company: bool = False


def charged_for(order: Order, ctx: Context, found: Findings) -> Charged:
    """The account to charge; none of a bill whose outlet names none."""
    if ctx.is_outlet and not ctx.mapping.settings.names_accounts:
        return Charged()
    return account_of(order, ctx, found)


def account_of(order: Order, ctx: Context, found: Findings) -> Charged:
    """The account to charge; an empty AccountId comes with the reason in `found`."""
    values = {
        "email": order.email,
        "customerId": order.customer_id,
        "accountId": order.account_id,
        "buyerId": order.buyer_id,
        "market": order.market,
    }
    accounts = ctx.mapping.accounts
    fitting = next((one for one in ACCOUNT_KEYS if values[one] and (one, values[one]) in accounts), "")
    if accounts:
        before = ACCOUNT_KEYS[: ACCOUNT_KEYS.index(fitting)] if fitting else ACCOUNT_KEYS
        place = order.place.at("invoiceAddress.email")
        tell_near(ctx, found, "accounts", {one: values[one] for one in before}, place)
    if fitting:
        return _checked(accounts[fitting, values[fitting]], order, ctx, found)
    return _looked_up(order, ctx, found)


def _looked_up(order: Order, ctx: Context, found: Findings) -> Charged:
    """By e-mail: the one customer in use, else a new one, else the fallback. Creating implies looking up."""
    settings = ctx.mapping.settings.accounts
    create = _new_customer(order) if settings.create_customers and order.email else ()
    if order.email and (settings.lookup_email or settings.create_customers):
        customers = customers_of(order.email, ctx.reference)
        if len(customers) > 1:
            found.add(_ambiguous(order, customers))
            return Charged(key="lookup")
        if customers:
            _tell_merged(order, customers[0], ctx, found)
            # What would be made goes along: whether somebody made it already is no difference of the plan.
            rule = AccountRule("lookup", order.email, customers[0].id, Place("found by e-mail"))
            return replace(_checked(rule, order, ctx, found), create=create)
        _tell_deleted(order, ctx, found)
    if create:
        return Charged("", "create", create)
    if fallback := ctx.mapping.fallback:
        return _checked(fallback, order, ctx, found)
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


def customers_of(email: str, reference: Reference) -> list[Account]:
    """The customers in use that an address leads to; profiles that are all merged lead to their targets.

    Shape: by id, each once; empty where the address is unknown or its profiles are deleted.
    """
    known = reference.accounts
    candidates = [known[one] for one in reference.accounts_by_email.get(email.lower(), ()) if one in known]
    in_use = {one.id: one for one in candidates if one.is_active and not one.merged_into}
    if not in_use:
        targets = (_final(one, known) for one in candidates)
        in_use = {one.id: one for one in targets if one is not None and one.is_active}
    return [in_use[one] for one in sorted(in_use)]


def _final(account: Account, known: Mapping[str, Account]) -> Account | None:
    """Where the merges of a profile end; None where that is not known."""
    seen = {account.id}
    while account.merged_into:
        target = known.get(account.merged_into)
        if target is None or target.id in seen:
            return None
        seen.add(target.id)
        account = target
    return account


def _ambiguous(order: Order, customers: Sequence[Account]) -> Problem:
    listed = ", ".join(f"{one.id} ({one.name})" if one.name else one.id for one in customers)
    return Problem(
        "account.ambiguous",
        order.number,
        order.place.at("invoiceAddress.email"),
        order.email,
        f"{len(customers)} customers have the e-mail address of order {order.number}: {listed}.",
    )


def _tell_merged(order: Order, customer: Account, ctx: Context, found: Findings) -> None:
    candidates = ctx.reference.accounts_by_email.get(order.email.lower(), ())
    if customer.id not in candidates:
        words = f"Customer {candidates[0]} was merged into {customer.id}, which is charged for order {order.number}."
        _tell(order, "account.merged", words, found)


def _tell_deleted(order: Order, ctx: Context, found: Findings) -> None:
    if candidates := ctx.reference.accounts_by_email.get(order.email.lower(), ()):
        words = f"Customer {candidates[0]} of order {order.number} is deleted in Mews and counts as nobody."
        _tell(order, "account.inactive", words, found)


def _tell(order: Order, code: str, words: str, found: Findings) -> None:
    place = order.place.at("invoiceAddress.email")
    found.add(notice(code, words, order=order.number, place=place, value=order.email))


def _checked(rule: AccountRule, order: Order, ctx: Context, found: Findings) -> Charged:
    found.add_rule(rule.check(ctx.reference), order.place)
    account = rule.account(ctx.reference)
    if account is None:
        return Charged(key=rule.key_type)
    return Charged(account.id, rule.key_type, is_company=account.kind == "Company")


def _new_customer(order: Order) -> tuple[tuple[str, str], ...]:
    last_name = order.last_name or order.email.partition("@")[0]
    fields = {"Email": order.email, "FirstName": order.first_name, "LastName": last_name, "Phone": order.phone}
    return tuple((name, value[:LONGEST_NAME]) for name, value in fields.items() if value)
