"""centra-mews: migrates historic Centra orders into Mews."""
