"""Idempotency keys and content hashes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from etl.model.identity import Identity, content_hash, parse_identifier, parse_marker


@pytest.mark.parametrize(
    ("identity", "line", "identifier", "marker"),
    [
        (Identity("uk", "536365"), "p3.1", "centra:uk:536365:p3.1", "[centra:uk:536365]"),
        (Identity("uk", "536365", 2), "v1", "centra:uk:536365~2:v1", "[centra:uk:536365~2]"),
        (Identity("uk", "536365", is_undo=True), "s1", "centra:uk:536365:undo:s1", "[centra:uk:536365:undo]"),
        (Identity("uk", "10038-R7"), "gift1", "centra:uk:10038-R7:gift1", "[centra:uk:10038-R7]"),
    ],
)
def test_keys_are_those_of_the_contract(identity: Identity, line: str, identifier: str, marker: str) -> None:
    """Other tools and later versions look for exactly these texts in Mews."""
    assert identity.line(line) == identifier
    assert identity.marker == marker
    assert parse_identifier(identifier) == (identity, line)
    assert parse_marker(f"{marker} Centra order") == identity


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "centra:uk:536365",
        "centra:UK:536365:p1",
        "centra:uk:x:p1",
        "shop:uk:536365:p1",
        "centra:uk:536365:p1 and more",
        "centra:uk:١٢٣:p1",
    ],
)
def test_other_peoples_identifiers_are_not_ours(text: str | None) -> None:
    """An item of another integration may neither prove nor deny that an order was posted."""
    assert parse_identifier(text) is None


def test_a_marker_is_found_wherever_it_stands() -> None:
    """Mews or staff may put text before it."""
    assert parse_marker("moved by Ann [centra:uk:5~3] Centra order 5") == Identity("uk", "5", 3)
    assert parse_marker("Centra order 5") is None
    assert parse_marker(None) is None


def test_equal_content_has_one_hash() -> None:
    """20.0 and 20.00 are one price; the order of names is no content."""
    assert content_hash({"a": Decimal("20.0"), "b": 1}) == content_hash({"b": 1, "a": Decimal("20.00")})
    assert content_hash([Decimal("0.00")]) == content_hash([Decimal("-0")])


def test_different_content_has_different_hashes() -> None:
    """Texts that run together when joined must not meet."""
    hashes = [
        content_hash(value) for value in (["ab", "c"], ["a", "bc"], ["c", "ab"], ["abc"], {"ab": "c"}, [1], ["1"])
    ]
    assert len(set(hashes)) == len(hashes)
