"""The mapping folder: reading, checking, scaffolding."""
