"""Benchmarks: ratios, both sides measured side by side in one run. ``make bench`` prints them."""
