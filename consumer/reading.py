"""Messages read into jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from consumer.dead_letters import Reason, Stage
from consumer.jobs import Job
from consumer.records import Delivery, Record
from quality.dead_letters import given_request_id
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
            if record.has_unreadable_headers:
                raise MalformedDocument(
                    "the name of a header is not UTF-8; no header could be kept",
                    code="header_invalid",
                )
            request = read_request(record.value, record.headers, max_bytes=self._max_message_bytes)
        except InvalidInput as error:
            unreadable = isinstance(error, MalformedDocument)
            stage: Stage = "decode" if unreadable else "validate"
            return replace(Reason.of(error, stage), request_id=self._spare_id(record))
        request_id = request.id or self._spare_id(record)
        if record.key not in (None, b"", request.table.encode()):
            log.debug("key_mismatch", correlation_id=request_id, table=request.table)
        return Job(request_id, request, record.traceparent, [delivery])

    def _spare_id(self, record: Record) -> str:
        """The id of a message that names none: that under which it was asked for before it was a
        dead letter, or one of its own."""
        return given_request_id(record.headers) or derived_request_id(
            self._cluster_id(),
            record.topic,
            record.partition,
            record.offset,
            record.timestamp_ms or 0,
            record.value or b"",
        )
