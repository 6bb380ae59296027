"""Export bytes to rows of text with their place."""
