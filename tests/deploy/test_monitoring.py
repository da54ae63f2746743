"""What Prometheus and Grafana are given: valid, and made of metrics that StringX has."""

import json
import re
import subprocess
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from api.action_counts import ActionCollector, ActionCounts
from api.metrics import Metrics as ApiMetrics
from api.metrics import StoreCollector
from consumer.metrics import Metrics as ConsumerMetrics
from tests.conftest import require_program
from tests.deploy.dashboard import DEPLOY, dashboard, panel_queries, panels, variable_metrics

PROMETHEUS = DEPLOY / "prometheus"
# Prometheus makes this one itself for each target.
OWN = {"up"}


def promtool(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run promtool; its output is both streams."""
    return subprocess.run(
        [require_program("promtool"), *arguments],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def expositions() -> dict[str, str]:
    """What the two processes expose, with one sample of every labelled metric."""
    api = ApiMetrics()
    for metric in (api.requests, api.request_seconds, api.checks, api.check_seconds):
        metric.labels(*["x"] * len(metric._labelnames))
    api.rule_results.labels("x", "x", "x")
    verdict = {
        "connection": "demo",
        "table": "s.t",
        "last_status": "pass",
        "last_finished_at": datetime(2026, 1, 1, tzinfo=UTC),
        "scores": {"validity": 1.0},
    }
    api.registry.register(StoreCollector(lambda: [verdict], lambda: 0, lambda: {"open": 1}))
    ActionCounts(api.registry)
    actions = {"waiting": 0, "running": 0, "oldest_s": 0.0}
    api.registry.register(ActionCollector(lambda: actions))
    consumer = ConsumerMetrics()
    consumer.dead_letters.labels("x")
    consumer.lag.labels("t", "0")
    consumer.breaker_open.labels("t", "0")
    return {"api": text(api.registry), "consumer": text(consumer.registry)}


def text(registry: CollectorRegistry) -> str:
    return generate_latest(registry).decode()


def exposed_names() -> set[str]:
    """Names of all series of both processes."""
    lines = "\n".join(expositions().values()).splitlines()
    return {re.split(r"[{ ]", line)[0] for line in lines if line and not line.startswith("#")} | OWN


def metrics_in(expression: str) -> set[str]:
    """The metrics that a PromQL expression reads."""
    return set(re.findall(r"\b(?:stringx_\w+|up\b(?=[{\[]))", expression))


def alert_expressions() -> dict[str, str]:
    document = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())
    return {rule["alert"]: rule["expr"] for group in document["groups"] for rule in group["rules"]}


def test_prometheus_takes_the_scrape_file() -> None:
    done = promtool("check", "config", "--syntax-only", str(PROMETHEUS / "prometheus.yml"))
    assert done.returncode == 0, done.stdout


def test_prometheus_takes_the_alerts() -> None:
    done = promtool("check", "rules", str(PROMETHEUS / "alerts.yml"))
    assert done.returncode == 0, done.stdout
    assert f"{len(alert_expressions())} rules found" in done.stdout


def test_alerts_fire_when_they_should_and_only_then() -> None:
    done = promtool("test", "rules", str(PROMETHEUS / "alerts_test.yml"))
    assert done.returncode == 0, done.stdout


def test_every_alert_is_shown_to_fire_and_to_be_silent() -> None:
    document = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())
    cases = [case for test in document["tests"] for case in test["alert_rule_test"]]
    fires = {case["alertname"] for case in cases if case.get("exp_alerts")}
    silent = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    assert fires == silent == set(alert_expressions())


@pytest.mark.parametrize("process", ["api", "consumer"])
def test_metrics_follow_the_conventions_of_prometheus(process: str) -> None:
    done = promtool("check", "metrics", stdin=expositions()[process])
    assert done.returncode == 0, done.stdout


def test_alerts_and_dashboard_read_metrics_that_exist() -> None:
    document = dashboard()
    read = variable_metrics(document).union(
        *map(metrics_in, panel_queries(document)), *map(metrics_in, alert_expressions().values())
    )
    assert len(read) > 15
    assert read - exposed_names() == set()


def test_every_panel_is_valid_promql(tmp_path: Path) -> None:
    queries = panel_queries(dashboard())
    assert len(queries) > 20
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(queries)]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = promtool("check", "rules", str(file))
    assert done.returncode == 0, done.stdout
    assert f"{len(queries)} rules found" in done.stdout


def test_panels_have_their_own_ids_and_places() -> None:
    document = dashboard()
    ids = [panel["id"] for panel in document["panels"]]
    assert len(ids) == len(set(ids))
    for one, other in combinations(document["panels"], 2):
        assert not overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels(document))


def overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two panels lie on one another."""
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def test_every_panel_says_what_it_shows_and_asks_the_chosen_data_source() -> None:
    for panel in panels(dashboard()):
        assert panel["description"], panel["title"]
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert {source["uid"] for source in sources} == {"${datasource}"}, panel["title"]


def test_grafana_is_provisioned_with_the_data_source_that_the_dashboard_starts_with() -> None:
    folder = DEPLOY / "grafana" / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())
    [source] = sources["datasources"]
    chosen = next(v for v in dashboard()["templating"]["list"] if v["name"] == "datasource")
    assert (source["type"], source["uid"]) == ("prometheus", chosen["current"]["value"])
