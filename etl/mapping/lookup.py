"""Which row of a table answers. Pure.

Rule: design section 4: a named country beats `*`, then a named rate, then a named store type or SKU, then
the narrower period. Rows that are equal in all of it and differ are refused by `etl.mapping.check`; among
SKU patterns the exact one, then the one with more literal characters is preferred.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase

from etl.model.rules import CategoryRule, PaymentRule, RateKind, TaxRule, VoucherRule

ANY_COUNTRY = "*"
DEFAULT_STORE_TYPE = "b2c"
_CACHE_LIMIT = 100_000
_GLOB_CHARS = frozenset("*?[")

Rank = tuple[bool, bool, int, int, int]


def rank(rule: TaxRule) -> Rank:
    """How specific a row is; the larger beats the smaller.

    A row that names both store type and SKU is narrower than one that names either. A bounded period is
    narrower than one with an open end, that one narrower than an open one; else the shorter is.
    """
    start, end = rule.valid_from or date.min, rule.valid_before or date.max
    return (
        rule.country != ANY_COUNTRY,
        rule.rate is RateKind.PERCENT,
        bool(rule.store_type) + bool(rule.sku),
        -(rule.valid_from is None) - (rule.valid_before is None),
        -(end - start).days,
    )


def glob_rank(pattern: str) -> tuple[bool, int]:
    """How specific a pattern is: exact beats glob, more literal characters beat fewer."""
    return not _GLOB_CHARS.intersection(pattern), literals(pattern)


def literals(pattern: str) -> int:
    """Count of characters that a pattern fixes; a set such as [ab] counts as one."""
    count, index = 0, 0
    while index < len(pattern):
        if pattern[index] == "[" and (end := pattern.find("]", index + 2)) > 0:
            index = end
        count += pattern[index] not in "*?"
        index += 1
    return count


def holds(rule: TaxRule, day: date) -> bool:
    """Whether the row's period contains the day."""
    return (rule.valid_from is None or day >= rule.valid_from) and (
        rule.valid_before is None or day < rule.valid_before
    )


def _answers(rules: Iterable[TaxRule]) -> list[TaxRule]:
    """The rules, of those with one and the same answer the first."""
    kept: dict[tuple[Decimal | None, frozenset[str] | None], TaxRule] = {}
    for rule in rules:
        kept.setdefault((rule.percent, None if rule.tax_codes is None else frozenset(rule.tax_codes)), rule)
    return list(kept.values())


class TaxTable:
    """taxes.csv, ready to be asked once a line: answers are cached by country, rate, period and store type."""

    def __init__(self, rules: Sequence[TaxRule]) -> None:
        self._rules = sorted(rules, key=lambda rule: (rank(rule), glob_rank(rule.sku)), reverse=True)
        self._starts = sorted({day for rule in rules for day in (rule.valid_from, rule.valid_before) if day})
        self._rates: dict[tuple[str, Decimal, int, str], tuple[TaxRule, ...]] = {}
        self._found: dict[tuple[str, Decimal, int, str, str], TaxRule | None] = {}
        self._days: dict[date, int] = {}

    def find(self, *, country: str, percent: Decimal, day: date, store_type: str, sku: str) -> TaxRule | None:
        """The most specific row for a line with a VAT rate; never a `shipping` row."""
        period = self._days.get(day)
        if period is None:
            period = self._days[day] = bisect_right(self._starts, day)
        key = (country, percent, period, store_type)
        rules = self._rates.get(key)
        if rules is None:
            rules = self._rates[key] = tuple(self._candidates(country, percent, day, store_type))
        if not rules or not rules[0].sku:
            return rules[0] if rules else None
        whole = (*key, sku)
        if whole in self._found:
            return self._found[whole]
        if len(self._found) >= _CACHE_LIMIT:
            self._found.clear()
        found = self._found[whole] = next((rule for rule in rules if _covers(rule, sku)), None)
        return found

    def find_without_rate(self, *, country: str, day: date, store_type: str, sku: str) -> list[TaxRule]:
        """The rows that a line without VAT rate may mean, one per distinct answer.

        Shape: of the named country if any row of it fits the day, else of `*`; per rate the most specific row.
        A row for any rate counts only where its codes are not those of a named rate.
        """
        if not country:
            return []
        fitting = [rule for rule in self._fitting(country, day, store_type) if _covers(rule, sku)]
        named = [rule for rule in fitting if rule.country == country]
        best: dict[Decimal | None, TaxRule] = {}
        for rule in named or fitting:
            best.setdefault(rule.percent, rule)
        codes = {rule.tax_codes for rule in best.values() if rule.rate is RateKind.PERCENT}
        return _answers(rule for rule in best.values() if rule.rate is RateKind.PERCENT or rule.tax_codes not in codes)

    def find_shipping(self, *, country: str, day: date, store_type: str) -> TaxRule | None:
        """The `shipping` row that fits best."""
        return next(self._fitting(country, day, store_type, shipping=True), None)

    def named_country_rates(self, *, country: str, day: date, store_type: str) -> list[TaxRule]:
        """The rows that name the country and hold on the day, one per distinct answer; none for single SKUs."""
        return _answers(
            rule for rule in self._fitting(country, day, store_type) if rule.country == country and not rule.sku
        )

    def _fitting(self, country: str, day: date, store_type: str, *, shipping: bool = False) -> Iterator[TaxRule]:
        kind = store_type or DEFAULT_STORE_TYPE
        for rule in self._rules:
            if (
                (rule.rate is RateKind.SHIPPING) == shipping
                and (rule.country == country or (rule.country == ANY_COUNTRY and country))
                and rule.store_type in ("", kind)
                and holds(rule, day)
            ):
                yield rule

    def _candidates(self, country: str, percent: Decimal, day: date, store_type: str) -> Iterator[TaxRule]:
        """Best first, up to the first that takes every SKU."""
        for rule in self._fitting(country, day, store_type):
            if rule.percent is None or rule.percent == percent:
                yield rule
                if not rule.sku:
                    return


def _covers(rule: TaxRule, sku: str) -> bool:
    return not rule.sku or rule.sku == sku or fnmatchcase(sku, rule.sku)


class _GlobIndex:
    """Rules of one table by key type: exact keys at hand, patterns best first; answers are cached."""

    def __init__(self, rules: Sequence[CategoryRule]) -> None:
        self.rules = rules
        self._exact: dict[tuple[str, str], CategoryRule] = {}
        self._patterns: dict[str, list[CategoryRule]] = {}
        self._found: dict[tuple[str, str], CategoryRule | None] = {}
        for rule in sorted(rules, key=lambda rule: glob_rank(rule.key), reverse=True):
            self._exact.setdefault((rule.key_type, rule.key), rule)
            if _GLOB_CHARS.intersection(rule.key):
                self._patterns.setdefault(rule.key_type, []).append(rule)

    def find(self, key_type: str, value: str) -> CategoryRule | None:
        key = (key_type, value)
        if key in self._found:
            return self._found[key]
        if len(self._found) >= _CACHE_LIMIT:
            self._found.clear()
        patterns = self._patterns.get(key_type, ())
        rule = self._exact.get(key) or next((one for one in patterns if fnmatchcase(value, one.key)), None)
        self._found[key] = rule
        return rule


_INDEXES: dict[int, _GlobIndex] = {}


def find_glob(rules: Sequence[CategoryRule], key_type: str, value: str) -> CategoryRule | None:
    """The rule of `key_type` whose key fits `value`: exact beats pattern, more literal characters beat fewer.

    Case-sensitive. A tuple of rules is indexed once, since this is asked once a line.
    """
    if not isinstance(rules, tuple):
        return _GlobIndex(rules).find(key_type, value)
    index = _INDEXES.get(id(rules))
    if index is None or index.rules is not rules:
        if len(_INDEXES) >= 8:
            _INDEXES.clear()
        index = _INDEXES[id(rules)] = _GlobIndex(rules)
    return index.find(key_type, value)


def find_voucher(rules: Sequence[VoucherRule], code: str) -> VoucherRule | None:
    """The rule whose code or pattern fits `code`; exact beats pattern, more literal characters beat fewer."""
    fitting = [rule for rule in rules if rule.code == code or fnmatchcase(code, rule.code)]
    return max(fitting, key=lambda rule: (rule.code == code, *glob_rank(rule.code)), default=None)


def find_payment(rules: Sequence[PaymentRule], method: str) -> PaymentRule | None:
    """The rule of exactly this payment method."""
    return next((rule for rule in rules if rule.method == method), None)
