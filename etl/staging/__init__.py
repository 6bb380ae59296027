"""Rows of text to orders: grouping on disk, parsing by field."""
