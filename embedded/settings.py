"""Settings of the embedded parts and the demo, beside those of the processes that they serve."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from quality.settings import Port, ProcessSettings, Seconds

PROJECT = Path(__file__).resolve().parent.parent


class EmbeddedSettings(ProcessSettings):
    """STRINGX_<field name in capitals>; an empty one counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix="STRINGX_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: str | None = None
    kafka_bootstrap_servers: str | None = None
    kafka_request_topic: str = "stringx.check.requests.v1"
    data_dir: Path = PROJECT / ".stringx"
    api_host: str = "127.0.0.1"
    api_port: Port = 5001
    consumer_host: str = "127.0.0.1"
    consumer_port: Port = 8001
    demo: bool | None = Field(default=None, description="load the demo into a target of your own")
    demo_timeout_seconds: Seconds = 180.0
    embedded_kafka_port: Port = 9092
    embedded_postgres_bin: Path | None = None
    embedded_start_timeout_seconds: Seconds = 60.0
    embedded_stop_timeout_seconds: Seconds = 30.0
    embedded_reader_connections: Annotated[int, Field(ge=1, le=150)] = 20
    target_host: str = "127.0.0.1"
    target_port: Port = 5432
    target_user: str = "stringx_reader"
    target_dbname: str = "demo"


def environment() -> dict[str, str]:
    """A copy of our environment, to be handed on to children."""
    return dict(os.environ)


def target_password(variables: Mapping[str, str]) -> str:
    """The password of the demo's target, "" when there is none."""
    return variables.get("DBT_ENV_SECRET_TARGET_PASSWORD", "")
