"""The consumer process: its parts, wired once, its start and its end."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaException

from consumer.backoff import Backoff
from consumer.batch import BatchWorker
from consumer.breaker import Breaker, Limits
from consumer.claims import ClaimDesk
from consumer.dead_letters import DeadLetterWriter
from consumer.health import Health
from consumer.inbox import Inbox
from consumer.kafka import Cluster, MakeConsumer, MakeProducer, producer_config
from consumer.lanes import Lanes
from consumer.memory import Memory
from consumer.metrics import Metrics
from consumer.offsets import OffsetTracker
from consumer.patience import PatientApi
from consumer.polling import KafkaFailed, PollingLoop
from consumer.portal import DocumentationEngine, Portal
from consumer.reading import Reader
from consumer.refusals import Refusals
from consumer.runs import Engine, Runs
from consumer.watchdog import watch
from consumer.web import Site, WebServer
from quality.client import ApiClient
from quality.errors import StringXError
from quality.logs import get_logger
from quality.settings import ConsumerSettings, KafkaSettings

log = get_logger(__name__)

EXIT_SOFTWARE = 70  # sysexits.h: librdkafka gave up
BUFFERED_BATCHES = 20
"""Messages that may wait, in batches: each pause throws away what librdkafka has fetched."""
FIRST_PROBE_S = 0.25
PROBE_S = 5.0
RENEW_TICK_S = 0.5
CANCEL_S = 4.0
LAST_WORDS_S = 10.0
"""Of the time to stop in, what is kept for giving back, committing and leaving the group."""


class Service:
    """Everything one worker needs. The parameters are the seams."""

    def __init__(
        self,
        settings: ConsumerSettings,
        kafka: KafkaSettings,
        *,
        make_api: Callable[[], ApiClient],
        engine: Engine,
        make_documentation_engine: Callable[[], DocumentationEngine],
        make_consumer: MakeConsumer,
        make_producer: MakeProducer,
    ) -> None:
        self.settings = settings
        self.kafka = kafka
        self.stop = threading.Event()
        self.hurry = threading.Event()
        self.abort = threading.Event()
        self.metrics = Metrics()
        self.health = Health()
        self.engine = engine
        self._make_api = make_api
        lanes = Lanes()
        self.inbox = Inbox(settings.batch_size * BUFFERED_BATCHES, settings.buffer_bytes, lanes)
        self.tracker = OffsetTracker()
        self.breaker = Breaker(
            Limits(
                settings.breaker_in_a_row,
                settings.breaker_share,
                settings.breaker_window,
                settings.breaker_probe_s,
            )
        )
        self.producer = make_producer(producer_config(kafka))
        self.cluster = Cluster(kafka)
        api = PatientApi(
            make_api(),
            retry_max_s=settings.retry_max_s,
            stop=self.stop,
            metrics=self.metrics,
            health=self.health,
        )
        worker = f"{socket.gethostname()}-{os.getpid()}"
        memory = Memory(settings.rule_sets_kept)
        self.desk = ClaimDesk(api, worker, make_api=make_api, memory=memory)
        writer = DeadLetterWriter(
            self.producer,
            kafka.dead_letter_topic,
            group=kafka.group,
            wait_s=kafka.delivery_timeout_s + 5,
        )
        self.batches = BatchWorker(
            desk=self.desk,
            memory=memory,
            reader=Reader(lambda: self.cluster.id, kafka.max_message_bytes),
            runs=Runs(
                engine,
                self.metrics,
                threads=settings.consumer_checks,
                stopping=self.stop.is_set,
                aborted=self.abort.is_set,
                on_done=self.inbox.nudge,
                on_free=lanes.free,
            ),
            inbox=self.inbox,
            lanes=lanes,
            tracker=self.tracker,
            breaker=self.breaker,
            refusals=Refusals(
                self.breaker,
                self.inbox,
                self.tracker,
                self.metrics,
                lambda letters: writer.write(letters, self.stop),
                settings.retry_max_s,
            ),
            metrics=self.metrics,
            stopping=self.stop.is_set,
            aborted=self.abort.is_set,
            batch_size=settings.batch_size,
            run_ahead_ms=settings.run_ahead_ms,
            retry_max_s=settings.retry_max_s,
        )
        self.portal = Portal(
            # By port, so that two workers on one machine do not share it.
            settings.data_dir.absolute() / "portal" / str(settings.consumer_port),
            make_api=make_api,
            make_engine=make_documentation_engine,
            refresh_s=settings.portal_refresh_s,
            stop=self.stop,
        )
        self.polling = PollingLoop(
            settings,
            kafka,
            make_consumer=make_consumer,
            cluster=self.cluster,
            inbox=self.inbox,
            tracker=self.tracker,
            breaker=self.breaker,
            metrics=self.metrics,
            health=self.health,
            stop=self.stop,
        )
        self._worker = threading.Thread(target=self._work, name="worker", daemon=True)

    def run(self) -> int:
        """Work until SIGTERM or SIGINT; the exit code of the process.

        Must be called in the main thread, which is the only one to touch the Kafka consumer.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        web = WebServer(
            self.settings.consumer_host,
            self.settings.consumer_port,
            Site(
                is_live=lambda: self.health.tick_age_s < self.settings.watchdog_s / 2,
                readiness=self.health.readiness,
                metrics=self.metrics.exposition,
                portal=lambda: self.portal.current,
            ),
        )
        ended = threading.Event()
        watch(self.health, self.settings.watchdog_s, ended)
        threading.Thread(target=self._probe, name="probe", daemon=True).start()
        threading.Thread(target=self._renew, args=(ended,), name="renew", daemon=True).start()
        if self.settings.portal:
            self.portal.start()
        self._worker.start()
        gc.collect()
        gc.freeze()  # what is there for good is not looked through again and again: 0.1 s each time
        log.info("consumer_started", topic=self.kafka.request_topic, group=self.kafka.group)
        code = 0
        try:
            self._begin()
            self.polling.run()
        except KafkaFailed as error:
            log.error("kafka_failed", error=str(error))
            code = EXIT_SOFTWARE
        except Exception:
            log.exception("polling_failed")
            code = EXIT_SOFTWARE
        self.stop.set()
        self._end()
        ended.set()
        web.stop()
        log.info("consumer_stopped", exit=code)
        return code

    def _begin(self) -> None:
        """Topics, then the assignment, waiting for Kafka as long as it takes."""
        backoff = Backoff(self.settings.retry_max_s)
        while not self.stop.is_set():
            partitions = self.cluster.wait_for_topics(
                self.stop, self.health, self.settings.retry_max_s, pulse=self.health.tick
            )
            if not partitions:
                return
            try:
                self.polling.start(partitions)
                return
            except KafkaException as error:
                self.health.kafka_failed(str(error.args[0]))
                log.warning("assignment_failed", error=str(error.args[0]))
                self.stop.wait(min(backoff.next(), self.settings.watchdog_s / 4))

    def _work(self) -> None:
        """The worker thread."""
        backoff = Backoff(self.settings.retry_max_s)
        while not self.inbox.closed:
            try:
                self.batches.run()
                return
            except Exception:
                log.exception("worker_failed")
                self.stop.wait(backoff.next())

    def _renew(self, ended: threading.Event) -> None:
        """Keep the leases of what is in hand, until the very end."""
        api = self._make_api()
        while not ended.wait(RENEW_TICK_S):
            try:
                self.desk.renew(api)
            except StringXError as error:
                log.warning("leases_not_renewed", error=str(error))
            except Exception:
                log.exception("renewing_failed")

    def _probe(self) -> None:
        """Ask for the API while there is no work to show whether it is there."""
        api = self._make_api()
        pause = FIRST_PROBE_S  # doubled until it is there: both are often started together
        while not self.stop.is_set():
            try:
                api.get("/connections?limit=1")
                self.health.api_answered()
                pause = PROBE_S
            except StringXError as error:
                self.health.api_failed(str(error))
            self.stop.wait(pause)
            pause = min(PROBE_S, 2 * pause)

    def _on_signal(self, number: int, frame: Any) -> None:
        if self.stop.is_set():
            self.hurry.set()
        self.health.stopping()
        self.stop.set()

    def _end(self) -> None:
        """Finish or give back what is in hand, commit, leave the group; within `shutdown_s`."""
        began = time.monotonic()
        end = began + self.settings.shutdown_s
        self.inbox.close()
        patience = max(1.0, self.settings.shutdown_s - LAST_WORDS_S)
        while self._worker.is_alive() and not self.hurry.is_set():
            if time.monotonic() - began > patience:
                break
            self.polling.keep_alive()
        closing = _background(self._cancel_runs)
        if self._worker.is_alive():
            log.warning("check_given_up", claims=len(self.desk.held()))
            self._worker.join(CANCEL_S)
        if self._worker.is_alive():
            self.desk.give_back()
        self.polling.drain(min(end, time.monotonic() + 2.0))
        self.producer.flush(max(0.1, min(2.0, end - time.monotonic())))
        leaving = _background(self.polling.close)
        leaving.join(max(0.1, min(3.0, end - time.monotonic())))
        closing.join(max(0.1, end - time.monotonic()))
        # It may be giving back in this moment.
        self._worker.join(1.0 if self.hurry.is_set() else max(0.1, end - time.monotonic()))
        if leaving.is_alive() or closing.is_alive() or self._worker.is_alive():
            log.warning("end_forced", kafka=leaving.is_alive(), engine=closing.is_alive())
            os._exit(0)  # a hanging close (librdkafka #3740) must not hold up the end

    def _cancel_runs(self) -> None:
        """End the checks in hand, on their targets too; what they say from now on is not stored."""
        self.abort.set()
        self.engine.close()


def _background(call: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread
