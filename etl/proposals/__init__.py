"""Proposals for dumps of other shops: which column is which field, and what foreign words mean. Pure."""
