"""Tests that talk to real processes."""
