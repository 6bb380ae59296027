"""The ledger: what was sent, what became of it, and the named steps that alone may change it."""
