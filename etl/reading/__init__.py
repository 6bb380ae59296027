"""Bytes to cells to values: the one way to read a file, a number, a date, a country, for exports and mapping tables."""
