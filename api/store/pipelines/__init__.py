"""Pipelines in the store: each module one thing, its statements and what they answer."""
