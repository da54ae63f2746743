"""The routes of pipelines: those of the Watcher framework at the root, and the newer ones."""

from api.routes.pipelines import (
    anomalies,
    executions,
    framework,
    lineage,
    pipelines,
    retention,
    timeliness,
)

GROUPS = [
    pipelines.operations,
    executions.operations,
    timeliness.operations,
    anomalies.operations,
    lineage.operations,
    retention.operations,
    framework.operations,
]
