"""The OpenSearch adapters: pure bodies by snapshot, the rest against a real node."""
