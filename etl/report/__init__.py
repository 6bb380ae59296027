"""Reports for people, from plain values."""
