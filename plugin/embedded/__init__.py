"""The embedded engine: one SQLite file with full-text search, and exact k-NN in memory."""
