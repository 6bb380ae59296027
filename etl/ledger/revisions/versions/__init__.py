"""One step each, named by the schema version that it leads to. Append only."""
