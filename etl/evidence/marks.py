"""Whose an item or a payment of Mews is: by its ExternalIdentifier, else by the marker in its notes. Pure."""

from __future__ import annotations

from etl.model.identity import Identity, parse_identifier, parse_marker
from etl.model.rows import OrderItemRow, PaymentRow


def identity_of(row: OrderItemRow | PaymentRow) -> Identity | None:
    """Whose posting an item is; None for other people's."""
    parsed = parse_identifier(row.external_identifier)
    return parsed[0] if parsed is not None else parse_marker(row.notes)


def payment_part(row: PaymentRow) -> tuple[Identity, str] | None:
    """Identity and part of a payment of ours. Our notes are the marker and the part's name."""
    parsed = parse_identifier(row.external_identifier)
    if parsed is not None:
        return parsed
    identity, words = parse_marker(row.notes), row.notes.split()
    # A marker alone names no payment: nothing of ours was ever sent with such notes.
    return None if identity is None or len(words) < 2 else (identity, words[-1])
