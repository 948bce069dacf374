"""Celery: short tasks that call the indexer, their settings and their schedule."""
