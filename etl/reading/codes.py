"""Countries and currencies by their ISO codes, those of history named as what they were."""

from __future__ import annotations

from functools import cache

import pycountry

from etl.model.export import plain
from etl.model.faults import nearest
from etl.reading.remarks import RemarkedValue, bad, noted
from etl.reading.texts import is_nothing

_COUNTRY_SLIPS = {"UK": "GB", "EL": "GR", "EN": "GB", "ENG": "GB", "SCO": "GB", "WAL": "GB", "EIRE": "IE", "KO": "KR"}
_CURRENCY_SLIPS = {
    "STG": "GBP",
    "UKP": "GBP",
    "POUND": "GBP",
    "EURO": "EUR",
    "£": "GBP",
    "€": "EUR",
    "$": "USD",
    "RMB": "CNY",
}
_NO_COUNTRIES = {
    "XK": "Kosovo by a code that users assigned; it is not in ISO 3166-1",
    "XI": "Northern Ireland in VAT numbers only; as a country it is GB",
    "EU": "the European Union, which is no country",
    "XX": "a code for no country known",
    "ZZ": "a code for no country known",
}
_FORMER_CURRENCIES = {
    "EEK": ("Estonian kroon", "2010-12-31"),
    "LVL": ("Latvian lats", "2013-12-31"),
    "LTL": ("Lithuanian litas", "2014-12-31"),
    "HRK": ("Croatian kuna", "2022-12-31"),
    "BGN": ("Bulgarian lev", "2025-12-31"),
    "SKK": ("Slovak koruna", "2008-12-31"),
    "SIT": ("Slovenian tolar", "2006-12-31"),
    "MTL": ("Maltese lira", "2007-12-31"),
    "CYP": ("Cyprus pound", "2007-12-31"),
    **dict.fromkeys(("DEM", "FRF", "ITL", "ESP", "NLG", "BEF", "ATS", "FIM", "IEP", "PTE", "GRD", "LUF"),
                    ("currency of a country that has the euro now", "2001-12-31")),
    "ROL": ("old Romanian leu", "2005-06-30"),
    "TRL": ("old Turkish lira", "2004-12-31"),
    "BYR": ("old Belarusian ruble", "2016-12-31"),
    "VEF": ("Venezuelan bolivar", "2018-08-19"),
    "MRO": ("old Mauritanian ouguiya", "2017-12-31"),
    "STD": ("old dobra of Sao Tome", "2017-12-31"),
    "ZMK": ("old Zambian kwacha", "2012-12-31"),
    "GHC": ("old Ghanaian cedi", "2007-12-31"),
    "CSD": ("Serbian dinar of before 2006", "2006-10-24"),
    "ANG": ("Netherlands Antillean guilder", "2025-03-31"),
    "CUC": ("Cuban convertible peso", "2020-12-31"),
    "SLL": ("old Sierra Leonean leone", "2024-03-31"),
    "ZWL": ("Zimbabwean dollar", "2024-08-31"),
}  # fmt: skip
"""Withdrawn codes of ISO 4217 (list three) that shops of this century wrote, and their last day."""


def parse_country(cell: str) -> str:
    """An ISO alpha-2 code, or empty; lower case is told, anything else blocks, with the code where it is certain."""
    text = plain(cell).strip()
    if not text or text in countries():
        return text
    upper = text.upper()
    if text.isascii() and upper in countries():
        raise RemarkedValue(upper, [noted("country.lowercase", f"{text!r} was read as {upper}.")])
    raise bad(*country_fault(text), "country.invalid")


def country_fault(text: str) -> tuple[str, str]:
    """Why a text is no country code, and what to do."""
    upper, shown = text.upper(), f"{text[:80]!r}"
    if upper in _NO_COUNTRIES:
        return f"{shown} is {_NO_COUNTRIES[upper]}.", "Say in values.csv which country it means, such as GB."
    if former := _former_countries().get(upper):
        name, until = former
        return (
            f"{shown} ({name}) was a country code until {until} and is none today.",
            "Say in values.csv which country's code it means.",
        )
    near = "" if is_nothing(text) else nearest_country(text)
    if near and len(text) > 3:
        return (
            f"{shown} is no ISO alpha-2 country code.",
            f"Did you mean {near}? A name is read once values.csv says what it means.",
        )
    return f"{shown} is no ISO alpha-2 country code.", f"Did you mean {near}?" if near else ""


def parse_currency(cell: str) -> str:
    """An ISO 4217 code, or empty; lower case is told, anything else blocks, with the code where it is certain."""
    text = plain(cell).strip()
    if not text or (text.isupper() and text in currencies()):
        return text
    upper = text.upper()
    if text.isascii() and upper in currencies():
        raise RemarkedValue(upper, [noted("currency.lowercase", f"{text!r} was read as {upper}.")])
    raise bad(*currency_fault(text), "currency.invalid")


def currency_fault(text: str) -> tuple[str, str]:
    """Why a text is no currency code, and what to do."""
    upper, shown = text.upper(), f"{text[:80]!r}"
    if former := _FORMER_CURRENCIES.get(upper):
        return (
            f"{shown} ({former[0]}) was a currency until {former[1]}; Mews has it not enabled.",
            "Leave these orders out, or convert them in the export.",
        )
    near = _CURRENCY_SLIPS.get(upper) or _swapped(upper)
    return f"{shown} is no ISO 4217 currency code.", f"Did you mean {near}?" if near else ""


def _swapped(upper: str) -> str:
    """The common currency that has these letters in another order; other likenesses mean nothing."""
    common = ("EUR", "GBP", "USD", "SEK", "NOK", "DKK", "CHF", "PLN", "CZK", "HUF", "RON", "JPY", "AUD", "CAD", "CNY")
    return next((code for code in common if sorted(code) == sorted(upper)), "")


@cache
def countries() -> dict[str, str]:
    """ISO 3166-1 alpha-2 codes of today, and their names."""
    return {country.alpha_2: country.name for country in pycountry.countries}


@cache
def currencies() -> dict[str, str]:
    """ISO 4217 codes of today, and their names."""
    return {currency.alpha_3: currency.name for currency in pycountry.currencies}


@cache
def _former_countries() -> dict[str, tuple[str, str]]:
    """Codes of ISO 3166-3: name and the day, or year, of withdrawal."""
    found = {}
    for country in sorted(pycountry.historic_countries, key=lambda country: str(country.withdrawal_date)):
        found[country.alpha_2] = (country.name, country.withdrawal_date)
    return found


@cache
def _country_names() -> dict[str, str]:
    return {
        name.casefold(): country.alpha_2
        for country in pycountry.countries
        for name in (country.name, getattr(country, "common_name", ""), getattr(country, "official_name", ""))
        if name
    }


def nearest_country(text: str) -> str:
    """The code that a slip, an alpha-3 code or a name certainly means, else ""."""
    upper = text.upper()
    if upper in _COUNTRY_SLIPS:
        return _COUNTRY_SLIPS[upper]
    if len(text) == 3 and (country := pycountry.countries.get(alpha_3=upper)):
        return str(country.alpha_2)
    if len(text) < 4 or len(text) > 60:
        return ""
    close = nearest(text, _country_names(), cutoff=0.8)
    return _country_names()[close] if close else ""
