"""Names of countries: those of ISO 3166-1 in the languages of the shops, and those that people use."""

from __future__ import annotations

import csv
import gettext
from functools import cache
from importlib.resources import files

import pycountry

from etl.proposals.names import spelled

LANGUAGES = ("de", "fr", "es", "sv", "da", "nl", "it", "nb", "pt", "fi", "pl")


def plain_name(text: str) -> str:
    """A name as it is looked up."""
    return spelled(text.replace("&", "and"))


@cache
def country_names() -> dict[str, frozenset[str]]:
    """Name of a country in the languages of the shops -> its codes, by the names of ISO 3166-1 and their translations."""
    found: dict[str, set[str]] = {}
    for country in pycountry.countries:
        own = [
            country.name,
            getattr(country, "common_name", ""),
            getattr(country, "official_name", ""),
            country.alpha_3,
        ]
        translated = [one.gettext(name) for one in _translations() for name in own[:3] if name]
        for name in (*own, *translated):
            if name:
                found.setdefault(plain_name(name), set()).add(country.alpha_2)
    return {name: frozenset(codes) for name, codes in found.items()}


@cache
def _translations() -> tuple[gettext.NullTranslations, ...]:
    return tuple(
        gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=[language], fallback=True)
        for language in LANGUAGES
    )


@cache
def common_names() -> dict[str, str]:
    """Names that people use and ISO does not: as `plain_name` -> code."""
    text = files("etl.proposals").joinpath("country_names.csv").read_text("utf-8")
    return {plain_name(row["name"]): row["code"] for row in csv.DictReader(text.splitlines())}
