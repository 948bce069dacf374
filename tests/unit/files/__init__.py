"""Files as item sources."""
