"""Alembic's entry: runs on the connection that `api.store.database.migrate` hands over."""

from alembic import context

from api.store import (  # noqa: F401 their tables are part of the schema
    access_schema,
    dead_letter_schema,
    expectation_schema,
    gate_schema,
    ownership_schema,
    pipeline_schema,
    task_schema,
)
from api.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
