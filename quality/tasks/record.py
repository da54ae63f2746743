"""The record of a run: what, when, how long, how it ended, and the end of what was said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from quality.names import Text

TaskStatus = Literal["succeeded", "failed", "skipped"]
RunStatus = Literal["succeeded", "partial", "failed"]

MAX_TASKS = 500
_MAX_TEXT = 65_536
_SECRET_NAME = re.compile(
    r"password|passwd|secret|token|authorization|api_?key|_key$|dsn|_url$", re.I
)
_SHORTEST_SECRET = 8
_LEFT_OUT = "…"


class TaskRecord(BaseModel):
    """One task of a run; `attempts` is 0 where it was not reached."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    position: Annotated[int, Field(ge=0, lt=MAX_TASKS)]
    name: Annotated[Text, Field(max_length=200)]
    place: Annotated[Text, Field(max_length=1000)]
    status: TaskStatus
    attempts: Annotated[int, Field(ge=0, le=1000)] = 0
    started_at: AwareDatetime | None = None
    duration_ms: Annotated[float, Field(ge=0)] = 0.0
    error: Annotated[Text, Field(max_length=_MAX_TEXT)] | None = None
    output: Annotated[Text, Field(max_length=_MAX_TEXT)] = ""


class RunRecord(BaseModel):
    """A run of a task file: `partial` where tasks failed that let the run go on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,128}$")]
    file: Annotated[Text, Field(min_length=1, max_length=1000)]
    host: Annotated[Text, Field(max_length=255)]
    status: RunStatus
    started_at: AwareDatetime
    finished_at: AwareDatetime
    duration_ms: Annotated[float, Field(ge=0)]
    tasks: Annotated[tuple[TaskRecord, ...], Field(max_length=MAX_TASKS)]


def status_of(tasks: Iterable[TaskRecord], *, stopped: bool) -> RunStatus:
    """How a run ended."""
    if stopped:
        return "failed"
    return "partial" if any(task.status == "failed" for task in tasks) else "succeeded"


def ending(text: str, limit: int) -> str:
    """The last `limit` bytes of a text, from the beginning of a character on."""
    raw = text.encode(errors="replace")
    if len(raw) <= limit:
        return raw.decode()
    return _LEFT_OUT + raw[-limit:].decode(errors="ignore")


def storable(text: str) -> str:
    """Without what PostgreSQL cannot store: NUL, and bytes of names that are no characters."""
    return text.encode(errors="replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")


def secrets_of(variables: Mapping[str, str], more: Iterable[str] = ()) -> tuple[str, ...]:
    """Values that are not to be shown: those of variables that are named like secrets."""
    named = (value for name, value in variables.items() if _SECRET_NAME.search(name))
    found = {value for value in (*named, *more) if len(value) >= _SHORTEST_SECRET}
    return tuple(sorted(found, key=len, reverse=True))


def without(secrets: Iterable[str], text: str) -> str:
    """The text with secrets replaced."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def is_secret_name(name: str) -> bool:
    """Whether a variable of the environment is kept from scripts."""
    return name.startswith(("STRINGX_", "DBT_")) or _SECRET_NAME.search(name) is not None
