"""What is not read for now: everything while the worker is full, and bad partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from confluent_kafka import Consumer, KafkaException, TopicPartition

from consumer.breaker import Breaker
from consumer.health import Health
from consumer.inbox import Inbox
from consumer.metrics import Metrics
from consumer.records import Partition
from quality.logs import get_logger

log = get_logger(__name__)


class Pauses:
    """Back-pressure and circuit breakers, as pauses of partitions; polling itself goes on.

    For the thread of the consumer only.
    """

    def __init__(
        self,
        inbox: Inbox,
        breaker: Breaker,
        metrics: Metrics,
        health: Health,
        assignment: Callable[[], list[Partition]],
    ) -> None:
        """``assignment`` says which partitions are this worker's; others cannot be paused."""
        self._inbox = inbox
        self._breaker = breaker
        self._metrics = metrics
        self._health = health
        self._assignment = assignment
        self._held_back: set[Partition] = set()
        self.are_on = False
        """Whether all partitions are paused; bad ones are at other times as well."""

    def set_anew(self, consumer: Consumer) -> None:
        """Pause what breakers hold back, and everything while the inbox is full; go on with what
        is free again."""
        self._hold_back(consumer, self._breaker.open())
        if not self.are_on and self._inbox.full:
            self.pause(consumer)
        elif self.are_on and not self._inbox.half_full:
            self.are_on = False
            self._resume(consumer, set(self._assignment()) - self._held_back)

    def pause(self, consumer: Consumer) -> None:
        """Pause everything."""
        if not self.are_on:
            self.are_on = True
            self._pause(consumer, set(self._assignment()) - self._held_back)

    def forget(self, partitions: Iterable[Partition]) -> None:
        """These were given up or are assigned afresh, without a pause."""
        self._held_back -= set(partitions)

    def _hold_back(self, consumer: Consumer, partitions: set[Partition]) -> None:
        """Pause those whose breaker opened, go on with those whose breaker closed."""
        if partitions == self._held_back:
            return
        opened, closed = partitions - self._held_back, self._held_back - partitions
        self._held_back = partitions
        self._pause(consumer, opened)
        if not self.are_on:
            self._resume(consumer, closed)
        for topic, number in opened:
            log.error("partition_held_back", place=f"{topic}[{number}]")
            self._metrics.breaker_open.labels(topic, str(number)).set(1)
        for topic, number in closed:
            self._metrics.breaker_open.labels(topic, str(number)).set(0)
        self._health.held_back(len(partitions))

    def _pause(self, consumer: Consumer, partitions: set[Partition]) -> None:
        self._switch(consumer.pause, partitions)

    def _resume(self, consumer: Consumer, partitions: set[Partition]) -> None:
        self._switch(consumer.resume, partitions)

    def _switch(
        self, switch: Callable[[list[TopicPartition]], None], partitions: set[Partition]
    ) -> None:
        found = [TopicPartition(*partition) for partition in partitions & set(self._assignment())]
        if not found:
            return
        try:
            switch(found)
        except KafkaException as error:
            log.warning("pause_failed", error=str(error.args[0]), call=switch.__name__)
