"""The consumer's metrics: each once, with its meaning. Labels come from closed sets only."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from quality import __version__

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """One registry per consumer, so that two in one process do not share counters."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.messages = Counter(
            "stringx_consumer_messages",
            "Messages by what became of them: stored (new result), replayed (answered before), "
            "dead_letter, busy (put off while another worker has the same request).",
            ["outcome"],
            registry=self.registry,
        )
        for outcome in ("stored", "replayed", "dead_letter", "busy"):
            self.messages.labels(outcome)
        self.dead_letters = Counter(
            "stringx_consumer_dead_letters",
            "Messages written to the dead-letter topic, by reason.",
            ["code"],
            registry=self.registry,
        )
        self.breaker_open = Gauge(
            "stringx_consumer_dead_letter_breaker_open",
            "1 while a partition is held back because nearly all its messages are bad.",
            ["topic", "partition"],
            registry=self.registry,
        )
        self.lag = Gauge(
            "stringx_consumer_lag_messages",
            "Messages of an assigned partition whose work is not done, by the high watermark of "
            "the last fetch. Absent with manual assignment.",
            ["topic", "partition"],
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "stringx_consumer_batch_size",
            "Messages taken up at once.",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
            registry=self.registry,
        )
        self.engine_seconds = Histogram(
            "stringx_engine_duration_seconds",
            "Time of one engine run; requests that share it count once.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.runs_ahead = Counter(
            "stringx_consumer_runs_ahead",
            "Engine runs that began before their claim was answered, by whether the claim asked "
            "for the same (used) or for something else, or was not heard to be given (dropped).",
            ["outcome"],
            registry=self.registry,
        )
        for outcome in ("used", "dropped"):
            self.runs_ahead.labels(outcome)
        self.api_retries = Counter(
            "stringx_consumer_api_retries",
            "Calls of the API that were made again because it was away or refused the token.",
            registry=self.registry,
        )
        self.commit_failures = Counter(
            "stringx_consumer_commit_failures",
            "Commits of offsets that the broker did not take; each is tried again.",
            registry=self.registry,
        )
        self.last_poll = Gauge(
            "stringx_consumer_last_poll_timestamp_seconds",
            "When the polling loop last went round, as Unix time.",
            registry=self.registry,
        )
        build = Gauge(
            "stringx_build_info",
            "1, labelled with the version that runs.",
            ["version"],
            registry=self.registry,
        )
        build.labels(__version__).set(1)

    def exposition(self) -> bytes:
        """Prometheus text format 0.0.4."""
        return generate_latest(self.registry)
