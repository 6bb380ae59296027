"""Order, mapping and reference data to planned order. Pure: no network, clock or disk."""
