"""Benchmarks: each part is measured beside its baseline in one run, so ratios carry over."""
