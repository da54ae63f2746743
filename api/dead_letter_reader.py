"""Takes dead letters over from their topic into the database, by one replica at a time.

The topic stays what counts: a worker's duty ends with Kafka's acknowledgement, whether the API is
there or not, and the reader catches up when it is. It commits its place at the broker after the
database has the letters, so that a broker that lost its data is read from the beginning again; a
letter that is read twice is stored once.
"""

from __future__ import annotations

import logging
import time

from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from api.leading import Leadership, Session
from api.store import dead_letters
from api.store.database import Database
from quality.dead_letters import Letter, Place, read_letter
from quality.logs import get_logger
from quality.settings import ApiSettings, KafkaSettings

log = get_logger(__name__)

_LEADER_LOCK = 0x5354_5249_4E59
_BATCH = 100
_ASK_S = 5.0
_COMMIT_AGAIN_S = 3600.0
"""A broker forgets the place of a reader that says nothing for some days."""
_Places = dict[tuple[str, int], int]


class DeadLetterReader:
    """A thread of the API process. `stop()` ends it within a few seconds."""

    def __init__(self, database: Database, settings: ApiSettings, kafka: KafkaSettings) -> None:
        self._database = database
        self._settings = settings
        self._kafka = kafka
        self._leadership = Leadership(
            database,
            "dead-letters",
            _LEADER_LOCK,
            self._lead,
            ask_s=settings.outbox_poll_s * 5,
            trouble=(KafkaException,),
        )
        self._stopping = self._leadership.stopping

    def start(self) -> None:
        self._leadership.start()

    def stop(self) -> None:
        self._leadership.stop()

    def _lead(self, session: Session) -> None:
        """Read until something goes wrong; then all begins anew from the committed places."""
        lost: list[KafkaError] = []
        consumer = Consumer(
            {
                **self._kafka.client(),
                "client.id": "stringx-dead-letter-reader",
                "group.id": f"{self._kafka.group}.dead-letters",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "allow.auto.create.topics": False,
                "queued.max.messages.kbytes": 8_192,
                "logger": logging.getLogger("librdkafka"),
                "error_cb": lost.append,
            }
        )
        try:
            places = self._assign(consumer)
            if places is None:
                self._stopping.wait(_ASK_S)  # the first worker makes the topic
                return
            committed_at = time.monotonic()
            while not self._stopping.is_set():
                read = self._read(consumer)
                if lost:  # the broker may come back with another log
                    raise KafkaException(lost[0])
                places |= read
                if read or (places and time.monotonic() - committed_at > _COMMIT_AGAIN_S):
                    committed_at = time.monotonic()
                    offsets = [TopicPartition(*place, offset) for place, offset in places.items()]
                    consumer.commit(offsets=offsets, asynchronous=True)
                session.execute("select 1")  # the lock goes with its session
        finally:
            consumer.close()

    def _assign(self, consumer: Consumer) -> _Places | None:
        """Take all partitions from their committed places on; None where there is no topic yet."""
        topic = self._kafka.dead_letter_topic
        found = consumer.list_topics(topic, timeout=_ASK_S).topics.get(topic)
        if found is None or found.error is not None or not found.partitions:
            return None
        partitions = consumer.committed(
            [TopicPartition(topic, number) for number in found.partitions], timeout=_ASK_S
        )
        places: _Places = {}
        for partition in partitions:
            if partition.error is not None:
                raise KafkaException(partition.error)
            if partition.offset < 0:
                partition.offset = OFFSET_BEGINNING
            else:
                places[topic, partition.partition] = partition.offset
        consumer.assign(partitions)
        return places

    def _read(self, consumer: Consumer) -> _Places:
        """Take one batch over, or wait a moment without any; the places to go on from."""
        messages = []
        for message in consumer.consume(_BATCH, self._settings.outbox_poll_s):
            error = message.error()
            if error is not None:
                raise KafkaException(error)
            messages.append(message)
        if not messages:
            return {}
        with self._database.begin() as db:
            stored = dead_letters.take_over(db, [_letter(message) for message in messages])
        log.info("dead_letters_taken_over", count=stored)
        return {
            (str(message.topic()), int(message.partition() or 0)): int(message.offset() or 0) + 1
            for message in messages
        }


def _letter(message: Message) -> Letter:
    kind, timestamp = message.timestamp()
    place = Place(str(message.topic()), int(message.partition() or 0), int(message.offset() or 0))
    return read_letter(
        place,
        None if kind == TIMESTAMP_NOT_AVAILABLE else timestamp,
        _bytes(message.key()),
        _bytes(message.value()),
        _headers(message),
    )


def _headers(message: Message) -> list[tuple[str, bytes | None]]:
    """The headers, none where they cannot be read: a name that is not UTF-8 makes the client raise
    SystemError, and a second look at them would end the process."""
    try:
        return [(name, _bytes(raw)) for name, raw in message.headers() or ()]
    except (SystemError, UnicodeError):
        return []


def _bytes(raw: str | bytes | None) -> bytes | None:
    return raw.encode() if isinstance(raw, str) else raw
