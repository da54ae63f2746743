"""The routes: each takes its input apart, calls one thing, and puts the answer together."""

from api.routes import checks, connections, rules, tables, work

GROUPS = [
    connections.operations,
    tables.operations,
    rules.operations,
    checks.operations,
    work.operations,
]
"""The operations of the API, in the order in which its documentation shows them."""
