"""Messages read into jobs."""

from __future__ import annotations

from collections.abc import Callable

from consumer.dead_letters import Reason
from consumer.jobs import Job
from consumer.records import Delivery
from quality.errors import InvalidInput, MalformedDocument
from quality.identity import derived_request_id
from quality.logs import get_logger
from quality.messages import read_request

log = get_logger(__name__)


class Reader:
    """Reads messages of one cluster."""

    def __init__(self, cluster_id: Callable[[], str], max_message_bytes: int) -> None:
        """`cluster_id` goes into the ids of requests that come without one."""
        self._cluster_id = cluster_id
        self._max_message_bytes = max_message_bytes

    def read(self, delivery: Delivery) -> Job | Reason:
        """What the message asks for, or why it cannot be taken."""
        record = delivery.record
        try:
            request = read_request(record.value, record.headers, max_bytes=self._max_message_bytes)
        except InvalidInput as error:
            unreadable = isinstance(error, MalformedDocument)
            return Reason.of(error, "decode" if unreadable else "validate")
        request_id = request.id or derived_request_id(
            self._cluster_id(),
            record.topic,
            record.partition,
            record.offset,
            record.timestamp_ms or 0,
            record.value or b"",
        )
        if record.key not in (None, b"", request.table.encode()):
            log.debug("key_mismatch", correlation_id=request_id, table=request.table)
        return Job(request_id, request, record.traceparent, [delivery])
