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
        self._refused: dict[int, tuple[str, str]] = {}
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
        """Send what waits; True when every message was acknowledged and marked, but for those that
        are never taken."""
        while not self._stopping.is_set():
            with self._database.connect() as db:
                messages = outbox.unsent(db, _BATCH, list(self._refused))
            if not messages:
                return True
            acknowledged, refused = self._produced(producer, messages)
            left = [message for message in messages if message.id not in self._refused]
            sent = in_order(left, acknowledged)
            if refused:
                sent += self._sent_alone(producer, [one for one in left if one.id not in sent])
            if sent:
                with self._database.connect() as db:
                    outbox.mark_sent(db, sent + self._overtaken(messages, set(sent)))
            done = {*sent, *self._refused}
            waiting = sum(message.id not in done for message in messages)
            if waiting:
                log.warning("kafka_unreachable", waiting=waiting)
                return False
            if len(messages) < _BATCH:  # whoever adds more says so
                return True
        return True

    def _produced(
        self, producer: Producer, messages: Sequence[Message]
    ) -> tuple[set[int], list[KafkaError]]:
        """The ids of those that were acknowledged, and what was said of others being too large."""
        acknowledged: set[int] = set()
        refused: list[KafkaError] = []

        def delivered(message_id: int) -> Callable[[KafkaError | None, Any], None]:
            def answered(error: KafkaError | None, _message: Any) -> None:
                if error is None:
                    acknowledged.add(message_id)
                elif error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    refused.append(error)

            return answered

        for message in messages:
            try:
                producer.produce(
                    message.topic,
                    key=message.key.encode(),
                    value=message.value.encode() or None,
                    headers=list(message.headers.items()),
                    on_delivery=delivered(message.id),
                )
            except KafkaException as error:
                if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                    raise
                self._refuse(message, error.args[0])
            producer.poll(0)
        producer.flush(self._kafka.delivery_timeout_s + 1)
        return acknowledged, refused

    def _sent_alone(self, producer: Producer, messages: Sequence[Message]) -> list[int]:
        """Send each by itself, as a broker refuses the whole batch that has one too large; the ids
        of those that were taken. What is too large alone is refused."""
        sent = []
        for message in messages:
            acknowledged, refused = self._produced(producer, [message])
            if acknowledged:
                sent.append(message.id)
            elif refused:
                self._refuse(message, refused[0])
            else:
                break  # Kafka is away: it waits, and so do those after it
        return sent

    def _refuse(self, message: Message, error: KafkaError) -> None:
        """Keep a message that is never taken as it is, without having others wait for it."""
        self._refused[message.id] = message.topic, message.key
        log.error("message_refused", id=message.id, topic=message.topic, error=error.str())

    def _overtaken(self, messages: Sequence[Message], sent: Set[int]) -> list[int]:
        """Refused decisions after which another one of the same scope was sent: taken one day under
        other limits, they would stand last."""
        newest = {(one.topic, one.key): one.id for one in messages if one.id in sent}
        topic = self._kafka.decision_topic
        found = [
            number
            for number, place in self._refused.items()
            if place[0] == topic and newest.get(place, number) > number
        ]
        for number in found:
            del self._refused[number]
        return found

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
                # librdkafka's own limit, or what workers take with room for headers.
                "message.max.bytes": max(1_000_000, self._kafka.max_message_bytes + 65_536),
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
