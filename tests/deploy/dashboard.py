"""The Grafana dashboard as data: its panels and the PromQL that they send."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "stringx.json"

_VARIABLE = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$(\w+)")


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana loads it."""
    document: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return document


def panels(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel with queries, also those inside rows."""
    for panel in document["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def panel_queries(document: dict[str, Any], rate_interval: str = "5m") -> list[str]:
    """The PromQL of every panel with Grafana's variables filled in; each variable as "All"."""
    values = {"__rate_interval": rate_interval, "__interval": "15s", "__range": "1h"}
    for variable in document["templating"]["list"]:
        values[variable["name"]] = variable.get("allValue", variable["current"]["value"])
    return [
        _VARIABLE.sub(lambda found: values[found[1] or found[2]], target["expr"])
        for panel in panels(document)
        for target in panel["targets"]
    ]


def variable_metrics(document: dict[str, Any]) -> set[str]:
    """The metrics from whose labels the dashboard's drop-down lists are filled."""
    return {
        re.split(r"[({,]", variable["definition"])[1].strip()
        for variable in document["templating"]["list"]
        if variable["type"] == "query"
    }
