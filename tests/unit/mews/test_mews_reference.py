"""Reference data: the codes an enterprise may use, and every entity that the mapping names."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from mews_fakes import answer, with_mews

from etl.errors import MappingError, MewsError, UsageError
from etl.mews.api import MewsReader
from etl.mews.catalogue import read_catalogue
from etl.mews.reference_data import Needs, read_reference
from etl.mews.taxes import NEVER, usable_rates
from etl.model.reference import Pricing, Strategy, Validity, dump_reference, load_reference


def ident(number):
    return str(uuid.UUID(int=number + 1))


SERVICE, PRODUCT, OLD_PRODUCT, CUSTOMER, COMPANY, MERGED, CATEGORY, SEGMENT, BILL = (ident(n) for n in range(9))


def moment(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def rate(code, taxation, value=0.2, *, validity=None, kind="Relative", **content):
    return {
        "Code": code,
        "TaxationCode": taxation,
        "Value": 0,
        "ValidityInvervalsUtc": validity,
        "Strategy": {"Discriminator": kind, "Value": {"Value": value, **content}},
    }


def a_world(**changes):
    world = {
        "configuration/get": {
            "NowUtc": "2026-08-01T12:00:00Z",
            "Enterprise": {
                "Id": ident(99),
                "ChainId": ident(98),
                "Name": "Hotel",
                "TimeZoneIdentifier": "Europe/London",
                "Pricing": "Net",
                "TaxPrecision": 4,
                "TaxEnvironmentCode": "UK",
                "AccountingEditableHistoryInterval": "P0M7DT0H0M0S",
                "OperationalEditableHistoryInterval": "P0M3DT0H0M0S",
                "Currencies": [
                    {"Currency": "GBP", "IsDefault": True, "IsEnabled": True},
                    {"Currency": "JPY", "IsDefault": False, "IsEnabled": False},
                    {"Currency": "XXX", "IsDefault": False, "IsEnabled": True},
                ],
                "AccountingConfiguration": {"EnabledExternalPaymentTypes": ["GiftCard"]},
                "LegalEnvironmentCode": "UK-LEGAL",
            },
        },
        "services/getAll": {
            "Services": [
                {
                    "Id": SERVICE,
                    "Name": "Shop",
                    "IsActive": True,
                    "Data": {"Discriminator": "Additional"},
                    "ExternalIdentifier": "shop",
                },
                {"Id": ident(50), "Name": "Rooms", "IsActive": True, "Data": {"Discriminator": "Bookable"}},
            ]
        },
        "products/getAll": {
            "Products": [
                {
                    "Id": PRODUCT,
                    "ServiceId": SERVICE,
                    "Names": {"en-GB": "Mug"},
                    "IsActive": True,
                    "ExternalIdentifier": "mug",
                },
                {"Id": OLD_PRODUCT, "ServiceId": SERVICE, "Names": {}, "IsActive": False, "ExternalIdentifier": "mug"},
            ]
        },
        "accountingCategories/getAll": {"AccountingCategories": [{"Id": CATEGORY, "Name": "Retail", "IsActive": True}]},
        "businessSegments/getAll": {"BusinessSegments": [{"Id": SEGMENT, "Name": "Online", "IsActive": False}]},
        "currencies/getAll": {"Currencies": [{"Code": "GBP", "Precision": 2}, {"Code": "JPY", "Precision": 0}]},
        "taxEnvironments/getAll": {"TaxEnvironments": [{"Code": "UK", "TaxationCodes": ["UK-VAT"]}]},
        "taxations/getAll": {"TaxRates": [rate("UK-S", "UK-VAT"), rate("FR-S", "FR-TVA")]},
        "customers/getAll": {
            "Customers": [
                {"Id": CUSTOMER, "FirstName": "A", "LastName": "B", "IsActive": True, "Email": "A@Example.com"},
                {
                    "Id": MERGED,
                    "LastName": "Old",
                    "IsActive": True,
                    "MergeTargetId": CUSTOMER,
                    "Email": "a@example.com",
                },
                {"Id": ident(60), "LastName": "Gone", "IsActive": False, "Email": "gone@example.com"},
                {"Id": ident(61), "LastName": "Cash", "IsActive": True, "Classifications": ["Cashlist"]},
            ]
        },
        "companies/getAll": {
            "Companies": [{"Id": COMPANY, "Name": "Ltd", "IsActive": True, "ExternalIdentifier": "C-1"}]
        },
        "bills/getAll": {"Bills": [{"Id": BILL, "AccountId": CUSTOMER, "State": "Open"}]},
    }
    return world | changes


FILTERS = {
    "CustomerIds": lambda row, wanted: row["Id"] in wanted,
    "Ids": lambda row, wanted: row["Id"] in wanted,
    "BillIds": lambda row, wanted: row["Id"] in wanted,
    "Emails": lambda row, wanted: (row.get("Email") or "").lower() in {one.lower() for one in wanted},
    "ExternalIdentifiers": lambda row, wanted: row.get("ExternalIdentifier") in wanted,
}


def answers_of(world):
    def handler(operation, body):
        found = world[operation]
        for name, matches in FILTERS.items():
            if name in body:
                key = next(iter(found))
                found = {key: [row for row in found[key] if matches(row, body[name])]}
        return found

    return handler


def read(needs, *, enterprise_id=None, world=None):
    """The reference data and the operations it took."""

    async def use(transport, mews):
        reference = await read_reference(MewsReader(transport, enterprise_id=enterprise_id), needs, platform="http://x")
        return reference, mews

    reference, mews = with_mews(answers_of(world or a_world()), use)
    assert load_reference(dump_reference(reference)) == reference
    return reference, mews


def test_the_enterprise_is_read_whole():
    """Pricing, precision, windows and currencies decide on every amount."""
    reference, _ = read(Needs(SERVICE))
    assert reference.pricing is Pricing.NET
    assert reference.tax_precision == 4
    assert (reference.accounting_interval, reference.operational_interval) == ("P0M7DT0H0M0S", "P0M3DT0H0M0S")
    assert reference.currencies["GBP"].precision == 2
    assert (reference.currencies["JPY"].precision, reference.currencies["JPY"].is_enabled) == (0, False)
    assert "XXX" not in reference.currencies
    assert reference.payment_types == ("GiftCard",)
    assert reference.service.is_orderable
    assert reference.now == moment("2026-08-01T12:00:00")


def test_only_codes_of_the_environment_are_usable():
    """A French code on a British enterprise is refused by Mews."""
    reference, _ = read(Needs(SERVICE))
    assert set(reference.tax_rates) == {"UK-S"}
    assert reference.tax_rates["UK-S"].value == Decimal("0.2")


def test_what_the_catalogue_has_read_of_the_enterprise_is_not_asked_for_again():
    """preflight reads the catalogue first; its time goes on while it does."""

    async def use(transport, mews):
        reader = MewsReader(transport)
        await read_catalogue(reader)
        await asyncio.sleep(30)
        reference = await read_reference(reader, Needs(SERVICE), platform="http://x")
        return reference, [name for name, _ in mews.requests].count("configuration/get")

    reference, count = with_mews(answers_of(a_world(**{"outlets/getAll": {"Outlets": []}})), use)
    assert count == 1
    assert reference.now == moment("2026-08-01T12:00:30")


def test_nothing_needed_costs_five_requests():
    """Every command that talks to Mews pays for this."""
    _, mews = read(Needs(SERVICE))
    assert [name for name, _ in mews.requests] == [
        "configuration/get",
        "services/getAll",
        "currencies/getAll",
        "taxEnvironments/getAll",
        "taxations/getAll",
    ]


def test_everything_needed_costs_one_request_a_kind():
    """2,000,000 lines must not mean thousands of look-ups."""
    needs = Needs(
        "eid:shop",
        products=frozenset({"eid:mug", PRODUCT}),
        accounts=frozenset({CUSTOMER, COMPANY, "eid:C-1", "eid:C-9", ident(70)}),
        categories=frozenset({CATEGORY}),
        segments=frozenset({SEGMENT}),
        bills=frozenset({BILL}),
        emails=frozenset({"a@example.com", "gone@example.com", "nobody@example.com"}),
    )
    reference, mews = read(needs)
    assert len(mews.requests) == 5 + 8
    assert reference.eids == {"service:shop": SERVICE, "product:mug": PRODUCT, "account:C-1": COMPANY}
    assert not reference.products[OLD_PRODUCT].is_active
    assert reference.products[PRODUCT].name == "Mug"
    assert reference.accounts[CUSTOMER].kind == "Customer"
    assert reference.accounts[COMPANY].kind == "Company"
    assert ident(70) not in reference.accounts
    assert reference.segments[SEGMENT].is_active is False
    assert reference.bills[BILL].is_open
    assert reference.categories[CATEGORY].name == "Retail"


def test_merged_and_deleted_profiles_are_marked():
    """A charge on a merged profile lands on somebody else, or nowhere."""
    reference, _ = read(Needs(SERVICE, emails=frozenset({"a@example.com", "gone@example.com"})))
    assert reference.accounts_by_email["a@example.com"] == (CUSTOMER,)
    assert reference.accounts[MERGED].merged_into == CUSTOMER
    assert not reference.accounts[MERGED].is_active
    (gone,) = reference.accounts_by_email["gone@example.com"]
    assert not reference.accounts[gone].is_active


def test_several_profiles_with_one_address_are_all_told():
    """Which of two people is charged is a person's decision."""
    world = a_world()
    world["customers/getAll"]["Customers"][1].pop("MergeTargetId")
    reference, _ = read(Needs(SERVICE, emails=frozenset({"A@example.COM"})), world=world)
    assert reference.accounts_by_email["a@example.com"] == tuple(sorted((CUSTOMER, MERGED)))


def test_classifications_are_kept():
    """Customers on the cash list are refused by the transform."""
    reference, _ = read(Needs(SERVICE, accounts=frozenset({ident(61)})))
    assert reference.accounts[ident(61)].classifications == ("Cashlist",)


def test_ids_in_capitals_are_found():
    """A spreadsheet that shouts is still right."""
    reference, _ = read(
        Needs(SERVICE.upper(), accounts=frozenset({CUSTOMER.upper()})),
        world=a_world(
            **{"customers/getAll": {"Customers": [{"Id": CUSTOMER, "LastName": "B"}]}},
        ),
    )
    assert reference.service.id == SERVICE


@pytest.mark.parametrize("service", ["eid:shoo", ident(51), "x"])
def test_an_unknown_service_is_named(service):
    """Exit code 2 with the value and what would fit, before anything else is read."""
    with pytest.raises(UsageError, match=r"Shop|Rooms") as caught:
        read(Needs(service))
    assert service in caught.value.message


@pytest.mark.parametrize(
    ("operation", "key", "needs"),
    [
        ("companies/getAll", "Companies", Needs(SERVICE, accounts=frozenset({"eid:C-1"}))),
        ("products/getAll", "Products", Needs(SERVICE, products=frozenset({"eid:mug"}))),
        ("services/getAll", "Services", Needs("eid:shop")),
    ],
)
def test_an_eid_that_fits_several_is_an_error(operation, key, needs):
    """Which of two companies is charged must not depend on the order of an answer."""
    world = a_world()
    world[operation][key].append(world[operation][key][0] | {"Id": ident(80)})
    with pytest.raises(MappingError, match="fits several"):
        read(needs, world=world)


def test_portfolio_tokens_name_enterprise_and_chain():
    """With a portfolio token Mews would answer for every enterprise of the chain."""
    needs = Needs(
        SERVICE,
        products=frozenset({PRODUCT}),
        accounts=frozenset({CUSTOMER, "eid:C-1"}),
        categories=frozenset({CATEGORY}),
        emails=frozenset({"a@example.com"}),
    )
    _, mews = read(needs, enterprise_id=ident(99))
    for operation, body in mews.requests:
        if operation.startswith(("customers", "companies")):
            assert body["ChainIds"] == [ident(98)]
        elif operation == "configuration/get":
            assert body["EnterpriseId"] == ident(99)
        elif operation not in ("currencies/getAll", "taxEnvironments/getAll", "taxations/getAll"):
            assert body["EnterpriseIds"] == [ident(99)]


def test_an_answer_that_fails_fails_the_reading():
    """Half the reference data would block, or pass, the wrong orders."""

    async def use(transport, mews):
        with pytest.raises(MewsError):
            await read_reference(MewsReader(transport), Needs(SERVICE), platform="http://x")

    handler = answers_of(a_world())
    with_mews(lambda name, body: answer(403) if name == "taxations/getAll" else handler(name, body), use)


ENVIRONMENTS = [
    {
        "Code": "UK",
        "TaxationCodes": ["VAT"],
        "ValidityStartUtc": "2010-01-01T00:00:00Z",
        "ValidityEndUtc": "2012-01-01T00:00:00Z",
    }
]
Y2009, Y2010, Y2011, Y2012 = (moment(f"{year}-01-01T00:00:00") for year in range(2009, 2013))


def validity_of(*intervals, name="ValidityInvervalsUtc", environments=ENVIRONMENTS):
    row = rate("S", "VAT", Decimal("0.2"))
    row.pop("ValidityInvervalsUtc")
    row[name] = [{"StartUtc": start, "EndUtc": end} for start, end in intervals] if intervals else None
    return usable_rates("UK", environments, [row])["S"].validity


@pytest.mark.parametrize("name", ["ValidityInvervalsUtc", "ValidityIntervalsUtc"])
def test_both_spellings_of_validity_are_read(name):
    """Mews spells it ValidityInvervalsUtc; the day they correct it no code becomes valid for ever."""
    assert validity_of(("2011-01-01T00:00:00Z", None), name=name) == (Validity(Y2011, Y2012),)


def test_validity_is_cut_to_the_environments_own():
    """A code of an environment that has ended is not accepted any more."""
    assert validity_of() == (Validity(Y2010, Y2012),)
    assert validity_of((None, "2011-01-01T00:00:00Z")) == (Validity(Y2010, Y2011),)
    assert validity_of((None, None)) == (Validity(Y2010, Y2012),)
    assert validity_of(("2009-01-01T00:00:00Z", "2011-01-01T00:00:00Z"), ("2011-01-01T00:00:00Z", None)) == (
        Validity(Y2010, Y2011),
        Validity(Y2011, Y2012),
    )


def test_an_empty_validity_is_never_not_always():
    """No interval left after cutting must not read as 'always valid'."""
    assert validity_of(("2012-01-01T00:00:00Z", None)) == (NEVER,)
    assert not NEVER.holds(Y2010)
    assert not NEVER.holds(Y2012)


def test_two_versions_of_an_environment_are_joined():
    """An environment may stand in the list once per period."""
    later = ENVIRONMENTS[0] | {"ValidityStartUtc": "2012-01-01T00:00:00Z", "ValidityEndUtc": None}
    assert validity_of(environments=[*ENVIRONMENTS, later]) == (Validity(Y2010, Y2012), Validity(Y2012, None))


def test_without_an_environment_every_code_is_usable():
    """TaxEnvironmentCode may be null."""
    rates = usable_rates("", ENVIRONMENTS, [rate("A", "X", Decimal(0)), rate("B", "Y", Decimal(0))])
    assert set(rates) == {"A", "B"}
    assert rates["A"].validity == ()


def test_a_missing_environment_is_an_error():
    """No code can be judged without it."""
    with pytest.raises(MewsError):
        usable_rates("XX", ENVIRONMENTS, [])


def test_flat_and_dependent_strategies_are_read():
    """Some places put several kinds of tax on one item."""
    rows = [
        rate("F", "VAT", Decimal(5), kind="Flat", CurrencyCode="EUR"),
        rate("D", "VAT", Decimal("0.1"), kind="Dependent", BaseTaxationCodes=["VAT", "CITY"]),
        rate("N", "VAT", Decimal("0.1"), kind="Novel"),
        {"Code": "O", "TaxationCode": "VAT", "Value": Decimal("0.175"), "Strategy": None},
    ]
    rates = usable_rates("UK", ENVIRONMENTS, rows)
    assert (rates["F"].strategy, rates["F"].value, rates["F"].currency) == (Strategy.FLAT, Decimal(5), "EUR")
    assert (rates["D"].strategy, rates["D"].base) == (Strategy.DEPENDENT, ("VAT", "CITY"))
    assert rates["O"].value == Decimal("0.175")
    assert "N" not in rates


def test_a_code_with_two_meanings_is_an_error():
    """Which of two rates is booked must not depend on the order of an answer."""
    with pytest.raises(MewsError, match="two meanings"):
        usable_rates("", [], [rate("S", "VAT", Decimal("0.2")), rate("S", "VAT", Decimal("0.1"))])


OUTLETS = {
    "outlets/getAll": {
        "Outlets": [
            {"Id": ident(70), "Name": "Web shop", "IsActive": True},
            {"Id": ident(71), "Name": "Web shop", "IsActive": False},
            {"Id": ident(72), "Name": "Bar", "IsActive": True},
            {"Id": ident(73), "Name": "Bar", "IsActive": True},
        ]
    }
}


@pytest.mark.parametrize("wanted", ["Web shop", ident(70), ident(70).upper()])
def test_an_outlet_is_found_by_name_or_id(wanted):
    """The active one of a name; without a service the products of every service may lend their names."""
    needs = Needs("", products=frozenset({PRODUCT}), outlet=wanted)
    reference, mews = read(needs, world=a_world(**OUTLETS))
    assert (reference.outlet.id, reference.outlet.name) == (ident(70), "Web shop")
    assert reference.place is reference.outlet
    assert (reference.service.id, set(reference.products)) == ("", {PRODUCT, OLD_PRODUCT})
    assert set(reference.categories) == {CATEGORY}
    assert [name for name, _ in mews.requests].count("products/getAll") == 2


def test_a_named_service_narrows_the_products_of_an_outlet():
    """Whose keys stand in products.csv."""
    reference, mews = read(Needs("eid:shop", frozenset({PRODUCT}), outlet=ident(70)), world=a_world(**OUTLETS))
    assert (reference.service.id, reference.place.id) == (SERVICE, ident(70))
    assert [name for name, _ in mews.requests].count("products/getAll") == 1


def test_the_other_route_asks_for_no_outlet():
    """An integration for orders need not have the permission."""
    reference, _ = read(Needs(SERVICE))
    assert (reference.outlet, reference.place) == (None, reference.service)


@pytest.mark.parametrize(
    ("wanted", "code", "words"),
    [
        ("Web shp", "outlet.unknown", ("did you mean Web shop?", f"Web shop {ident(70)}")),
        ("Bar", "eid.ambiguous", (ident(72), ident(73))),
    ],
)
def test_a_wrong_outlet_is_told_with_those_there_are(wanted, code, words):
    """Nothing is planned for an outlet that nobody has."""
    with pytest.raises(MappingError) as caught:
        read(Needs("", outlet=wanted), world=a_world(**OUTLETS))
    assert (caught.value.code, caught.value.place) == (code, "migration.toml, outlet.outlet")
    for word in words:
        assert word in f"{caught.value.message} {caught.value.hint}"


def test_an_integration_without_outlets_is_told_so():
    """Mews lists only outlets that are associated with the integration."""
    with pytest.raises(MappingError, match="may not use it") as caught:
        read(Needs("", outlet="Web shop"), world=a_world(**{"outlets/getAll": {"Outlets": []}}))
    assert "ask the hotel" in caught.value.hint
