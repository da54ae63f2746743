"""Checks and their results, for people and pipelines."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from flask import request
from pydantic import AwareDatetime, BeforeValidator, Field

from api import views
from api.access import author
from api.operations import Answer, Operations, PageQuery, paged
from api.services import services
from api.store import results, samples
from api.store.checks import Request
from quality.catalogue import Dimension
from quality.checks import CheckRequest, CheckState, CheckStatus, RuleStatus
from quality.errors import Fault, InvalidInput, MalformedDocument, NotFound
from quality.identity import new_id
from quality.names import ConnectionName, RuleName, TableText
from quality.rules import Kind

operations = Operations("checks", __name__)
add = operations.add

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{8,128}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")
IDEMPOTENCY_KEY = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
"""On an answer to a request that was there before: it is what was stored, and nothing was run."""


def _date_first(value: object) -> object:
    """Refuse a bare number, which would be taken for seconds since 1970, and what is no text."""
    if not isinstance(value, str) or not _DATE.match(value):
        raise ValueError("must be a time with its zone, such as 2026-01-31T12:00:00Z")
    return value


Moment = Annotated[
    AwareDatetime, BeforeValidator(_date_first), Field(description="RFC 3339, with time zone")
]


class CheckBody(CheckRequest):
    """A check request; `sync` answers with the verdict, `async` at once with where it will be."""

    mode: Literal["sync", "async"] = "sync"


class CheckQuery(PageQuery):
    table: TableText | None = None
    connection: ConnectionName | None = None
    state: CheckState | None = None
    status: CheckStatus | None = None
    source: Literal["http", "kafka", "schedule"] | None = None
    since: Moment | None = None
    until: Moment | None = None


class ResultQuery(PageQuery):
    table: TableText | None = None
    connection: ConnectionName | None = None
    check_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,128}$")] | None = None
    rule: RuleName | None = None
    status: RuleStatus | None = None
    dimension: Dimension | None = None
    kind: Kind | None = None
    shadow: bool | None = Field(default=None, description="only shadow rules, or none of them")
    since: Moment | None = None
    until: Moment | None = None


@add(
    "POST",
    "/checks",
    body=CheckBody,
    answers={200: views.CheckView, 202: views.CheckView},
    problems=(404, 409),
    headers={IDEMPOTENCY_KEY: r"^[A-Za-z0-9._:-]{8,128}$"},
    scope="trigger",
)
def create_check(body: CheckBody) -> Answer:
    """Check a table: now (sync), or by Kafka (async). The same id again gives the stored answer.

    202 where there is no verdict yet. One with `is_partial` is that of the deadline; the whole is
    at the same place later.
    """
    asked = CheckRequest.model_validate(
        body.model_dump(exclude={"mode"}, exclude_unset=True, mode="python")
    )
    if asked.requested_by is None and (holder := author()) is not None:
        asked = asked.model_copy(update={"requested_by": holder})
    wanted = Request(_check_id(asked), asked, _traceparent())
    checking = services().checking
    found = checking.perform(wanted) if body.mode == "sync" else checking.trigger(wanted)
    headers = {"Location": f"/api/v1/checks/{wanted.id}"}
    if found.is_replayed:
        headers[REPLAYED] = "true"
    return Answer(found.check, 200 if found.check["status"] is not None else 202, headers)


@add("GET", "/checks/<check_id>", answers={200: views.CheckView})
def get_check(check_id: str) -> Answer:
    """Read a check: where it stands and, once finished, its verdict and results."""
    return Answer(services().checking.show(_known_id(check_id)))


@add("GET", "/checks/<check_id>/samples", answers={200: views.SampleList})
def list_samples(check_id: str) -> Answer:
    """The samples of failing rows that the rules of a check kept, while they are kept."""
    with services().database.connect() as db:
        return Answer({"items": samples.of_check(db, _known_id(check_id))})


@add("GET", "/checks", query=CheckQuery, answers={200: views.CheckPage})
def list_checks(query: CheckQuery) -> Answer:
    """List checks, newest first."""
    with services().database.connect() as db:
        page = results.checks_page(db, **_page_arguments(query))
    return paged(page)


@add("GET", "/results", query=ResultQuery, answers={200: views.HistoryPage})
def list_results(query: ResultQuery) -> Answer:
    """The history of rule results, newest first."""
    with services().database.connect() as db:
        page = results.results_page(db, **_page_arguments(query))
    return paged(page)


def _known_id(check_id: str) -> str:
    """The id, or NotFound where no check could have it."""
    if not _REQUEST_ID.fullmatch(check_id):
        raise NotFound("there is no check of that id", code="check_unknown")
    return check_id


def _check_id(asked: CheckRequest) -> str:
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None:
        return asked.id or new_id()
    if not _REQUEST_ID.fullmatch(key):
        raise MalformedDocument(
            f"{IDEMPOTENCY_KEY} must be 8 to 128 characters of A-Z a-z 0-9 . _ : -",
            code="idempotency_key",
        )
    if asked.id is not None and asked.id != key:
        raise InvalidInput(
            f"the body's id and {IDEMPOTENCY_KEY} differ; send one of them",
            faults=[Fault("id", "idempotency_key", f"differs from {IDEMPOTENCY_KEY}")],
        )
    return key


def _traceparent() -> str | None:
    value = request.headers.get("traceparent", "")
    return value if _TRACEPARENT.fullmatch(value) else None


def _page_arguments(query: CheckQuery | ResultQuery) -> dict[str, Any]:
    paging = {"limit", "cursor", "since", "until"}
    return {
        **{name: getattr(query, name) for name in paging},
        "filters": query.model_dump(exclude=paging),
    }
