"""A program of the Watcher framework's Python client, as its users write them.

Knows nothing of StringX but a base URL and a token: `python watcher_program.py URL TOKEN NAME`.
Prints what it learned as JSON.
"""

from __future__ import annotations

import json
import sys

import pendulum
from watcher import Address, AddressLineage, ETLResult, Pipeline, PipelineConfig, Watcher
from watcher.exceptions import WatcherAPIError
from watcher.orchestration import OrchestratedETL


def main(url: str, token: str, name: str) -> dict[str, object]:
    config = PipelineConfig(
        pipeline=Pipeline(
            name=name,
            pipeline_type_name="Extraction",
            pipeline_metadata={"Team": "Ops", "b": [1, 2]},
            freshness_number=24,
            freshness_datepart="hour",
            timeliness_number=2,
            timeliness_datepart="hour",
        ),
        default_watermark="2024-01-01",
        next_watermark="2024-02-01",
        address_lineage=AddressLineage(
            source_addresses=[
                Address(
                    name=f"source.{name}.orders",
                    address_type_name="postgres",
                    address_type_group_name="database",
                )
            ],
            target_addresses=[
                Address(
                    name=f"target.{name}.orders",
                    address_type_name="snowflake",
                    address_type_group_name="warehouse",
                )
            ],
        ),
    )
    watcher = Watcher(url, auth=token)
    first = watcher.sync_pipeline_config(config)
    seen: dict[str, object] = {"id": first.pipeline.id, "first_watermark": first.watermark}

    @watcher.track_pipeline_execution(
        pipeline_id=first.pipeline.id,
        active=first.pipeline.active,
        watermark=first.watermark,
        next_watermark=first.next_watermark,
    )
    def load(watcher_context):  # type: ignore[no-untyped-def]
        child = watcher.track_child_pipeline_execution(
            pipeline_id=first.pipeline.id,
            active=True,
            parent_execution_id=watcher_context.execution_id,
            func=lambda: ETLResult(completed_successfully=True, inserts=3),
        )
        seen["child"] = child.execution_id
        return ETLResult(
            completed_successfully=True,
            inserts=100,
            total_rows=100,
            execution_metadata={"Partition": "2025-01-01"},
        )

    seen["parent"] = load().execution_id
    seen["second_watermark"] = watcher.sync_pipeline_config(config).watermark

    @watcher.track_pipeline_execution(pipeline_id=first.pipeline.id, active=True)
    def breaks() -> ETLResult:
        raise RuntimeError("the source is away")

    try:
        breaks()
    except RuntimeError as error:
        seen["raised"] = str(error)

    by_hand = watcher.start_pipeline_execution(
        pipeline_id=first.pipeline.id,
        start_date=pendulum.now("UTC").subtract(minutes=5),
        parent_execution_id=seen["parent"],
    )
    watcher.end_pipeline_execution(
        by_hand, completed_successfully=True, end_date=pendulum.now("UTC"), total_rows=10_000
    )
    seen["by_hand"] = by_hand
    watcher.update_pipeline_next_watermark(first.pipeline.id, "2024-03-01")
    watcher.trigger_timeliness_check(lookback_minutes=60)
    watcher.trigger_freshness_check()
    orchestrated = OrchestratedETL(url, config, auth=token)
    result = orchestrated.execute_etl(
        lambda context, **_: ETLResult(completed_successfully=True, updates=1),
        {"dag_id": "D", "task_id": "t", "run_id": "r"},
    )
    seen["orchestrated"] = result.execution_id
    try:
        watcher.start_pipeline_execution(pipeline_id=10**12)
    except WatcherAPIError as error:
        seen["unknown"] = error.status_code
    return seen


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
