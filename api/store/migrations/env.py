"""Alembic's entry: runs on the connection that `api.store.database.migrate` hands over."""

from alembic import context

from api.store import access_schema  # noqa: F401 its tables are part of the schema
from api.store import dead_letter_schema, expectation_schema  # noqa: F401 and so are these
from api.store import pipeline_schema  # noqa: F401 and of pipelines
from api.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
