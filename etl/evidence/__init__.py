"""What Mews shows of us: scans, whose an item is, and whether it is what was sent."""
