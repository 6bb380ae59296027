"""What the ledger says against what Mews returns."""
