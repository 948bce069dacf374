"""Tests of the rerank service."""
