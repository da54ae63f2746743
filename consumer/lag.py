"""How far a worker is behind the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from confluent_kafka import Consumer, TopicPartition

from consumer.metrics import Metrics
from consumer.offsets import OffsetTracker
from consumer.records import Partition

LAG_EVERY_S = 1.0


class Lag:
    """High watermark less what is done, of each partition of a group's member."""

    def __init__(self, tracker: OffsetTracker, metrics: Metrics) -> None:
        self._tracker = tracker
        self._metrics = metrics
        self._measured_at = 0.0
        self.known_commits: dict[Partition, int] = {}
        """As librdkafka's statistics say, by earlier members too."""

    def measure_when_due(
        self, consumer: Consumer, assignment: Callable[[], Iterable[Partition]]
    ) -> None:
        """Set the gauges of what is assigned anew, once in a while; asks no broker."""
        if time.monotonic() - self._measured_at < LAG_EVERY_S:
            return
        self._measured_at = time.monotonic()
        done = self.known_commits | self._tracker.positions()
        for partition in assignment():
            low, high = consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
            position = done.get(partition, low)  # nothing committed: it is read from the start
            if high >= 0 and position >= 0:
                lag = self._metrics.lag.labels(partition[0], str(partition[1]))
                lag.set(max(0, high - max(position, low)))

    def forget(self, partitions: Iterable[Partition]) -> None:
        """These are another member's to measure now."""
        for topic, number in partitions:
            try:
                self._metrics.lag.remove(topic, str(number))
            except KeyError:
                continue
