"""Kafka as the consumer needs it: topics that exist, an assignment, commits that never block."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from consumer.backoff import Backoff
from consumer.health import Health
from consumer.patience import SAY_EVERY_S
from quality.logs import get_logger
from quality.settings import KafkaSettings

log = get_logger(__name__)

ASK_S = 5.0
"""How long one question to the cluster may take."""
_NO_TOPIC = (
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
)

Config = dict[str, Any]


def client_config(kafka: KafkaSettings, name: str) -> Config:
    """What every client of ours has; librdkafka's own log goes into ours."""
    return {
        **kafka.client(),
        "client.id": name,
        "reconnect.backoff.max.ms": 2_000,
        "logger": logging.getLogger("librdkafka"),
    }


def consumer_config(kafka: KafkaSettings, hooks: Config) -> Config:
    """librdkafka's settings of the consumer; `hooks` are its callbacks.

    Offsets are committed by hand, after the result is stored. The poll interval is generous
    because the loop polls through long checks: only a dead process exceeds it. Kafka answers a
    waiting fetch when a message comes; the embedded broker, which manual assignment is for, looks
    again only after a part of the time that it may wait.
    """
    wait_ms = kafka.fetch_wait_ms or (2 if kafka.assignment == "manual" else 500)
    return {
        **client_config(kafka, "stringx-consumer"),
        "group.id": kafka.group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "allow.auto.create.topics": False,
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": round(kafka.session_timeout_s * 1000),
        "heartbeat.interval.ms": max(1, round(kafka.session_timeout_s * 1000 / 5)),
        "max.poll.interval.ms": round(
            max(kafka.max_poll_interval_s, kafka.session_timeout_s) * 1000
        ),
        "queued.max.messages.kbytes": 16_384,
        "fetch.wait.max.ms": wait_ms,
        "topic.metadata.refresh.interval.ms": 30_000,
        "statistics.interval.ms": 2_000,
        **({} if kafka.instance_id is None else {"group.instance.id": kafka.instance_id}),
        **hooks,
    }


def producer_config(kafka: KafkaSettings, name: str = "stringx-dead-letters") -> Config:
    """librdkafka's settings of a producer whose records are safe once acknowledged."""
    return {
        **client_config(kafka, name),
        "acks": "all",
        "delivery.timeout.ms": round(kafka.delivery_timeout_s * 1000),
        "linger.ms": 5,
    }


class Cluster:
    """The cluster's id and its topics, asked for in short questions."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._admin = AdminClient(client_config(kafka, "stringx-consumer-admin"))
        self._topics = (kafka.request_topic, kafka.dead_letter_topic)
        self.id = "unknown"

    def ensure_topics(self) -> int:
        """Create what is missing; returns the partitions of the request topic.

        Raises KafkaException: not reachable, not allowed, or not there yet.
        """
        metadata = self._admin.list_topics(timeout=ASK_S)
        self.id = str(metadata.cluster_id or "unknown")
        missing = [
            topic
            for topic in self._topics
            if topic not in metadata.topics or metadata.topics[topic].error is not None
        ]
        if missing:
            created = self._admin.create_topics(
                [
                    NewTopic(
                        topic,
                        num_partitions=self._kafka.partitions,
                        replication_factor=self._kafka.replication,
                    )
                    for topic in missing
                ],
                operation_timeout=ASK_S,
                request_timeout=ASK_S,
            )
            for topic, future in created.items():
                try:
                    future.result(ASK_S * 2)
                    log.info("topic_created", topic=topic, partitions=self._kafka.partitions)
                except KafkaException as error:
                    if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                        raise
                except TimeoutError:
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from None
            metadata = self._admin.list_topics(timeout=ASK_S)
        found = metadata.topics.get(self._kafka.request_topic)
        if found is None or not found.partitions:
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        return len(found.partitions)

    def wait_for_topics(
        self,
        stop: threading.Event,
        health: Health,
        max_wait_s: float,
        pulse: Callable[[], None] = lambda: None,
    ) -> int:
        """`ensure_topics`, as long as it takes; returns 0 when asked to stop. `pulse` is called now
        and then."""
        backoff = Backoff(max_wait_s)
        said = 0.0
        while not stop.is_set():
            pulse()
            try:
                return self.ensure_topics()
            except KafkaException as error:
                fault = str(error.args[0].str())
                health.kafka_failed(fault)
                if time.monotonic() - said >= SAY_EVERY_S:
                    said = time.monotonic()
                    log.warning(
                        "waiting_for_kafka",
                        error=fault,
                        bootstrap_servers=self._kafka.bootstrap_servers,
                        topic=self._kafka.request_topic,
                    )
                _wait(backoff.next(), stop, pulse)
        return 0


class Look:
    """A look for the topics, in a thread of its own: the polling loop goes round meanwhile."""

    def __init__(
        self,
        cluster: Cluster,
        stop: threading.Event,
        health: Health,
        max_wait_s: float,
    ) -> None:
        self.partitions: int | None = None
        """Those of the request topic when it is there, 0 when asked to stop; None until then."""
        self._cluster = cluster
        self._wait = (stop, health, max_wait_s)
        threading.Thread(target=self._look, name="topics", daemon=True).start()

    def _look(self) -> None:
        try:
            self.partitions = self._cluster.wait_for_topics(*self._wait)
        except Exception:  # the next one must not wait for this one, nor come at once
            log.exception("look_failed")
            stop, _, max_wait_s = self._wait
            stop.wait(max_wait_s)
            self.partitions = 0


def _wait(seconds: float, stop: threading.Event, pulse: Callable[[], None]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not stop.wait(min(left, 1.0)):
        pulse()


def assign_by_hand(
    consumer: Consumer, kafka: KafkaSettings, partitions: int, *, anew: bool
) -> list[TopicPartition]:
    """All partitions of the request topic, without a group, from the committed offsets on; or from
    the beginning with `anew`, for a log that has nothing to do with the one read before.

    For a broker whose group coordinator is not to be relied on; there can be one consumer only.
    Raises KafkaException.
    """
    wanted = [TopicPartition(kafka.request_topic, number) for number in range(partitions)]
    if not anew:
        wanted = consumer.committed(wanted, timeout=ASK_S)
    for partition in wanted:
        if partition.error is not None:
            raise KafkaException(partition.error)
        if partition.offset < 0:
            partition.offset = OFFSET_BEGINNING
    consumer.assign(wanted)
    return wanted


def topic_is_missing(error: KafkaError) -> bool:
    """Whether the topic is not there (any more)."""
    return error.code() in _NO_TOPIC


def read_statistics(text: str) -> tuple[bool, bool, dict[tuple[str, int], int]]:
    """From librdkafka's statistics: is a broker connected, is the group membership steady, and
    what is committed by partition.

    Source: STATISTICS.md of librdkafka.
    """
    statistics = json.loads(text)
    brokers = statistics.get("brokers", {}).values()
    connected = any(broker.get("state") in ("UP", "UPDATE") for broker in brokers)
    commits = {
        (topic, int(number)): int(partition["committed_offset"])
        for topic, found in statistics.get("topics", {}).items()
        for number, partition in found.get("partitions", {}).items()
        if partition.get("committed_offset", -1) >= 0
    }
    return connected, statistics.get("cgrp", {}).get("join_state") == "steady", commits


MakeConsumer = Callable[[Config], Consumer]
MakeProducer = Callable[[Config], Producer]
