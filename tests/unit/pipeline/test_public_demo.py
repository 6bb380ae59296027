"""Which addresses are Mews's public demo: there, no real person may be named."""

from __future__ import annotations

import pytest

from etl.pipeline.planning import is_public_demo


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://api.mews-demo.com", True),
        ("https://api.mews-demo.com.", True),
        ("https://API.Mews-Demo.com/", True),
        ("https://api.mews-demo.com.:443", True),
        ("https://api.mews.com", False),
        ("http://127.0.0.1:8080", False),
        ("https://api.mews-demo.com.evil.example", False),
    ],
)
def test_the_public_demo_is_known_by_its_host(address: str, expected: bool) -> None:
    """A trailing dot is the same host to every resolver, and was another one to the guard."""
    assert is_public_demo(address) is expected
