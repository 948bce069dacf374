"""Celery: short tasks that call the indexer."""
