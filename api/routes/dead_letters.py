"""Dead letters: messages that could not be taken, to be looked at, sent again and dropped."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from api import access, audit, dead_letter_views
from api.operations import Answer, Body, Operations, PageQuery
from api.routes.checks import Moment
from api.services import services
from api.store import dead_letters
from quality.dead_letters import text_of
from quality.errors import NotFound
from quality.names import RequestId, TableText

operations = Operations("dead letters", __name__)
add = operations.add

_ID = re.compile(r"d-[0-9a-f]{40}")

Code = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]
State = Literal["open", "redriven"]


class DeadLetterQuery(PageQuery):
    code: Code | None = None
    table: TableText | None = None
    state: State | None = None
    request_id: RequestId | None = None
    since: Moment | None = None
    until: Moment | None = None


class RedriveBody(Body):
    """Which open letters are sent again: all that fit, the oldest first."""

    code: Code | None = None
    table: TableText | None = None
    since: Moment | None = None
    until: Moment | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    dry_run: bool = False


class PurgeBody(Body):
    """Which letters are dropped: those that failed so long ago."""

    older_than_days: Annotated[int, Field(ge=0, le=3650)]
    state: State | None = None
    dry_run: bool = False


@add(
    "GET",
    "/dead-letters",
    query=DeadLetterQuery,
    answers={200: dead_letter_views.DeadLetterPage},
)
def list_dead_letters(query: DeadLetterQuery) -> Answer:
    """List dead letters, the newest failure first; `since` and `until` are about the failure."""
    filters = query.model_dump(include={"code", "table", "state", "request_id"})
    with services().database.connect() as db:
        page = dead_letters.page(
            db,
            filters=filters,
            since=query.since,
            until=query.until,
            limit=query.limit,
            cursor=query.cursor,
        )
    items = [_summary(row) for row in page.items]
    return Answer({"items": items, "next_cursor": page.next_cursor})


@add(
    "GET",
    "/dead-letters/<letter_id>",
    answers={200: dead_letter_views.DeadLetterView},
)
def get_dead_letter(letter_id: str) -> Answer:
    """Read a dead letter with its original: as base64, and as text where it is text."""
    with services().database.connect() as db:
        return Answer(_whole(dead_letters.get(db, _known_id(letter_id))))


@add(
    "POST",
    "/dead-letters/<letter_id>/redrive",
    answers={200: dead_letter_views.DeadLetterView, 202: dead_letter_views.DeadLetterView},
    problems=(409,),
    scope="trigger",
)
def redrive_dead_letter(letter_id: str) -> Answer:
    """Send a dead letter's original again, under its id: 202; one that was sent before stays: 200.

    It is refused when it was sent again three times already, and where it cannot be sent as it was.
    """
    row, is_sent = services().redrives.one(_known_id(letter_id), access.actor())
    return Answer(_whole(row), 202 if is_sent else 200)


@add(
    "POST",
    "/dead-letters/redrive",
    body=RedriveBody,
    answers={200: dead_letter_views.Redriven},
    scope="trigger",
)
def redrive_dead_letters(body: RedriveBody) -> Answer:
    """Send the originals of open dead letters again, each under its id; `dry_run` tells which."""
    sent, refused = services().redrives.many(
        {"code": body.code, "table": body.table},
        body.since,
        body.until,
        limit=body.limit,
        dry_run=body.dry_run,
        actor=access.actor(),
    )
    return Answer(
        {
            "redriven": [row["id"] for row in sent],
            "refused": [
                {"id": row["id"], "code": refusal.code, "message": str(refusal)}
                for row, refusal in refused
            ],
            "is_complete": len(sent) + len(refused) < body.limit,
            "dry_run": body.dry_run,
        }
    )


@add(
    "POST",
    "/dead-letters/purge",
    body=PurgeBody,
    answers={200: dead_letter_views.Purged},
    scope="admin",
)
def purge_dead_letters(body: PurgeBody) -> Answer:
    """Drop dead letters by age; `dry_run` only counts them. The topic keeps its records."""
    before = datetime.now(UTC) - timedelta(days=body.older_than_days)
    with services().database.begin() as db:
        if body.dry_run:
            purged = dead_letters.count_before(db, before, body.state)
        else:
            purged = dead_letters.purge(db, before, body.state)
            detail = {"count": purged, "before": before.isoformat(), "state": body.state}
            audit.record(db, "dead_letters.purged", "dead letters", detail)
    return Answer({"purged": purged, "dry_run": body.dry_run})


def _known_id(letter_id: str) -> str:
    """The id, or NotFound where no letter could have it."""
    if not _ID.fullmatch(letter_id):
        raise NotFound("there is no dead letter of that id", code="dead_letter_unknown")
    return letter_id


def _summary(row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: row[name] for name in dead_letter_views.SAME}
    return {
        **shown,
        "table": row["table_name"],
        "origin": _place(row, "origin"),
        "place": _place(row, "letter"),
    }


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    headers = [
        {"name": name, **_bytes(None if raw is None else b64decode(raw))}
        for name, raw in row["headers"]
    ]
    return {
        **_summary(row),
        "original": {
            "key": _bytes(row["key"]),
            "value": _bytes(row["value"]),
            "headers": headers,
        },
    }


def _place(row: dict[str, Any], which: str) -> dict[str, Any]:
    return {name: row[f"{which}_{name}"] for name in ("topic", "partition", "offset")}


def _bytes(raw: bytes | None) -> dict[str, str | None]:
    return {
        "base64": None if raw is None else b64encode(raw).decode(),
        "text": text_of(raw),
    }
