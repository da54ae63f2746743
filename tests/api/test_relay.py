"""The relay keeps the order of what is said of a table, whatever is lost on the way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from api.relay import Relay, in_order
from api.store import outbox
from api.store.outbox import Message
from embedded.broker import EmbeddedBroker
from quality.settings import ApiSettings, KafkaSettings
from tests.api.stores import Store
from tests.brokers.apache_kafka import ApacheKafka, apache_kafka_available
from tests.conftest import require


def message(number: int, key: str, topic: str = "decisions") -> Message:
    return Message(number, topic, key, "{}", {})


@pytest.mark.parametrize(
    ("acknowledged", "sent"),
    [
        ({1, 2, 3, 4, 5}, [1, 2, 3, 4, 5]),
        (set(), []),
        ({2, 3, 4, 5}, [2, 5]),  # 3 and 4 are sent again, after 1
        ({1, 3, 4, 5}, [1, 3, 4, 5]),
        ({1, 2, 4, 5}, [1, 2, 5]),
    ],
)
def test_what_follows_a_lost_message_of_its_key_is_sent_again(
    acknowledged: set[int], sent: list[int]
) -> None:
    messages = [
        *(message(1, "demo/a"), message(2, "demo/b"), message(3, "demo/a"), message(4, "demo/a")),
        message(5, "demo/a", "requests"),
    ]
    assert in_order(messages, acknowledged) == sent


@contextmanager
def relaying(store: Store, kafka: KafkaSettings) -> Iterator[None]:
    settings = ApiSettings(database_url="postgresql://not-used")
    relay = Relay(store.database, settings, kafka, lambda: 0)
    relay.start()
    try:
        yield
    finally:
        relay.stop()


def left(store: Store, count: int) -> list[Message]:
    """What waits, once it is so many."""
    until = time.monotonic() + 60
    while True:
        with store.database.connect() as db:
            found = outbox.unsent(db, 100)
        if len(found) == count or time.monotonic() > until:
            return found
        time.sleep(0.05)


def put(store: Store, topic: str, *values: str) -> None:
    with store.database.begin() as db:
        for value in values:
            outbox.add(db, topic, "shop.orders", value)


def read(broker: EmbeddedBroker | ApacheKafka, topic: str) -> list[int]:
    """The lengths of what stands in the topic."""
    servers = {"bootstrap.servers": broker.bootstrap_servers, "group.id": "reader"}
    consumer = Consumer({**servers, "enable.partition.eof": True})
    number = len(consumer.list_topics(topic, timeout=30).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, one, OFFSET_BEGINNING) for one in range(number)])
    found, ends = [], 0
    while ends < number:
        message = consumer.poll(30)
        assert message is not None
        if message.error() is None:
            found.append(len(message.value() or b""))
        else:
            assert message.error().code() == KafkaError._PARTITION_EOF
            ends += 1
    consumer.close()
    return found


TOO_LARGE = "x" * 1_100_000


def test_a_message_too_large_for_kafka_stays_and_keeps_no_other_waiting(store: Store) -> None:
    with EmbeddedBroker(0) as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        put(store, kafka.request_topic, TOO_LARGE, "1", "22")
        with relaying(store, kafka):
            assert [message.value for message in left(store, 1)] == [TOO_LARGE]
        assert read(broker, kafka.request_topic) == [1, 2]


def test_a_decision_too_large_is_forgotten_once_there_is_a_newer_one(store: Store) -> None:
    """Else it would stand last in the compacted topic, should it be taken one day."""
    with EmbeddedBroker(0) as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        put(store, kafka.decision_topic, TOO_LARGE)
        with relaying(store, kafka):
            time.sleep(1)
            assert len(left(store, 1)) == 1
            put(store, kafka.decision_topic, "new")
            assert left(store, 0) == []
        assert read(broker, kafka.decision_topic) == [3]


def test_what_was_refused_with_a_large_one_in_its_batch_is_sent_alone(store: Store) -> None:
    """A broker with a lower limit than the producer's refuses whole batches."""
    require("kafka", apache_kafka_available())
    with ApacheKafka() as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
        limited = NewTopic(kafka.request_topic, 1, 1, config={"max.message.bytes": "20000"})
        admin.create_topics([limited])[kafka.request_topic].result(30)
        put(store, kafka.request_topic, "1", "x" * 30_000, "333", "4444")
        with relaying(store, kafka):
            assert [len(message.value) for message in left(store, 1)] == [30_000]
        assert read(broker, kafka.request_topic) == [1, 3, 4]
