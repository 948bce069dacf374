"""Adapters to everything outside: engines, queues, sources, bundle stores."""
