"""Pipelines and their executions: what a program reports of them, and what follows from it.

Decisions are pure functions of values and a moment; the API stores and asks.
"""
