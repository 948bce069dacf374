"""The rerank service: the networks applied to search and similar items."""
