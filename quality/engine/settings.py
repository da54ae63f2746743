"""Settings of the engine, in whichever process it runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from quality.budgets import Budget
from quality.settings import Seconds, _Settings


def _decoded(value: Any) -> Any:
    """JSON as pydantic's own decoder has it, but wrong in one line that names the variable."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value or "{}")
    except ValueError:
        raise ValueError("is not JSON") from None


class EngineSettings(_Settings):
    """Where dbt's files are, and what one check may cost."""

    model_config = SettingsConfigDict(
        env_prefix="", extra="ignore", frozen=True, populate_by_name=True
    )

    project_dir: Path = Field(default=Path("stringx"), validation_alias="DBT_PROJECT_DIR")
    profiles_dir: Path | None = Field(default=None, validation_alias="DBT_PROFILES_DIR")
    data_dir: Path = Field(default=Path(".stringx"), validation_alias="STRINGX_DATA_DIR")
    profile: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")] = Field(
        default="stringx", validation_alias="STRINGX_DBT_PROFILE"
    )
    check_time_limit_s: Seconds = Field(
        default=120.0, validation_alias="STRINGX_CHECK_TIME_LIMIT_S"
    )
    statement_timeout_s: Seconds = Field(
        default=60.0, validation_alias="STRINGX_STATEMENT_TIMEOUT_S"
    )
    lock_timeout_s: Seconds = Field(default=3.0, validation_alias="STRINGX_LOCK_TIMEOUT_S")
    connect_timeout_s: Annotated[int, Field(ge=1, le=300)] = Field(
        default=5, validation_alias="STRINGX_CONNECT_TIMEOUT_S"
    )
    docs_time_limit_s: Seconds = Field(default=300.0, validation_alias="STRINGX_DOCS_TIME_LIMIT_S")
    interrupt_s: Seconds = Field(
        default=3.0,
        validation_alias="STRINGX_DBT_INTERRUPT_S",
        description="time that dbt gets to cancel its queries before it is killed",
    )
    target_connections: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=8,
        validation_alias="STRINGX_TARGET_CONNECTIONS",
        description="connections of one process to one target, for all checks together",
    )
    queries_per_check: Annotated[int, Field(ge=1, le=64)] = Field(
        default=4,
        validation_alias="STRINGX_QUERIES_PER_CHECK",
        description="queries of one check that may run on the target at the same time",
    )
    budget_rows: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        validation_alias="STRINGX_BUDGET_ROWS",
        description="estimated rows that one check may read; rules beyond are skipped",
    )
    budget_s: Seconds | None = Field(
        default=None,
        validation_alias="STRINGX_BUDGET_S",
        description="time that one check may take; rules not judged by then are skipped",
    )
    connection_budgets: Annotated[dict[str, Budget], NoDecode, BeforeValidator(_decoded)] = Field(
        default_factory=dict,
        validation_alias="STRINGX_CONNECTION_BUDGETS",
        description='by target, before those for all: {"demo": {"rows": 1000000, "seconds": 5, '
        '"queries": 2}}',
    )
    target_idle_s: Seconds = Field(default=300.0, validation_alias="STRINGX_TARGET_IDLE_S")
    prepared_statements: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=50,
        validation_alias="STRINGX_TARGET_PREPARED",
        description="scans of small tables that each connection to a target keeps planned",
    )
    work_mem_mb: Annotated[int, Field(ge=0, le=4096)] = Field(
        default=64,
        validation_alias="STRINGX_TARGET_WORK_MEM_MB",
        description="PostgreSQL's work_mem for the queries of a check; 0 leaves the server's own",
    )
    threads: Annotated[int, Field(ge=1, le=64)] = Field(
        default=4, validation_alias="STRINGX_DBT_THREADS"
    )
    recycle_jobs: Annotated[int, Field(ge=1)] = Field(
        default=500, validation_alias="STRINGX_DBT_RECYCLE_JOBS"
    )
    recycle_mb: Annotated[int, Field(ge=150)] = Field(
        default=500, validation_alias="STRINGX_DBT_RECYCLE_MB"
    )
    manifests: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=64,
        validation_alias="STRINGX_DBT_MANIFESTS",
        description="parsed projects that the dbt process keeps in memory",
    )
    compiled_rules: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=10_000,
        validation_alias="STRINGX_COMPILED_RULES",
        description="single rules whose compiled SQL is kept in memory, some 2 kB each",
    )
    plans: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=2000,
        validation_alias="STRINGX_PLANS",
        description="compiled rule sets kept in memory",
    )
    projects: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=1000,
        validation_alias="STRINGX_DBT_PROJECTS",
        description="generated projects, and compiled rule sets, kept on disk",
    )

    custom_sql: bool = Field(
        default=False,
        validation_alias="STRINGX_CUSTOM_SQL",
        description="rules may be of types that take SQL",
    )
    custom_sql_schemas: str = Field(
        default="",
        validation_alias="STRINGX_CUSTOM_SQL_SCHEMAS",
        description="schemas that such rules may read beside that of their table; commas between",
    )

    max_groups: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=100,
        validation_alias="STRINGX_MAX_GROUPS",
        description="groups of a rule with group_by that are judged one by one or shown",
    )
    explored_rows: Annotated[int, Field(ge=1000, le=10_000_000)] = Field(
        default=100_000,
        validation_alias="STRINGX_EXPLORED_ROWS",
        description="rows of a table that are looked at to suggest rules",
    )
    sample_limit: Annotated[int, Field(ge=0, le=100)] = Field(
        default=0,
        validation_alias="STRINGX_SAMPLE_LIMIT",
        description="failing rows kept with a result, where the rule does not say; 0 keeps none",
    )
    sample_cell_bytes: Annotated[int, Field(ge=8, le=4096)] = Field(
        default=256, validation_alias="STRINGX_SAMPLE_CELL_BYTES"
    )
    sample_bytes: Annotated[int, Field(ge=1024, le=16 * 1024 * 1024)] = Field(
        default=256 * 1024,
        validation_alias="STRINGX_SAMPLE_BYTES",
        description="of all samples of a check together",
    )
    sample_time_limit_s: Seconds = Field(
        default=5.0,
        validation_alias="STRINGX_SAMPLE_TIME_LIMIT_S",
        description="for all samples of a check together, after its verdict is known",
    )

    def budget(self, target: str) -> Budget:
        """What one check may cost on a target: its own budget, filled up with that for all."""
        own = self.connection_budgets.get(target, Budget())
        return Budget(
            rows=own.rows or self.budget_rows,
            seconds=own.seconds or self.budget_s,
            queries=own.queries or self.queries_per_check,
        )

    @property
    def profiles(self) -> Path:
        """The folder of profiles.yml."""
        return (self.profiles_dir or self.project_dir).absolute()

    @property
    def server_options(self) -> str:
        """What every session on a target is started with (libpq's `options`, PGOPTIONS)."""
        values = {
            "statement_timeout": f"{self.statement_timeout_s * 1000:.0f}",
            "lock_timeout": f"{self.lock_timeout_s * 1000:.0f}",
            "default_transaction_read_only": "on",
            # Numbers as texts are the same numbers again, whatever the role has been given.
            "extra_float_digits": "1",
            # A killed client must not leave its query running.
            "client_connection_check_interval": "2000",
        }
        return " ".join(f"-c {name}={value}" for name, value in values.items())


def environment() -> dict[str, str]:
    """A copy of this process's environment, of which dbt gets what its profile may use."""
    return dict(os.environ)
