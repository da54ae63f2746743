"""How to reach the platform."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from quality.settings import Seconds


class GitLabSettings(BaseSettings):
    """Where the platform is, and how patient to be with it."""

    model_config = SettingsConfigDict(env_prefix="STRINGX_GITLAB_", extra="ignore", frozen=True)

    url: str = Field(default="https://gitlab.com", pattern=r"^https?://[^\s?#@]+$")
    token: SecretStr
    timeout_s: Seconds = Field(default=30.0, description="for a connection, and for each answer")
    retries: Annotated[int, Field(ge=0, le=20)] = Field(
        default=6, description="of a call that was answered 429 or 5xx, or not at all"
    )
    longest_wait_s: Seconds = Field(
        default=300.0, description="however long a Retry-After asks to wait"
    )
    page_size: Annotated[int, Field(ge=1, le=100)] = 100
