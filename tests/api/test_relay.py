"""The relay keeps the order of what is said of a table, whatever is lost on the way."""

from __future__ import annotations

import time

import pytest

from api.relay import Relay, in_order
from api.store import outbox
from api.store.outbox import Message
from embedded.broker import EmbeddedBroker
from quality.settings import ApiSettings, KafkaSettings
from tests.api.stores import Store


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


def test_a_message_too_large_for_kafka_stays_and_keeps_no_other_waiting(store: Store) -> None:
    with EmbeddedBroker(0) as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        with store.database.begin() as db:
            for value in ("x" * 1_100_000, "{}", "{}"):
                outbox.add(db, kafka.request_topic, "shop.orders", value)
        settings = ApiSettings(database_url="postgresql://not-used")
        relay = Relay(store.database, settings, kafka, lambda: 0)
        relay.start()
        try:
            left: list[Message] = []
            until = time.monotonic() + 60
            while len(left) != 1 and time.monotonic() < until:
                time.sleep(0.05)
                with store.database.connect() as db:
                    left = outbox.unsent(db, 10)
        finally:
            relay.stop()
    assert [len(message.value) for message in left] == [1_100_000]
