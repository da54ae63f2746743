"""The routes: each takes its input apart, calls one thing, and puts the answer together."""
