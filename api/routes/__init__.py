"""The routes: each takes its input apart, calls one thing, and puts the answer together."""

from api.routes import (
    audit,
    catalogue,
    checks,
    connections,
    dead_letters,
    drafts,
    expectations,
    gate,
    history,
    owners,
    pipelines,
    rules,
    tables,
    tasks,
    tokens,
    users,
    versions,
    work,
)

GROUPS = [
    connections.operations,
    tables.operations,
    rules.operations,
    versions.operations,
    tasks.operations,
    drafts.operations,
    catalogue.operations,
    checks.operations,
    gate.operations,
    expectations.operations,
    history.operations,
    work.operations,
    dead_letters.operations,
    tokens.operations,
    audit.operations,
    *pipelines.GROUPS,
    users.operations,
    owners.operations,
]
"""The operations of the API, in the order in which its documentation shows them."""
