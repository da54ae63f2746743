"""Settings, read from the environment once, at the edge of each process.

Every limit, time-out and retry is one of them. A missing or wrong one ends the process with one
line that names the variable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from quality.errors import ConfigurationError

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="STRINGX_", extra="ignore", frozen=True)


class ProcessSettings(_Settings):
    """What every process has."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    data_dir: Path = Path(".stringx")
    rule_sets_kept: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=500, description="rule sets kept in memory, those used last"
    )


class KafkaSettings(_Settings):
    """How to reach Kafka. The security fields go to librdkafka under the names they have there."""

    model_config = SettingsConfigDict(env_prefix="STRINGX_KAFKA_", extra="ignore", frozen=True)

    bootstrap_servers: str = Field(default="", description="host:port[,host:port…]")
    request_topic: str = Field(
        default="stringx.check.requests.v1", pattern=r"^[A-Za-z0-9._-]{1,240}$"
    )
    decision_topic: str = Field(
        default="stringx.gate.decisions.v1", pattern=r"^[A-Za-z0-9._-]{1,240}$"
    )
    decision_retention_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        default=400, description="of the decision topic, when it is created; it is compacted too"
    )
    group: str = "stringx"
    assignment: Literal["group", "manual"] = "group"
    instance_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="a name of its own for each worker: one that is back in time keeps its part",
    )
    partitions: Annotated[int, Field(ge=1, le=1000)] = 4
    replication: Annotated[int, Field(ge=1, le=9)] = 1
    session_timeout_s: Seconds = 15.0
    max_poll_interval_s: Seconds = Field(
        default=300.0, description="a worker that does not poll for so long is taken for dead"
    )
    fetch_wait_ms: Annotated[int, Field(ge=1, le=60_000)] | None = Field(
        default=None, description="500, but 2 with manual assignment"
    )
    delivery_timeout_s: Seconds = 30.0
    max_message_bytes: Annotated[int, Field(ge=1024, le=16 * 1024 * 1024)] = 256 * 1024
    security_protocol: str | None = None
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_ca_location: Path | None = None
    ssl_certificate_location: Path | None = None
    ssl_key_location: Path | None = None
    ssl_key_password: SecretStr | None = None

    @property
    def dead_letter_topic(self) -> str:
        """Where messages go that cannot be taken."""
        return f"{self.request_topic}.dlq"

    def client(self) -> dict[str, str | int]:
        """The part of a librdkafka configuration that says where and as whom."""
        config: dict[str, str | int] = {"bootstrap.servers": self.bootstrap_servers}
        for field in (
            "security_protocol",
            "sasl_mechanism",
            "sasl_username",
            "sasl_password",
            "ssl_ca_location",
            "ssl_certificate_location",
            "ssl_key_location",
            "ssl_key_password",
        ):
            value = getattr(self, field)
            if value is not None:
                plain = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                config[field.replace("_", ".")] = plain
        return config


class ClientSettings(_Settings):
    """How a worker or a script reaches the API."""

    api_url: str = Field(default="http://127.0.0.1:5001", pattern=r"^https?://[^\s?#]+$")
    api_token: SecretStr | None = None
    api_token_file: Path | None = Field(
        default=None,
        description="a file with the token, read again when the API refuses it; before api_token",
    )
    api_timeout_s: Seconds = 30.0


class ApiSettings(ProcessSettings):
    """The API process."""

    database_url: SecretStr
    database_pool: Annotated[int, Field(ge=1, le=200)] = 12
    database_pool_timeout_s: Seconds = 2.0
    api_host: str = "127.0.0.1"
    api_port: Port = 5001
    api_threads: Annotated[int, Field(ge=2, le=256)] = 24
    api_connections: Annotated[int, Field(ge=16, le=65_536)] = Field(
        default=1024, description="that are served at a time; more wait to be accepted"
    )
    api_read_timeout_s: Seconds = Field(
        default=15.0,
        description="for the headers of a request; bodies that take longer must not be many",
    )
    api_token: SecretStr | None = None
    worker_token: SecretStr | None = Field(
        default=None, description="of the workers: it allows what they do, and reading"
    )
    failed_logins_per_minute: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=30, description="wrong tokens from one address; 0: as many as it likes"
    )
    proxies: Annotated[int, Field(ge=0, le=10)] = Field(
        default=0,
        description="how many proxies of ours stand before the API and add to X-Forwarded-For",
    )
    token_cache_s: Seconds = Field(
        default=5.0, description="how much longer a revoked token may work in other processes"
    )
    token_use_interval_s: Seconds = 60.0
    token_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        default=90, description="for how long a token is good that names no time of its own"
    )
    rate_per_minute: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        default=6000, description="requests of one token; 0: as many as it likes"
    )
    rate_burst: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=600, description="requests of one token at once"
    )
    pipelines_rate_per_minute: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        default=120_000, description="of those that need the scope pipelines, apart from the others"
    )
    pipelines_rate_burst: Annotated[int, Field(ge=1, le=1_000_000)] = 6000
    max_body_bytes: Annotated[int, Field(ge=1024)] = 1024 * 1024
    sync_time_limit_s: Seconds = 30.0
    sync_checks: Annotated[int, Field(ge=1, le=128)] = 8
    sync_wait_s: Seconds = 5.0
    rest_checks: Annotated[int, Field(ge=1, le=64)] = Field(
        default=2,
        description="checks at a time that were answered at their deadline and go on after it",
    )
    rest_poll_s: Seconds = Field(
        default=5.0,
        description="how often, without Kafka, it is looked for such checks that nobody has",
    )
    lease_s: Seconds = 180.0
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    outbox_limit: Annotated[int, Field(ge=1)] = 10_000
    outbox_poll_s: Seconds = 1.0
    outbox_gather_s: Annotated[float, Field(ge=0, le=10)] = Field(
        default=0.05, description="for which messages to Kafka are gathered before they are sent"
    )
    sweep_interval_s: Seconds = 30.0
    requeue_after_s: Seconds = 600.0
    metrics_tables: Annotated[int, Field(ge=1, le=10_000)] = 500
    custom_sql: bool = Field(default=False, description="rules may be of types that take SQL")
    sample_retention_days: Annotated[int, Field(ge=1, le=3650)] = 7
    measurement_retention_days: Annotated[int, Field(ge=1, le=3650)] = 400
    dead_letter_retention_days: Annotated[int, Field(ge=1, le=3650)] = 30
    expectations_interval_s: Seconds = Field(
        default=30.0, description="how often it is looked for checks that nobody asked for in time"
    )
    retention_interval_s: Seconds = 600.0
    tree_limit: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=50_000, description="executions of a tree that are shown"
    )
    pipelines_interval_s: Seconds = Field(
        default=60.0, description="freshness, timeliness and missing executions"
    )
    follow_up_interval_s: Seconds = Field(default=1.0, description="what follows a successful end")
    timeliness_lookback_minutes: Annotated[int, Field(ge=5, le=525_600)] = 60
    execution_retention_days: Annotated[int, Field(ge=90, le=36_500)] = 365
    result_retention_days: Annotated[int, Field(ge=1, le=36_500)] = 730
    audit_retention_days: Annotated[int, Field(ge=90, le=36_500)] = 730
    gate_valid_for_s: Annotated[int, Field(ge=1, le=366 * 86_400)] = Field(
        default=86_400, description="how long a decision holds, where a table's policy says nothing"
    )
    gate_retention_days: Annotated[int, Field(ge=0, le=3650)] = Field(
        default=7, description="how long an expired decision on some rows of a table is kept"
    )
    gate_waits: Annotated[int, Field(ge=1, le=256)] = Field(
        default=8, description="requests that may wait at the gate at the same time"
    )

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine can reach the API."""
        return self.api_host in LOOPBACK


class ConsumerSettings(ProcessSettings):
    """The consumer process."""

    consumer_host: str = "127.0.0.1"
    consumer_port: Port = 8001
    worker_token: SecretStr | None = Field(
        default=None, description="what the worker sends; STRINGX_API_TOKEN if it is not set"
    )
    batch_size: Annotated[int, Field(ge=1, le=500)] = 50
    consumer_checks: Annotated[int, Field(ge=1, le=64)] = Field(
        default=4, description="checks at a time, each of another table"
    )
    run_ahead_ms: Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False)] = Field(
        default=50.0,
        description="a check whose last run took no longer begins before its claim is asked for; "
        "0: none does",
    )
    buffer_bytes: Annotated[int, Field(ge=1024)] = 8 * 1024 * 1024
    poll_s: Seconds = 0.2
    commit_interval_s: Seconds = 1.0
    commit_every: Annotated[int, Field(ge=1)] = 100
    watchdog_s: Seconds = 60.0
    shutdown_s: Seconds = 25.0
    retry_max_s: Seconds = 30.0
    breaker_in_a_row: Annotated[int, Field(ge=1)] = Field(
        default=20, description="more dead letters in a row hold their partition back"
    )
    breaker_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5, description="so does a greater share of the last messages"
    )
    breaker_window: Annotated[int, Field(ge=20, le=10_000)] = 100
    breaker_probe_s: Seconds = 60.0
    portal: bool = Field(
        default=True, description="make the dbt documentation; one worker of a group is enough"
    )
    portal_refresh_s: Seconds = 60.0


Loaded = TypeVar("Loaded", bound=_Settings)


def load(kind: type[Loaded]) -> Loaded:
    """Settings of one kind from the environment; ConfigurationError names the variable at fault."""
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        wrong = [
            f"{prefix}{'_'.join(str(part) for part in item['loc'])}".upper()
            + (" is not set" if item["type"] == "missing" else f": {item['msg']}")
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigurationError("; ".join(wrong)) from None
