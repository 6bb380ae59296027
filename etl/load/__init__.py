"""The ledger and what may change it: reserve, send, record, recover."""
