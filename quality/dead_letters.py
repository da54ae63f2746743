"""Dead letters as they are read back: the original, why it was not taken, and where it came from.

Their headers begin with those of Kafka Connect (KIP-298). A record of somebody else's on the same
topic is a dead letter too, of which less is known.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

REPLAY_LIMIT = 3
"""How often a message is sent again: what failed so often will fail the next time."""
REQUEST_ID_HEADER = "stringx.request-id"
REPLAY_COUNT_HEADER = "stringx.replay-count"
OUR_HEADERS = ("__connect.errors.", "stringx.")
"""How the names of headers begin that dead-lettering added."""

_CONNECT = "__connect.errors."
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{8,128}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_MS = 253_402_300_799_000  # the year 9999, behind which Python has no dates
_TEXT = 1024

Header = tuple[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. `key`, `value` and `headers` are the original's, as they came."""

    id: str
    origin: Place
    place: Place
    original_at: datetime | None
    stage: str
    code: str
    message: str
    kind: str
    request_id: str | None
    table: str | None
    attempts: int
    replays: int
    failed_at: datetime
    group: str
    worker: str
    version: str
    payload_bytes: int
    payload_sha256: str
    is_truncated: bool
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]

    @property
    def is_redrivable(self) -> bool:
        """Whether sending it again can help: it is whole, it is text, and it was not yet sent too
        often."""
        readable = bool(text_of(self.value)) and not self.is_truncated
        return readable and self.replays < REPLAY_LIMIT


def read_letter(
    place: Place,
    timestamp_ms: int | None,
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[Header],
) -> Letter:
    """The dead letter in one record of the dead-letter topic; never refuses one.

    Its id follows from the origin and the content, so that a letter which was written twice, as
    happens when its writer died before it could commit, has the same id both times.
    """
    headers = tuple(headers)
    said = {name: raw for name, raw in headers if name.startswith(OUR_HEADERS)}
    topic = _text(said, f"{_CONNECT}topic") or place.topic
    origin = Place(
        topic,
        _number(said, f"{_CONNECT}partition", place.partition),
        _number(said, f"{_CONNECT}offset", place.offset),
    )
    sha256 = _text(said, "stringx.payload-sha256") or hashlib.sha256(value or b"").hexdigest()
    original_ms = _number(said, "stringx.original-timestamp", -1)
    request_id = _text(said, REQUEST_ID_HEADER)
    identity = f"{origin.topic}|{origin.partition}|{origin.offset}|{original_ms}|{sha256}"
    return Letter(
        id=f"d-{hashlib.sha256(identity.encode()).hexdigest()[:40]}",
        origin=origin,
        place=place,
        original_at=_moment(original_ms),
        stage=_text(said, f"{_CONNECT}stage") or "unknown",
        code=_text(said, "stringx.error.code") or "unknown",
        message=_text(said, f"{_CONNECT}exception.message") or "",
        kind=_text(said, f"{_CONNECT}exception.class.name") or "unknown",
        request_id=request_id if request_id and _REQUEST_ID.fullmatch(request_id) else None,
        table=_text(said, "stringx.table"),
        attempts=_number(said, "stringx.attempts", 1),
        replays=replays(headers),
        failed_at=_failed_at(said, timestamp_ms),
        group=_text(said, "stringx.consumer-group") or "",
        worker=_text(said, "stringx.consumer-host") or "",
        version=_text(said, "stringx.app-version") or "",
        payload_bytes=_number(said, "stringx.payload-bytes", len(value or b"")),
        payload_sha256=sha256,
        is_truncated=_text(said, "stringx.payload-truncated") == "true",
        key=key,
        value=value,
        headers=tuple(header for header in headers if not header[0].startswith(OUR_HEADERS)),
    )


def replays(headers: Iterable[Header]) -> int:
    """How often the message with these headers was sent again."""
    for name, raw in headers:
        if name == REPLAY_COUNT_HEADER and raw is not None and raw.isdigit():
            return int(raw[:6])
    return 0


def given_request_id(headers: Iterable[Header]) -> str | None:
    """The id under which a message was asked for before, where it is sent again."""
    for name, raw in headers:
        if name == REQUEST_ID_HEADER and raw is not None:
            text = raw.decode("ascii", "replace")
            return text if _REQUEST_ID.fullmatch(text) else None
    return None


def text_of(raw: bytes | None) -> str | None:
    """The text that bytes are, where they are one that can be stored and sent again."""
    if raw is None or b"\x00" in raw:
        return None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _text(said: dict[str, bytes | None], name: str) -> str | None:
    raw = said.get(name)
    if raw is None:
        return None
    return raw.decode("utf-8", "replace").replace("\x00", "\ufffd")[:_TEXT] or None


def _number(said: dict[str, bytes | None], name: str, otherwise: int) -> int:
    raw = said.get(name)
    return int(raw) if raw is not None and raw.isdigit() and len(raw) <= 18 else otherwise


def _moment(milliseconds: int) -> datetime | None:
    if not 0 <= milliseconds <= _LONGEST_MS:
        return None
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _failed_at(said: dict[str, bytes | None], timestamp_ms: int | None) -> datetime:
    text = _text(said, "stringx.failed-at")
    if text is not None:
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    written = _moment(-1 if timestamp_ms is None else timestamp_ms)
    return written if written is not None else datetime.now(UTC)
