"""The embedded broker: any Kafka client can talk to it, on a port of one's choice."""

import socket
import struct
import subprocess

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from embedded import EmbeddedBroker, EmbeddedError, ports
from embedded.handshake import without_tags
from tests.conftest import require_program


def _create(broker: EmbeddedBroker, topic: str) -> None:
    client = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    for future in client.create_topics([NewTopic(topic, 1, 1)]).values():
        future.result(10)


def _read_one(broker: EmbeddedBroker, topic: str) -> bytes:
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "test",
            "enable.auto.commit": False,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = consumer.poll(20)
    consumer.close()
    assert message is not None and message.error() is None
    value = message.value()
    assert value is not None
    return value


def test_what_is_produced_is_consumed_and_stopping_leaves_no_process() -> None:
    with EmbeddedBroker(0) as broker:
        children = list(broker.children)
        _create(broker, "t")
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
        producer.produce("t", b"hello")
        assert producer.flush(20) == 0
        assert _read_one(broker, "t") == b"hello"
    assert [child.exit_code is None for child in children] == [False, False]
    assert not ports.accepts(broker.port)


def test_kcat_can_send_a_line() -> None:
    kcat = require_program("kcat")
    with EmbeddedBroker(0) as broker:
        _create(broker, "t")
        done = subprocess.run(
            [kcat, "-P", "-b", broker.bootstrap_servers, "-t", "t"],
            input='{"table": "flights.flights"}\n',
            text=True,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert _read_one(broker, "t") == b'{"table": "flights.flights"}'


def test_it_listens_on_the_loopback_only() -> None:
    with EmbeddedBroker(0) as broker, socket.socket() as other:
        # All of 127.0.0.0/8 is the loopback: with a listener on every interface this would fail.
        other.bind(("127.0.0.2", broker.port))


def test_a_taken_port_names_the_setting_and_the_holder() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as holder,
        pytest.raises(EmbeddedError, match=r"pid \d+\).*STRINGX_EMBEDDED_KAFKA_PORT"),
    ):
        EmbeddedBroker(holder.getsockname()[1]).start()


def test_each_life_has_another_cluster_id() -> None:
    ids = []
    for _ in range(2):
        with EmbeddedBroker(0) as broker:
            client = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
            ids.append(client.describe_cluster().result(10).cluster_id)
    assert ids[0] and ids[0] != ids[1]


def _response(error: int, keys: int, tail: bytes) -> bytes:
    body = struct.pack(">ih", 7, error)
    body += bytes([(keys + 1) & 0x7F | 0x80, (keys + 1) >> 7]) if keys > 126 else bytes([keys + 1])
    body += b"".join(struct.pack(">hhhB", key, 0, 1, 0) for key in range(keys))
    body += struct.pack(">i", 0) + tail
    return struct.pack(">i", len(body)) + body


@pytest.mark.parametrize("keys", [0, 1, 126, 127, 300])
def test_the_greeting_loses_its_tags_and_nothing_else(keys: int) -> None:
    assert without_tags(_response(0, keys, b"\x01\x02\x01\x00")) == _response(0, keys, b"\0")
    assert without_tags(_response(0, keys, b"\0")) == _response(0, keys, b"\0")


def test_a_greeting_that_is_an_error_or_no_greeting_is_passed_on_as_it_is() -> None:
    refused = _response(35, 1, b"\x01\x02\x01\x00")
    assert without_tags(refused) == refused
    assert without_tags(refused[:15]) == refused[:15]
