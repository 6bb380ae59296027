"""Payments as parts of an order: the real commands against a real Mews."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from in_process import in_process
from shop_settings import HOUSE, bad_day, change_enterprise, configure
from small_shop import SmallShop, check_counts, open_shop, row, unlimited, write_export

from etl.model.identity import parse_identifier
from etl.sandbox.faults import parse_fault
from etl.sandbox.server import running_sandbox

pytestmark = pytest.mark.slow

OpenShop = Callable[..., SmallShop]
POST = 'post = true\ntype = "CreditCard"'
CATEGORY = "ca000000-0000-4000-a000-000000000004"
PAID = ("payment.capture.status", "payment.capture.amount", "payment.capture.method", "voucherCode", "voucherValue")


def paid(
    number: object, status: object = 1, amount: object = "12.00", method: str = "card", **more: Any
) -> dict[str, str]:
    """An order of one cup for 12.00 with its capture."""
    voucher = {"voucherCode": more.pop("code", ""), "voucherValue": more.pop("voucher", "")}
    capture = {"payment.capture.status": status, "payment.capture.amount": amount, "payment.capture.method": method}
    return {
        **row(number, orderTotal=more.pop("total", "12.00"), **more),
        **{k: str(v) for k, v in {**capture, **voucher}.items()},
    }


def export(shop: SmallShop, lines: Iterable[dict[str, str]]) -> Path:
    """The lines as a CSV file."""
    rows = list(lines)
    return write_export(shop.folder / "orders.csv", rows, header=(*rows[0],))


def payments(shop: SmallShop) -> list[tuple[str, str, str, Decimal]]:
    """Number, part, type and amount of every payment of the store that Mews holds."""
    found = []
    for payment in shop.sandbox.payments:
        parsed = parse_identifier(payment.external_identifier or "")
        if parsed is not None and parsed[0].store == shop.store:
            found.append((parsed[0].number, parsed[1], payment.type, Decimal(payment.amount.gross)))
    return sorted(found)


def once(shop: SmallShop) -> bool:
    """Whether no part is there twice."""
    return set(Counter((number, part) for number, part, _, _ in payments(shop)).values()) <= {1}


def codes(document: dict[str, Any]) -> dict[str, list[str]]:
    """Problem codes with the orders of their examples."""
    return {problem["code"]: problem["examples"] for problem in document["problems"]}


def test_captures_are_posted_beside_their_orders(shop: SmallShop) -> None:
    """Types by method, refunds by their switch; what was not captured stays open and is told; nothing twice."""
    table = f"method,type,accounting_category\ncard,CreditCard,{CATEGORY}\ninv,Invoice,\n"
    configure(shop, {"payments": table}, payments=f'{POST}\nrefunds = "post"')
    lines = [
        paid(1),
        paid(2, method="inv"),
        paid(3, method="new"),
        paid(4, status=2),
        paid(5, status=0),
        paid(6, status="", amount=""),
        paid(7, amount="5.00"),
        paid(8, amount="-12.00", total="-12.00", qty=-1),
    ]
    file = export(shop, lines)
    dry = shop.shell.run("dry-run", file)
    assert dry.json["orders"]["ready"] == 8, dry.json["problems"]
    assert len(codes(dry.json)["payment.differs"]) == 4
    done = shop.shell.run("run", file, "--expect", dry.json["plan"])
    assert (done.code, done.json["orders"]["posted"]) == (0, 8), done.err
    assert payments(shop) == [
        ("1", "pay1", "CreditCard", Decimal("12.00")),
        ("2", "pay1", "Invoice", Decimal("12.00")),
        ("3", "pay1", "CreditCard", Decimal("12.00")),
        ("7", "pay1", "CreditCard", Decimal("5.00")),
        ("8", "pay1", "CreditCard", Decimal("-12.00")),
    ]
    mine = {
        parse_identifier(one.external_identifier)[0].number: one
        for one in shop.sandbox.payments  # type: ignore[index]
        if (one.external_identifier or "").startswith(f"centra:{shop.store}:")
    }
    assert (mine["1"].category_id, mine["2"].category_id, mine["1"].account_id) == (CATEGORY, None, HOUSE)
    assert mine["1"].notes == f"[centra:{shop.store}:1] pay1"
    again = shop.shell.run("run", file)
    assert (again.code, again.json["orders"]["already_posted"], once(shop)) == (0, 8, True)
    reconciled = shop.shell.run("reconcile")
    assert (reconciled.code, reconciled.json["orders"]["matched"]) == (0, 8), reconciled.json["differences"]


def test_the_open_balance_is_forecast(shop: SmallShop) -> None:
    """Without posting, the money stays open on the account, and dry run says how much; with it, what is missing."""
    configure(shop)
    file = export(shop, [paid(1), paid(2, status=2)])
    assert shop.shell.run("dry-run", file).json["balances"] == [
        {"account_id": HOUSE, "currency": "GBP", "balance": "24.00"}
    ]
    configure(shop, payments=POST)
    assert shop.shell.run("dry-run", file).json["balances"] == [
        {"account_id": HOUSE, "currency": "GBP", "balance": "12.00"}
    ]


def test_refunds_are_not_posted_unless_wanted(shop: SmallShop) -> None:
    """The default gives no money back, and says so."""
    configure(shop, payments=POST)
    done = shop.shell.run("run", export(shop, [paid(8, amount="-12.00", total="-12.00", qty=-1)]))
    assert (done.code, payments(shop)) == (0, [])
    assert codes(done.json)["payment.differs"] == ["8"]


def test_gift_cards_pay_whatever_is_posted(shop: SmallShop) -> None:
    """A gift card lowers neither revenue nor VAT; it is a payment even where captures are not posted."""
    configure(shop, {"vouchers": "code,policy,accounting_category\nGC-*,payment,\n"})
    file = export(shop, [paid(1, amount="7.00", total="7.00", code="GC-1", voucher="5.00")])
    done = shop.shell.run("run", file)
    assert (done.code, payments(shop)) == (0, [("1", "gift1", "GiftCard", Decimal("5.00"))]), done.err
    assert shop.held_sum() == Decimal("12.00")
    (total,) = done.json["totals"]
    assert (total["source"], total["planned"], total["rounding"]) == ("7.00", "7.00", "0.00")
    assert shop.shell.run("reconcile").code == 0
    assert shop.shell.run("run", file).json["orders"]["already_posted"] == 1
    assert once(shop)


def test_store_credit_of_get_orders_is_a_payment(shop: SmallShop) -> None:
    """isCredit decides, whatever the policy; an ordinary voucher beside it lowers the price."""
    configure(shop)
    order = {
        "orderId": "83651",
        "orderStatus": 4,
        "orderDate": "2024-05-01 10:00:00",
        "orderCurrency": "GBP",
        "billingEmail": "ann@example.com",
        "deliveryCountry": "GB",
        "shippingValue": "0.00",
        "voucherValue": "15.00",
        "grandTotalValue": "35.00",
        "products": [{"lineId": "1", "sku": "CUP", "qty": 1, "price": "50.00", "taxPercent": "20", "name": "Cup"}],
        "discounts": {
            "vouchers": [
                {"voucher": "SUMMER", "name": "Summer", "priceOffAsANumber": "-5.00", "isCredit": False},
                {"voucher": "CREDIT", "name": "Store credit", "priceOffAsANumber": "-10.00", "isCredit": True},
            ]
        },
    }
    file = shop.folder / "orders.json"
    file.write_text(json.dumps({"status": "ok", "orders": [order]}), "utf-8")
    done = shop.shell.run("run", file)
    assert (done.code, done.json["orders"]["posted"]) == (0, 1), done.json["problems"]
    assert payments(shop) == [("83651", "gift1", "GiftCard", Decimal("10.00"))]
    assert shop.held_sum() == Decimal("45.00")


@pytest.mark.parametrize(
    ("types", "code", "blocked"),
    [(("GiftCard",), "payment.type_not_enabled", ["1"]), (("CreditCard",), "payment.not_supported", ["2"])],
)
def test_types_that_are_not_enabled_are_caught_before_the_run(
    tmp_path: Path, types: tuple[str, ...], code: str, blocked: list[str]
) -> None:
    """An order whose payment Mews would refuse is not posted half; the others are."""
    world = change_enterprise(lambda one: replace(one, payment_types=types))
    with bad_day(tmp_path, world=world) as shop:
        tables = {"vouchers": "code,policy,accounting_category\nGC-*,payment,\n"}
        configure(shop, tables, payments=POST)
        lines = [paid(1), paid(2, status=2, total="7.00", code="GC-1", voucher="5.00")]
        done = shop.shell.run("run", export(shop, lines))
        assert done.code == 3
        assert codes(done.json)[code] == blocked
        assert set(shop.held()) == {"1", "2"} - set(blocked)
        assert not shop.sandbox.requests("payments/addExternal", 403)


@pytest.mark.parametrize(
    "fault",
    [
        "reset-after-commit:1:on=payments/addExternal:at=1+3",
        "reset-before-commit:1:on=payments/addExternal:at=1+2",
        "status-502-after:1:on=payments/addExternal:at=2",
        "truncate:1:on=payments/addExternal:at=1+2+3",
        "no-order-id:1:on=payments/addExternal:at=2",
        "delayed-commit:1:on=payments/addExternal:at=1+2:seconds=0.3",
        "status-409:1:on=payments/addExternal:at=1",
    ],
)
def test_payments_are_there_once_whatever_the_answer(tmp_path: Path, fault: str) -> None:
    """Lost and late answers to a payment: looked up in payments/getAll, posted once, never its order again."""
    with bad_day(tmp_path, fault) as shop:
        configure(shop, payments=POST)
        text = (shop.mapping / "migration.toml").read_text("utf-8")
        (shop.mapping / "migration.toml").write_text(
            text.replace("settle_seconds = 0.5", "settle_seconds = 1"), "utf-8"
        )
        file = export(shop, [paid(number) for number in range(1, 5)])
        done = shop.shell.run("run", file)
        check_counts(done.json)
        assert done.code == 0, done.err
        assert [number for number, *_ in payments(shop)] == ["1", "2", "3", "4"]
        assert shop.held() == {str(number): 1 for number in range(1, 5)}
        assert shop.shell.run("reconcile").json["orders"]["matched"] == 4


def test_a_refused_payment_leaves_its_order_counted_as_booked(tmp_path: Path) -> None:
    """Mews holds 12.00 of an order whose payment it refused: every command says so, and asks for attention."""
    with bad_day(tmp_path, "refuses-payments:type=CreditCard") as shop:
        configure(shop, payments=POST)
        file = export(shop, [paid(1)])
        done = shop.shell.run("run", file)
        check_counts(done.json)
        (total,) = done.json["totals"]
        assert (done.code, done.json["orders"]["rejected"], shop.held_sum()) == (3, 1, Decimal("12.00"))
        assert (total["planned"], total["posted"], total["rejected"]) == ("12.00", "12.00", "0.00")
        (error,) = shop.shell.run("status").json["last_errors"]
        assert "may not add external payments of type CreditCard" in error["message"]
        (again,) = shop.shell.run("dry-run", file).json["totals"]
        assert (again["planned"], again["posted"]) == ("12.00", "12.00")
        found = shop.shell.run("reconcile")
        assert (found.code, found.json["complete"], found.json["orders"]["matched"]) == (3, False, 1)
        assert {line["line"]: line["amount"] for line in found.json["bridge"] if Decimal(line["amount"])} == {
            "source": "12.00",
            "items in Mews": "12.00",
        }
        assert [(row["state"], row["orders"], row["amount"]) for row in found.json["not_in_mews"]] == [
            ("rejected", 1, "0.00")
        ]
        assert found.json["payments"] == []


def test_a_refused_gift_card_counts_with_its_sign(tmp_path: Path) -> None:
    """12.00 = 32.00 booked - 20.00 that Mews refused; accepted by name, or sent again once it may be, all is done."""
    with bad_day(tmp_path, "refuses-payments:type=GiftCard") as shop:
        configure(shop, {"vouchers": "code,policy,accounting_category\nGC-*,payment,\n"})
        file = export(shop, [paid(1, status="", amount="", price="32.00", code="GC-1", voucher="20.00")])
        done = shop.shell.run("run", file)
        check_counts(done.json)
        (total,) = done.json["totals"]
        assert (done.code, shop.held_sum(), payments(shop)) == (3, Decimal("32.00"), [])
        assert (total["source"], total["planned"], total["rejected"]) == ("12.00", "32.00", "-20.00")
        assert total["posted"] == "32.00"
        found = shop.shell.run("reconcile").json
        lines = {line["line"]: Decimal(line["amount"]) for line in found["bridge"] if Decimal(line["amount"])}
        assert lines == {"source": Decimal(12), "rejected": Decimal(20), "items in Mews": Decimal(32)}
        (left,) = found["not_in_mews"]
        assert (left["state"], left["orders"], left["amount"]) == ("rejected", 1, "-20.00")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_an_end_between_order_and_payment_is_made_up_for(tmp_path: Path) -> None:
    """The order is in Mews, its payment is not: reported as ready, and the next run sends the payment alone."""
    port, state = free_port(), tmp_path / "mews.jsonl"
    with running_sandbox(
        unlimited(), port=port, state=state, faults=[parse_fault("connect-error:1:on=payments/addExternal")]
    ) as mews:
        shop = open_shop(tmp_path, mews, "shop")
        configure(shop, payments=POST)
        file = export(shop, [paid(1)])
        running = subprocess.Popen(
            shop.shell.command("run", file),
            cwd=tmp_path,
            env=shop.shell.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until = time.monotonic() + 60
            while not shop.sandbox.requests("payments/addExternal") and time.monotonic() < until:
                time.sleep(0.05)
        finally:
            running.kill()
            running.wait()
        assert shop.held() == {"1": 1}
        assert payments(shop) == []
    with running_sandbox(unlimited(), port=port, state=state) as mews:
        shop = replace(shop, mews=mews)
        status = shop.shell.run("status").json["orders"]
        done = shop.shell.run("run", file)
        assert (done.code, len(payments(shop)), shop.held()) == (0, 1, {"1": 1}), (status, done.err)
        assert len(shop.sandbox.requests("orders/add")) == 0


def test_a_lost_ledger_finds_its_payments(shop: SmallShop) -> None:
    """recover reads the payments too: the next run sends none of them again, and those that are missing."""
    configure(shop, payments=POST)
    file = export(shop, [paid(1), paid(2)])
    assert shop.shell.run("run", file).code == 0
    shop.ledger.unlink()
    for name in ("-wal", "-shm"):
        shop.ledger.with_name(shop.ledger.name + name).unlink(missing_ok=True)
    assert shop.shell.run("run", file).code == 2
    found = shop.shell.run("recover")
    assert (found.code, found.json["found"], found.json["payments"]) == (0, 2, 2)
    done = shop.shell.run("run", export(shop, [paid(1), paid(2), paid(3)]))
    assert (done.code, done.json["orders"]["posted"], done.json["orders"]["already_posted"]) == (0, 1, 2)
    assert once(shop)
    assert len(payments(shop)) == 3


@pytest.mark.parametrize("again", [(), ("--repost-undone",)], ids=["undone", "posted again"])
def test_a_lost_ledger_finds_what_its_undo_paid_back(shop: SmallShop, again: tuple[str, ...]) -> None:
    """A payment and its reversal are both taken in, and both counted: reconcile finds nothing of them left."""
    configure(shop, payments=POST)
    shell = in_process(shop.shell)
    file = export(shop, [paid(1), paid(2)])
    assert shell.run("undo", "--run", shell.run("run", file).json["run_id"], "--yes").code == 0
    if again:
        assert shell.run("run", file, *again).code == 0
    for one in shop.folder.glob(f"{shop.ledger.name}*"):
        one.unlink()
    found = shell.run("recover")
    assert (found.code, found.json["undone"]) == (0, 2)
    shell.run("run", file)
    reconciled = shell.run("reconcile").json
    assert reconciled["differences"] == []
    assert reconciled["orders"]["matched"] == (2 if again else 0)
    held = {(row["kind"], row["amount"]) for row in reconciled["payments"]}
    assert held == ({("captures", "24.00")} if again else set())


def test_what_a_recovered_order_leaves_open_is_what_mews_holds(shop: SmallShop) -> None:
    """The source changed after the ledger was lost: balances and taxes are those of items and payments in Mews."""
    configure(shop, payments=f'{POST}\nrefunds = "post"')
    shell = in_process(shop.shell)
    refund = paid(8, amount="-12.00", total="-12.00", qty=-1)
    posted = shell.run("run", export(shop, [paid(1), paid(2, amount="5.00"), refund])).json
    for one in shop.folder.glob(f"{shop.ledger.name}*"):
        one.unlink()
    assert shell.run("recover").code == 0
    more = {"qty": 10, "total": "120.00", "amount": "120.00"}
    told = shell.run("run", export(shop, [paid(1, **more), paid(2, **more), refund])).json
    assert told["orders"]["changed"] == 2
    assert [one["balance"] for one in posted["balances"]] == ["7.00"]
    for one in (told, shell.run("report", "--report", shop.folder / "again").json):
        assert (one["balances"], one["taxes"]) == (posted["balances"], posted["taxes"])


def test_payments_are_read_back_with_either_sign(tmp_path: Path) -> None:
    """Mews shows money received as negative, other servers do not: both are found and match."""
    world = change_enterprise(lambda one: replace(one, payments_negative=False))
    with bad_day(tmp_path, "reset-after-commit:1:on=payments/addExternal:at=1", world=world) as shop:
        configure(shop, payments=POST)
        done = shop.shell.run("run", export(shop, [paid(1)]))
        assert (done.code, len(payments(shop))) == (0, 1), done.err
        assert shop.shell.run("reconcile").code == 0


def test_net_enterprises_take_payments_too(tmp_path: Path) -> None:
    """NetValue, and the amount that the customer paid."""
    world = change_enterprise(lambda one: one, "net-us")
    with bad_day(tmp_path, world=world) as shop:
        configure(
            shop,
            {"taxes": "country,vat_percent,valid_from,valid_before,tax_codes\n*,0,,,exempt\n"},
            payments=POST,
        )
        path = shop.mapping / "migration.toml"
        text = path.read_text("utf-8").replace("Europe/London", "America/New_York").replace('"GBP"', '"USD"')
        ids = {"account": next(iter(world.enterprise.customers)), "service": next(iter(world.enterprise.services))}
        text = text.replace(HOUSE, ids["account"]).replace("eid:WEB-SHOP", ids["service"])
        path.write_text("\n".join(line for line in text.splitlines() if "accounting_category" not in line), "utf-8")
        lines = [paid(1, currency="USD", vatPercent="0"), paid(2, currency="USD", vatPercent="0", amount="-3.00")]
        done = shop.shell.run("run", export(shop, lines))
        assert done.json["orders"]["posted"] == 2, done.json["problems"]
        (payment,) = shop.sandbox.payments
        assert Decimal(payment.amount.net) == Decimal("12.00")
        assert shop.shell.run("reconcile").code == 0
