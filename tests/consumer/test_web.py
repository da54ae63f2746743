"""Health, metrics and the portal over HTTP."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.health import Health
from consumer.metrics import Metrics
from consumer.web import Site, WebServer
from embedded import ports
from quality.errors import ConfigurationError
from tests.conftest import require_program


class Running:
    def __init__(self, folder: Path) -> None:
        self.health, self.metrics = Health(), Metrics()
        self.portal: Path | None = None
        self.live = True
        self.folder = folder
        self.port = ports.choose_free()
        self.server = WebServer(
            "127.0.0.1",
            self.port,
            Site(
                is_live=lambda: self.live,
                readiness=self.health.readiness,
                metrics=self.metrics.exposition,
                portal=lambda: self.portal,
            ),
        )

    def ask(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
        """The path is sent as it is: no client tidies it up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.putrequest(method, path)
        connection.endheaders()
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read().decode()
        connection.close()
        return found

    def make_portal(self) -> None:
        self.portal = self.folder / "portal"
        self.portal.mkdir()
        (self.portal / "index.html").write_text("<title>dbt Docs</title>")
        (self.portal / "manifest.json").write_text("{}")
        (self.portal / "notes.key").write_text("no known type")
        (self.portal / "below").mkdir()
        (self.portal / "below" / "index.html").write_text("one of several targets")
        (self.folder / "secret.html").write_text("secret")
        (self.folder / "portal2").mkdir()
        (self.folder / "portal2" / "x.html").write_text("secret")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.server.stop()


def test_is_ready_once_kafka_and_the_api_are_there_and_names_what_is_not(running: Running) -> None:
    assert running.ask("/health/ready")[0] == 503
    running.health.kafka_works()
    running.health.assigned(4)
    status, _, body = running.ask("/health/ready")
    assert (status, '"kafka": {"status": "up"' in body) == (503, True)
    assert '"api": {"status": "down", "detail": "not asked yet"}' in body
    running.health.api_answered()
    assert running.ask("/health/ready")[0] == 200
    running.health.kafka_failed("all brokers are down")
    assert "all brokers are down" in running.ask("/health/ready")[2]
    running.health.kafka_works()
    running.health.stopping()
    assert running.ask("/health/ready")[0] == 503


def test_a_worker_without_partitions_to_spare_is_ready_and_one_out_of_the_group_is_not(
    running: Running,
) -> None:
    running.health.kafka_works()
    running.health.api_answered()
    running.health.assigned(0)
    assert running.ask("/health/ready")[0] == 200
    running.health.assigned(None)
    assert running.ask("/health/ready")[0] == 503


def test_is_live_while_the_loop_goes_round(running: Running) -> None:
    assert running.ask("/health/live")[0] == 200
    running.live = False
    assert running.ask("/health/live")[0] == 503


def test_the_page_says_that_the_documentation_is_being_made_then_shows_it(
    running: Running,
) -> None:
    status, headers, body = running.ask("/")
    assert (status, "being made" in body) == (503, True)
    running.make_portal()
    status, headers, body = running.ask("/")
    assert (status, body) == (200, "<title>dbt Docs</title>")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert running.ask("/below/index.html")[0] == 200
    assert running.ask("/manifest.json?cb=17")[1]["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.html",
        "/..%2fsecret.html",
        "/%2e%2e/secret.html",
        "/....//secret.html",
        "/..\\secret.html",
        "//secret.html",
        "/../portal2/x.html",
        "/below/../../secret.html",
        "/below",
        "/.",
        "/..",
        "/%00",
        "/index.html%00.css",
        "/notes.key",
        "/index.html/",
        "http://x/../secret.html",
        "*",
    ],
)
def test_nothing_but_the_portals_files_is_served(running: Running, path: str) -> None:
    running.make_portal()
    status, _, body = running.ask(path)
    assert status == 404
    assert "secret" not in body


def test_a_malformed_target_is_answered(running: Running) -> None:
    running.make_portal()
    assert running.ask("//[x/")[0] == 404
    assert running.ask("/health/live")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_can_be_written(running: Running, method: str) -> None:
    status, headers, _ = running.ask("/", method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_head_has_no_body(running: Running) -> None:
    running.make_portal()
    status, headers, body = running.ask("/", "HEAD")
    assert (status, body, headers["Content-Length"]) == (200, "", "23")


def test_a_client_that_goes_away_or_talks_nonsense_harms_nobody(running: Running) -> None:
    for raw in (b"", b"\x00\xff\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 70_000):
        with socket.create_connection(("127.0.0.1", running.port)) as client:
            client.sendall(raw)
    assert running.ask("/health/live")[0] == 200


def test_idle_connections_are_limited_and_the_next_is_closed_at_once(running: Running) -> None:
    idle = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(32)]
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as one_more:
        assert one_more.recv(1) == b""
    for client in idle:
        client.close()


def test_a_taken_port_is_an_error_that_names_the_setting(running: Running) -> None:
    with pytest.raises(ConfigurationError, match="STRINGX_CONSUMER_PORT"):
        WebServer("127.0.0.1", running.port, running.server.RequestHandlerClass.site)  # type: ignore[attr-defined]


def test_the_metrics_are_what_prometheus_expects(running: Running) -> None:
    promtool = require_program("promtool")
    running.metrics.messages.labels("stored").inc()
    running.metrics.dead_letters.labels("json_invalid").inc()
    running.metrics.lag.labels("t", "0").set(3)
    running.metrics.batch_size.observe(3)
    status, headers, body = running.ask("/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    for name in (
        'stringx_consumer_messages_total{outcome="stored"} 1.0',
        'stringx_consumer_messages_total{outcome="busy"} 0.0',
        'stringx_consumer_dead_letters_total{code="json_invalid"} 1.0',
        'stringx_consumer_lag_messages{partition="0",topic="t"} 3.0',
        "stringx_consumer_batch_size_count 1.0",
        "stringx_engine_duration_seconds_count",
        "stringx_consumer_api_retries_total",
        "stringx_consumer_last_poll_timestamp_seconds",
        "stringx_build_info{version=",
    ):
        assert name in body
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=body, text=True, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_a_portal_that_is_replaced_in_this_moment_is_being_made(running: Running) -> None:
    running.make_portal()
    shutil.rmtree(running.folder / "portal")
    assert running.ask("/")[0] == 503
