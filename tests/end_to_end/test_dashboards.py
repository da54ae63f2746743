"""A real Prometheus scrapes the service with our file, and each panel of the dashboard has data."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from embedded import ports
from tests.conftest import PROJECT, require_program
from tests.deploy.dashboard import panel_queries
from tests.end_to_end.conftest import Service

DASHBOARD = PROJECT / "deploy" / "grafana" / "dashboards" / "stringx.json"


@pytest.fixture(scope="module")
def prometheus(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Prometheus with the shipped configuration, its targets replaced by those running here."""
    program = require_program("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    config: dict[str, Any] = yaml.safe_load(
        (PROJECT / "deploy" / "prometheus" / "prometheus.yml").read_text()
    )
    config["global"]["scrape_interval"] = config["global"]["evaluation_interval"] = "1s"
    config["global"].pop("scrape_timeout", None)
    config["rule_files"] = [str(PROJECT / "deploy" / "prometheus" / "alerts.yml")]
    config.pop("alerting", None)
    places = {"api": service.api, "consumer": service.consumer}
    for job in config["scrape_configs"]:
        for setting in ("authorization", "dns_sd_configs"):
            job.pop(setting, None)
        (place,) = [url for name, url in places.items() if name in job["job_name"]]
        job["static_configs"] = [{"targets": [place.removeprefix("http://")]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = ports.choose_free()
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ],
        stderr=log,
    )
    try:
        yield wait_for_scrapes(f"http://127.0.0.1:{port}", folder / "log")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        log.close()


def wait_for_scrapes(url: str, log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            found = ask(url, "min(up) == 1 and min(count_over_time(up[1m])) >= 4")
        except requests.ConnectionError:
            found = []
        if found:
            return url
        time.sleep(0.5)
    raise AssertionError(f"Prometheus did not scrape both:\n{log.read_text()}")


def ask(url: str, query: str) -> list[Any]:
    answer = requests.get(f"{url}/api/v1/query", params={"query": query}, timeout=10).json()
    assert answer["status"] == "success", (query, answer)
    return answer["data"]["result"]


def test_every_panel_has_data(prometheus: str, service: Service) -> None:
    # One more check and one dead letter, so that rates over the scrapes are there.
    requests.post(f"{service.api}/api/v1/checks", json={"table": "flights.planes"}, timeout=60)
    time.sleep(3)
    queries = panel_queries(json.loads(DASHBOARD.read_text()))
    assert len(queries) >= 8
    empty = [query for query in queries if not ask(prometheus, query)]
    assert empty == []


def test_verdicts_are_on_prometheus(prometheus: str) -> None:
    failing = ask(prometheus, 'stringx_table_verdict{status="fail"} == 1')
    assert {item["metric"]["table"] for item in failing} == {"flights.flights", "flights.weather"}


def test_alert_rules_are_loaded(prometheus: str) -> None:
    groups = requests.get(f"{prometheus}/api/v1/rules", timeout=10).json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert rules
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
