"""The polling loop: the only code that touches the Kafka consumer, in the main thread.

It never waits for a check, a commit or the API, so the group never takes this worker for dead.
"""

from __future__ import annotations

import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumer.breaker import Breaker
from consumer.commits import Commits
from consumer.health import Health
from consumer.inbox import Inbox
from consumer.kafka import (
    Cluster,
    Look,
    MakeConsumer,
    assign_by_hand,
    consumer_config,
    read_statistics,
    topic_is_missing,
)
from consumer.lag import Lag
from consumer.metrics import Metrics
from consumer.offsets import OffsetTracker
from consumer.patience import SAY_EVERY_S
from consumer.pauses import Pauses
from consumer.records import Delivery, Partition, Record
from quality.errors import StringXError
from quality.logs import get_logger
from quality.settings import ConsumerSettings, KafkaSettings

log = get_logger(__name__)

PAUSED_POLL_S = 0.05
"""While paused, only callbacks come: look often, so as to resume soon."""


class KafkaFailed(StringXError):
    """librdkafka gave up: only a new process helps."""

    code = "kafka_fatal"


class PollingLoop:
    """Polls into an inbox, pauses when it is full, and commits what the tracker has done."""

    def __init__(
        self,
        settings: ConsumerSettings,
        kafka: KafkaSettings,
        *,
        make_consumer: MakeConsumer,
        cluster: Cluster,
        inbox: Inbox,
        tracker: OffsetTracker,
        breaker: Breaker,
        metrics: Metrics,
        health: Health,
        stop: threading.Event,
    ) -> None:
        self._settings = settings
        self._kafka = kafka
        self._cluster = cluster
        self._inbox = inbox
        self._tracker = tracker
        self._breaker = breaker
        self._ends: dict[Partition, int] = {}
        """Where the log ended when the first message of an assignment was polled."""
        self._metrics = metrics
        self._health = health
        self._stop = stop
        self._manual = kafka.assignment == "manual"
        self._pauses = Pauses(inbox, breaker, metrics, health, self._assignment)
        self._topic_lost = False
        self._cluster_id: str | None = None
        self._look: Look | None = None
        self._is_connected = True
        self._is_back = False
        self._commits = Commits(settings, tracker, metrics, self._say)
        self._lag = Lag(tracker, metrics)
        self._said: dict[int, float] = {}
        self._consumer = make_consumer(
            consumer_config(
                kafka,
                {
                    "on_commit": self._commits.answered,
                    "error_cb": self._on_error,
                    "stats_cb": self._on_statistics,
                },
            )
        )

    def start(self, partitions: int) -> None:
        """Subscribe, or assign by hand; raises KafkaException when the broker does not answer."""
        if self._manual:
            # What is committed on a cluster that took the place of another can only be positions
            # in the log of the other, on their way when it went.
            anew = self._cluster_id not in (None, self._cluster.id)
            self._begin_anew(self._assignment())
            assigned = assign_by_hand(self._consumer, self._kafka, partitions, anew=anew)
            if anew:
                self._commits.beginnings(self._consumer, assigned)
            self._cluster_id = self._cluster.id
            self._pauses.are_on = False
            self._health.kafka_works()
            self._health.assigned(len(assigned))
            log.info("partitions_assigned", partitions=len(assigned), assignment="manual")
        else:
            self._consumer.subscribe(
                [self._kafka.request_topic],
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_lost,
            )

    def run(self) -> None:
        """Go round until asked to stop. Raises KafkaFailed on an error that is final."""
        while not self._stop.is_set():
            self.turn()
            self._look_at_topics()

    def turn(self) -> None:
        """One round: messages in, back-pressure, commits."""
        self._health.tick()
        self._metrics.last_poll.set_to_current_time()
        message = self._consumer.poll(
            PAUSED_POLL_S if self._pauses.are_on else self._settings.poll_s
        )
        if message is not None:  # a message without a value is falsy, but not None
            self._take(message)
            # What has arrived beside it, without waiting: a batch never delays a lone message.
            for more in self._consumer.consume(self._settings.batch_size, 0):
                self._take(more)
        self._pauses.set_anew(self._consumer)
        self._commit_when_due()

    def drain(self, until: float) -> None:
        """At the end: no new messages, commit what is done and wait for the answers."""
        self._pauses.pause(self._consumer)
        if not self._may_be_another_log:
            self._commits.now(self._consumer)
        while self._commits.are_open and time.monotonic() < until:
            self._health.tick()
            self._consumer.poll(0.05)

    def keep_alive(self) -> None:
        """Poll for callbacks only, while the end is waited for."""
        self._health.tick()
        self._pauses.pause(self._consumer)
        self._consumer.poll(PAUSED_POLL_S)
        self._commit_when_due()

    def close(self) -> None:
        """Leave the group. Can hang for good when the broker does: call it under a watchdog."""
        self._consumer.close()

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            self._on_error(error)
            return
        record = Record.of(message)
        ticket = self._tracker.open(record.topic, record.partition, record.offset)
        self._inbox.put(Delivery(record, ticket, self._is_new(record)))

    def _is_new(self, record: Record) -> bool:
        """Whether it came after this worker had its partition. What was there before may be read
        again, after whoever had read it died."""
        place = record.topic, record.partition
        end = self._ends.get(place)
        if end is None:
            _, high = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            end = self._ends[place] = max(high, record.offset + 1)
        return record.offset >= end

    def _commit_when_due(self) -> None:
        if not self._may_be_another_log:
            self._commits.when_due(self._consumer)
        if not self._manual:  # that is for a broker whose watermarks are wrong
            self._lag.measure_when_due(self._consumer, self._assignment)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._begin_anew([(p.topic, p.partition) for p in partitions])
        try:
            consumer.incremental_assign(partitions)
            if self._pauses.are_on:
                consumer.pause(partitions)
        except KafkaException as error:
            log.warning("assignment_failed", error=str(error.args[0]))
        self._health.kafka_works()
        self._health.assigned(len(self._assignment()))
        log.info("partitions_assigned", partitions=sorted(p.partition for p in partitions))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Checks in hand go on (their results are idempotent); what only waits is dropped."""
        gone = [(p.topic, p.partition) for p in partitions]
        self._inbox.drop(gone)
        self._commits.before_loss(consumer, gone)
        self._forget(gone)
        self._health.assigned(max(0, len(self._assignment()) - len(gone)))
        log.info("partitions_revoked", partitions=sorted(p.partition for p in partitions))

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Another member has them already: commit nothing."""
        gone = [(p.topic, p.partition) for p in partitions]
        self._inbox.drop(gone)
        self._forget(gone)
        self._health.assigned(None)
        log.warning("partitions_lost", partitions=sorted(p.partition for p in partitions))

    def _begin_anew(self, partitions: list[Partition]) -> None:
        self._tracker.forget(partitions)
        self._breaker.forget(partitions)
        self._pauses.forget(partitions)
        for partition in partitions:
            self._ends.pop(partition, None)

    def _forget(self, partitions: list[Partition]) -> None:
        self._begin_anew(partitions)
        self._lag.forget(partitions)

    def _on_error(self, error: KafkaError) -> None:
        # Given to the callback, an error that is final has the code for it and is not marked.
        if error.fatal() or error.code() == KafkaError._FATAL:
            raise KafkaFailed(f"Kafka: {error.str()}")
        if topic_is_missing(error):
            self._topic_lost = True
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._is_connected = False
            self._health.kafka_failed(error.str())
        self._say(error, "kafka_error")

    def _on_statistics(self, text: str) -> None:
        connected, steady, self._lag.known_commits = read_statistics(text)
        if not connected:
            self._health.kafka_failed("no broker is connected")
            self._is_connected = False
            return
        self._is_back = self._is_back or not self._is_connected
        self._is_connected = True
        self._health.kafka_works()
        if steady and not self._manual:
            self._health.assigned(len(self._assignment()))

    def _look_at_topics(self) -> None:
        """After an outage: make topics that went with a broker in memory, and begin anew there."""
        if self._look is None and (self._topic_lost or self._is_back):
            self._is_back = False
            limit_s = self._settings.retry_max_s
            self._look = Look(self._cluster, self._stop, self._health, limit_s)
        if self._look is None or self._look.partitions is None:
            return
        look, self._look = self._look, None
        if not look.partitions:  # asked to stop, or it failed: then another one is made
            self._is_back = not self._stop.is_set()
            return
        is_new = self._topic_lost or self._cluster.id != self._cluster_id
        self._topic_lost = False
        if is_new and self._manual:
            try:
                self.start(look.partitions)
            except KafkaException as error:
                self._topic_lost = True
                self._say(error.args[0], "assignment_failed")
        else:
            self._health.kafka_works()

    @property
    def _may_be_another_log(self) -> bool:
        """Whether positions of the log that was read may no longer say anything: a broker in memory
        comes back with nothing in it."""
        return self._manual and (
            not self._is_connected or self._topic_lost or self._is_back or self._look is not None
        )

    def _assignment(self) -> list[tuple[str, int]]:
        try:
            return [(p.topic, p.partition) for p in self._consumer.assignment()]
        except (KafkaException, RuntimeError):  # closed, or never connected
            return []

    def _say(self, error: KafkaError, event: str) -> None:
        """Each kind of error once in a while: a dead broker would fill the log."""
        now = time.monotonic()
        if now - self._said.get(error.code(), -SAY_EVERY_S) >= SAY_EVERY_S:
            self._said[error.code()] = now
            log.warning(event, error=error.str(), code=error.name())
