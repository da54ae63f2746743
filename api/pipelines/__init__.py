"""Pipelines as use cases: what the routes and the clock call."""
