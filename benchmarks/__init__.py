"""Benchmarks: `python -m benchmarks --help`. What they measure and how to read it: README.md."""
