"""The shapes of dead letters in answers."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field


class PlaceView(BaseModel):
    """Where a record stands in Kafka."""

    topic: str
    partition: int
    offset: int


class DeadLetterSummary(BaseModel):
    """A message that could not be taken, and why."""

    id: str
    state: Literal["open", "redriven"]
    code: str = Field(description="the reason, for machines")
    stage: str = Field(description="decode, validate, claim or store")
    message: str
    kind: str = Field(description="class of the error")
    request_id: str | None
    table: str | None
    origin: PlaceView
    place: PlaceView = Field(description="of the dead letter itself")
    original_at: AwareDatetime | None = Field(description="timestamp of the original")
    attempts: int
    replays: int = Field(description="how often the message was sent again before it failed")
    failed_at: AwareDatetime
    consumer_group: str
    worker: str
    version: str
    payload_bytes: int
    payload_sha256: str
    is_truncated: bool = Field(description="the value was too large to be kept whole")
    is_redrivable: bool
    redriven_at: AwareDatetime | None
    redriven_by: str | None
    created_at: AwareDatetime = Field(description="when the API read it from its topic")


SAME = [name for name in DeadLetterSummary.model_fields if name not in ("table", "origin", "place")]
"""Fields that are stored under their names."""


class DeadLetterPage(BaseModel):
    """Dead letters, the newest failure first."""

    items: list[DeadLetterSummary]
    next_cursor: str | None


class BytesView(BaseModel):
    """Bytes; `text` where they are text in UTF-8, null where they are absent or binary."""

    base64: str | None
    text: str | None


class HeaderView(BytesView):
    name: str


class OriginalView(BaseModel):
    """The message as it came."""

    key: BytesView
    value: BytesView
    headers: list[HeaderView]


class DeadLetterView(DeadLetterSummary):
    """A dead letter with its original."""

    original: OriginalView


class RefusalView(BaseModel):
    id: str
    code: str
    message: str


class Redriven(BaseModel):
    """What was sent again, or would be."""

    redriven: list[str]
    refused: list[RefusalView]
    is_complete: bool = Field(description="no further letters fit; else ask again")
    dry_run: bool


class Purged(BaseModel):
    """How many letters were dropped, or would be."""

    purged: int
    dry_run: bool
