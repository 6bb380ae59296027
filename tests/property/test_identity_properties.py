"""Identifiers: read back as written, and never two for one or one for two."""

from __future__ import annotations

from builders import a_line
from hypothesis import given
from hypothesis import strategies as st

from etl.model.identity import IDENTIFIER_LIMIT, Identity, content_hash, parse_identifier, parse_marker

numbers = st.builds(
    lambda number, back: f"{number}-R{back}" if back else str(number),
    st.integers(1, 10**12),
    st.one_of(st.none(), st.integers(1, 10**6)),
)
identities = st.builds(
    Identity, st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True), numbers, st.integers(1, 12), st.booleans()
)
lines = st.one_of(
    st.from_regex(r"[psvf][1-9][0-9]{0,3}(\.[12])?", fullmatch=True),
    st.from_regex(r"(pay|gift)[1-9]", fullmatch=True),
)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@given(identities, lines)
def test_identifiers_are_read_back(identity: Identity, line: str) -> None:
    """What recover finds in Mews is what was sent, with store, number, generation and undo told apart."""
    assert parse_identifier(identity.line(line)) == (identity, line)
    assert len(identity.line(line)) <= IDENTIFIER_LIMIT


@given(identities, texts)
def test_markers_are_read_back_among_any_text(identity: Identity, text: str) -> None:
    """Staff may write behind it."""
    assert parse_marker(f"{identity.marker} {text}") == identity


@given(st.tuples(identities, lines), st.tuples(identities, lines))
def test_no_two_postings_share_an_identifier(one: tuple[Identity, str], two: tuple[Identity, str]) -> None:
    """Numbers, lines, generations and undo entries never collide: a false twin would hide a missing order."""
    assert (one[0].line(one[1]) == two[0].line(two[1])) == (one == two)
    assert (one[0].marker == two[0].marker) == (one[0] == two[0])


@given(identities, identities)
def test_no_posting_is_found_by_anothers_prefix(one: Identity, two: Identity) -> None:
    """Order 5 must not be proved present by an item of order 53, nor by its own undo or second generation."""
    if one != two:
        assert not two.line("p1").startswith(f"{one.stem}:p")


values = st.recursive(
    st.one_of(st.text(max_size=5), st.integers(-3, 3), st.none(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)


def typed(value: object) -> object:
    """The value with its types, so that True and 1 differ as they do in JSON."""
    if isinstance(value, dict):
        return {name: typed(one) for name, one in value.items()}
    if isinstance(value, list):
        return [typed(one) for one in value]
    return (type(value), value)


@given(values, values)
def test_hashes_differ_where_content_does(one: object, two: object) -> None:
    """No two contents run together into one text."""
    assert (content_hash(one) == content_hash(two)) == (typed(one) == typed(two))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-999, max_value=999), st.integers(0, 6))
def test_padding_is_no_content(amount: object, zeros: int) -> None:
    """12.5 of one format is 12.5000 of another."""
    padded = type(amount)(f"{amount}{'0' * zeros}")  # type: ignore[call-arg]
    assert content_hash([amount]) == content_hash([padded])
    assert a_line(padded).total == a_line(amount).total  # type: ignore[arg-type]
