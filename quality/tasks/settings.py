"""Settings of tasks; StringX's own variables, read once by who runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from quality.settings import ProcessSettings, Seconds


class TaskSettings(ProcessSettings):
    """What tasks may do, and where what they did is told."""

    api_url: str | None = Field(
        default=None, pattern=r"^https?://[^\s?#]+$", description="where runs are recorded, if set"
    )
    api_token: SecretStr | None = None
    api_timeout_s: Seconds = 30.0
    tasks_dir: Path | None = Field(default=None, description="folder of further task modules")
    task_time_limit_s: Seconds = 3600.0
    task_retry_wait_s: Seconds = 1.0
    task_output_bytes: Annotated[int, Field(ge=256, le=65_536)] = 4096
    task_runs_kept: Annotated[int, Field(ge=1, le=100_000)] = 500
    webhook_hosts: str = Field(default="", description="host[:port], … that may be called by https")
    webhook_private_hosts: str = Field(
        default="",
        description="host:port, … of the own network, which may be called by http as well",
    )
    webhook_secret: SecretStr | None = Field(default=None, min_length=16)
    webhook_timeout_s: Seconds = 10.0


class ActionSettings(ProcessSettings):
    """Actions on verdicts: task files of the operator's, run by the service."""

    actions_dir: Path | None = Field(
        default=None, description="folder of task files; without it there are no actions"
    )
    action_workers: Annotated[int, Field(ge=1, le=32)] = Field(
        default=2, description="actions at a time, each of another table"
    )
    action_poll_s: Seconds = 1.0
    action_time_limit_s: Seconds = 300.0
    action_memory_bytes: Annotated[int, Field(ge=64 * 1024 * 1024)] = 2 * 1024 * 1024 * 1024
    action_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    action_retry_s: Seconds = Field(default=10.0, description="doubled with each attempt")
    actions_per_hour: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=12, description="of one table; beyond that only the newest state is told"
    )
    task_run_retention_days: Annotated[int, Field(ge=1, le=3650)] = 90
