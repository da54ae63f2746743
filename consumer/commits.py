"""Commits of offsets, asked for and never waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumer.metrics import Metrics
from consumer.offsets import OffsetTracker
from consumer.records import Partition
from quality.settings import ConsumerSettings

COMMIT_ANSWER_S = 15.0


class Commits:
    """Positions on their way to Kafka, one commit at a time, until the broker answers.

    For the thread of the consumer only: answers come while it polls. A synchronous commit would do
    without, and can hang for good with its broker.
    """

    def __init__(
        self,
        settings: ConsumerSettings,
        tracker: OffsetTracker,
        metrics: Metrics,
        say: Callable[[KafkaError, str], None],
    ) -> None:
        """``say`` logs an error under the name of an event."""
        self._settings = settings
        self._tracker = tracker
        self._metrics = metrics
        self._say = say
        self._open = 0
        self._asked_at = 0.0

    @property
    def are_open(self) -> bool:
        """Whether an answer is still to come."""
        return self._open > 0

    def when_due(self, consumer: Consumer) -> None:
        """Commit what is done, once enough of it or enough time has gone by."""
        waiting = self._tracker.committable()
        since_s = time.monotonic() - self._asked_at
        if waiting and (
            since_s >= self._settings.commit_interval_s
            or self._tracker.uncommitted() >= self._settings.commit_every
        ):
            self._commit(consumer, waiting)

    def now(self, consumer: Consumer) -> None:
        """Commit what is done."""
        if waiting := self._tracker.committable():
            self._commit(consumer, waiting)

    def before_loss(self, consumer: Consumer, partitions: Iterable[Partition]) -> None:
        """Commit what is done of partitions that are being given up, whatever is on its way."""
        gone = set(partitions)
        waiting = {p: at for p, at in self._tracker.committable().items() if p in gone}
        if waiting:
            self._try(consumer, waiting)

    def beginnings(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Replace what stands there, before another worker takes it for a position of this log.

        Raises KafkaException where it cannot be asked for.
        """
        self._ask(consumer, {(one.topic, one.partition): 0 for one in partitions})

    def answered(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """What the broker said to one of them (librdkafka's ``on_commit``)."""
        self._open = max(0, self._open - 1)
        if error is not None:
            self._failed(error)
            return
        for partition in partitions:
            if partition.error is not None:
                self._failed(partition.error)
            else:
                self._tracker.committed(partition.topic, partition.partition, partition.offset)

    def _commit(self, consumer: Consumer, positions: dict[Partition, int]) -> None:
        # Once it is overdue no answer is to be hoped for; a position committed twice does no harm.
        if self._open > 0 and time.monotonic() - self._asked_at <= COMMIT_ANSWER_S:
            return
        self._open = 0
        self._asked_at = time.monotonic()
        self._try(consumer, positions)

    def _try(self, consumer: Consumer, positions: dict[Partition, int]) -> None:
        try:
            self._ask(consumer, positions)
        except KafkaException as error:
            self._failed(error.args[0])

    def _ask(self, consumer: Consumer, positions: dict[Partition, int]) -> None:
        offsets = [TopicPartition(*partition, offset) for partition, offset in positions.items()]
        consumer.commit(offsets=offsets, asynchronous=True)
        self._open += 1

    def _failed(self, error: KafkaError) -> None:
        """Counted; the position is still committable, so the next round tries again."""
        self._metrics.commit_failures.inc()
        self._say(error, "commit_failed")
