"""PostgreSQL, a Kafka-compatible broker and a demo, for a machine that has none of them."""

from embedded.broker import EmbeddedBroker
from embedded.errors import EmbeddedError
from embedded.postgres import EmbeddedPostgres

__all__ = ["EmbeddedBroker", "EmbeddedError", "EmbeddedPostgres"]
