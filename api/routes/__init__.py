"""The routes: each takes its input apart, calls one thing, and puts the answer together."""

from api.routes import (
    audit,
    catalogue,
    checks,
    connections,
    dead_letters,
    drafts,
    gate,
    history,
    owners,
    pipelines,
    rules,
    tables,
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
    drafts.operations,
    catalogue.operations,
    checks.operations,
    gate.operations,
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
