"""The indexer on both engines."""
