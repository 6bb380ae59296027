"""What is sent to Mews, and what is found there: reserve, send, record, recover, undo."""
