"""Benchmarks: each prints a table and writes JSON with hardware, versions and commit under build/."""
