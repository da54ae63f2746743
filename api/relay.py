"""The outbox relay: carries stored messages to Kafka, in order, by one replica at a time.

NOTIFY wakes it, so a message waits milliseconds, not a poll.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Set
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from api.leading import Leadership, Session
from api.store import outbox
from api.store.database import Database
from api.store.outbox import Message
from quality.logs import get_logger
from quality.settings import ApiSettings, KafkaSettings

log = get_logger(__name__)

_LEADER_LOCK = 0x5354_5249_4E58
_BATCH = 500
_ASK_S = 5.0


class Relay:
    """A thread of the API process. `stop()` ends it within a few seconds."""

    def __init__(
        self,
        database: Database,
        settings: ApiSettings,
        kafka: KafkaSettings,
        sweep: Callable[[], int],
    ) -> None:
        self._database = database
        self._settings = settings
        self._kafka = kafka
        self._sweep = sweep
        self._refused: set[int] = set()
        self._leadership = Leadership(
            database,
            "relay",
            _LEADER_LOCK,
            self._lead,
            ask_s=settings.outbox_poll_s,
            trouble=(KafkaException, BufferError),
        )
        self._stopping = self._leadership.stopping

    def start(self) -> None:
        self._leadership.start()

    def stop(self) -> None:
        self._leadership.stop()

    def _lead(self, session: Session) -> None:
        session.execute(f"listen {outbox.CHANNEL}")
        producer = self._producer()
        has_topic = False
        next_sweep = time.monotonic() + self._settings.sweep_interval_s
        while not self._stopping.is_set():
            has_topic = has_topic or self._ensure_topic()
            if not self._send(producer):
                # Messages that timed out leave librdkafka's producer with a fatal state on some
                # brokers; a new one starts clean, and the rows are still there.
                producer = self._producer()
                self._stopping.wait(1.0)
            if time.monotonic() >= next_sweep:
                self._sweep()
                next_sweep = time.monotonic() + self._settings.sweep_interval_s
            for _ in session.notifies(timeout=self._settings.outbox_poll_s, stop_after=1):
                # What comes at the same time is sent together, and asked for once.
                self._stopping.wait(self._settings.outbox_gather_s)
            for _ in session.notifies(timeout=0):
                pass

    def _ensure_topic(self) -> bool:
        """Create the topic of decisions where it is missing; whether it is there now.

        It is compacted, so that it says of each table what was decided last, and what is older than
        any decision holds is dropped, because scopes come and go.
        """
        topic, admin = self._kafka.decision_topic, AdminClient(self._kafka.client())
        retention_ms = self._kafka.decision_retention_days * 86_400_000
        try:
            found = admin.list_topics(topic, timeout=_ASK_S).topics.get(topic)
            if found is not None and found.error is None:
                return True
            wanted = NewTopic(
                topic,
                num_partitions=self._kafka.partitions,
                replication_factor=self._kafka.replication,
                config={"cleanup.policy": "compact,delete", "retention.ms": str(retention_ms)},
            )
            admin.create_topics([wanted], request_timeout=_ASK_S)[topic].result(2 * _ASK_S)
            log.info("topic_created", topic=topic, partitions=self._kafka.partitions)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                log.warning("topic_not_created", topic=topic, error=error.args[0].str())
                return False
        return True

    def _send(self, producer: Producer) -> bool:
        """Send what waits; True when every message was acknowledged and marked."""
        while not self._stopping.is_set():
            with self._database.connect() as db:
                found = outbox.unsent(db, _BATCH)
            if not found:
                return True
            acknowledged: set[int] = set()
            for message in self._not_refused(found):
                self._produce(producer, message, acknowledged)
                producer.poll(0)
            producer.flush(self._kafka.delivery_timeout_s + 1)
            messages = self._not_refused(found)
            sent = in_order(messages, acknowledged)
            if sent:
                with self._database.connect() as db:
                    outbox.mark_sent(db, sent)
            if len(acknowledged) < len(messages):
                log.warning("kafka_unreachable", waiting=len(messages) - len(acknowledged))
                return False
            if len(found) < _BATCH or not messages:  # whoever adds more says so
                return True
        return True

    def _produce(self, producer: Producer, message: Message, acknowledged: set[int]) -> None:
        def delivered(error: KafkaError | None, _message: Any) -> None:
            if error is None:
                acknowledged.add(message.id)
            elif error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                self._refuse(message, error)

        try:
            producer.produce(
                message.topic,
                key=message.key.encode(),
                value=message.value.encode() or None,
                headers=list(message.headers.items()),
                on_delivery=delivered,
            )
        except KafkaException as error:
            if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                raise
            self._refuse(message, error.args[0])

    def _not_refused(self, messages: list[Message]) -> list[Message]:
        return [message for message in messages if message.id not in self._refused]

    def _refuse(self, message: Message, error: KafkaError) -> None:
        """Keep a message that is never taken as it is, without having others wait for it."""
        self._refused.add(message.id)
        log.error("message_refused", id=message.id, topic=message.topic, error=error.str())

    def _producer(self) -> Producer:
        return Producer(
            {
                **self._kafka.client(),
                "client.id": "stringx-relay",
                "acks": "all",
                # Keeps the order within a partition on retries, without the transactional
                # machinery that not every Kafka-compatible broker has.
                "max.in.flight.requests.per.connection": 1,
                "delivery.timeout.ms": int(self._kafka.delivery_timeout_s * 1000),
                "linger.ms": 2,
            }
        )


def in_order(messages: Sequence[Message], acknowledged: Set[int]) -> list[int]:
    """The ids of those that need not be sent again: acknowledged, and after none of the same key
    that was not. So what is read last of a table is what was said last of it.
    """
    behind: set[tuple[str, str]] = set()
    sent = []
    for message in messages:
        place = message.topic, message.key
        if message.id not in acknowledged:
            behind.add(place)
        elif place not in behind:
            sent.append(message.id)
    return sent
