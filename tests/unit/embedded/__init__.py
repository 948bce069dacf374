"""Unit tests of the embedded engine."""
