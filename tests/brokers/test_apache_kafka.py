"""The Apache Kafka that other tests lean on is a real one, and keeps its data across its ends."""

import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.brokers.apache_kafka import ApacheKafka, apache_kafka_available
from tests.conftest import require


@pytest.fixture(scope="module")
def broker() -> Iterator[ApacheKafka]:
    require("kafka", apache_kafka_available())
    with ApacheKafka() as running:
        yield running


def produce(broker: ApacheKafka, topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "acks": "all"})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(30) == 0


def consume(broker: ApacheKafka, topic: str, group: str, count: int) -> list[bytes | None]:
    """Read `count` messages as a member of the group and commit them."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    try:
        consumer.subscribe([topic])
        messages = consumer.consume(count, timeout=30)
        assert [message.error() for message in messages] == [None] * count
        consumer.commit(asynchronous=False)
        return [message.value() for message in messages]
    finally:
        consumer.close()


def test_what_is_produced_is_consumed(broker: ApacheKafka) -> None:
    topic = f"t-{uuid.uuid4().hex}"
    values = {f"value {number}".encode() for number in range(20)}
    produce(broker, topic, *values)
    assert set(consume(broker, topic, "readers", 20)) == values


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_messages_and_offsets_outlive_a_restart_on_the_same_port(
    broker: ApacheKafka, end: str
) -> None:
    topic, group = f"t-{uuid.uuid4().hex}", f"g-{uuid.uuid4().hex}"
    address, first_life = broker.bootstrap_servers, broker.pid
    produce(broker, topic, b"before")
    assert consume(broker, topic, group, 1) == [b"before"]

    getattr(broker, end)()
    assert broker.pid is None
    broker.start()

    assert broker.bootstrap_servers == address
    assert broker.pid != first_life
    produce(broker, topic, b"after")
    assert consume(broker, topic, group, 1) == [b"after"]


def test_it_is_a_broker_whose_watermarks_can_be_trusted(broker: ApacheKafka) -> None:
    topic = f"t-{uuid.uuid4().hex}"
    produce(broker, topic, b"1", b"2", b"3")
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "watermarks"})
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ends = [
            consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)[1]
            for number in partitions
        ]
    finally:
        consumer.close()
    assert sum(ends) == 3
