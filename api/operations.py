"""Operations: a route, and the shapes of what goes in and out.

An operation is declared once, by the decorator; the validation follows from it here, and the
documentation in `api.openapi`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import LengthRequired, RequestEntityTooLarge, UnsupportedMediaType

from api import reach
from api.services import services
from api.store.paging import Page
from quality.access import Scope
from quality.documents import read_json, read_yaml, strictly
from quality.errors import InvalidInput, MalformedDocument, invalid_input

_DRAIN_BYTES = 16 * 1024 * 1024
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml")


class Query(BaseModel):
    """Base of query parameters; numbers arrive as text, so they are parsed, not taken strictly."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Limit = Annotated[int, Field(ge=1, le=500)]
Cursor = Annotated[str, Field(min_length=1)]


class PageQuery(Query):
    """What every list takes: how many, and where to go on."""

    limit: Limit = 50
    cursor: Cursor | None = None


class Body(BaseModel):
    """Base of request bodies: no field that is not declared."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProblemItem(BaseModel):
    path: str
    code: str
    message: str


class Problem(BaseModel):
    """RFC 9457, with a stable `code` and, for wrong fields, one entry each in `errors`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[ProblemItem] | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """A document that the view has written as JSON itself, because it is large."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a view returns: a JSON document, its status and headers."""

    document: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def paged(page: Page) -> Answer:
    """The answer of every list: its items, and where it goes on."""
    return Answer({"items": page.items, "next_cursor": page.next_cursor})


@dataclass(frozen=True, slots=True)
class Operation:
    """One documented operation."""

    method: str
    path: str
    name: str
    summary: str
    tag: str
    answers: dict[int, type[BaseModel] | None]
    problems: tuple[int, ...]
    body: type[BaseModel] | None
    query: type[Query] | None
    takes_yaml: bool
    headers: dict[str, str]
    scope: str
    is_about_tables: bool


class Operations:
    """The operations of a group of routes, on one blueprint."""

    def __init__(self, name: str, import_name: str, prefix: str = "/api/v1") -> None:
        self.tag = name
        self.blueprint = Blueprint(name, import_name)
        self.found: list[Operation] = []
        self._prefix = prefix

    def add(
        self,
        method: str,
        path: str,
        *,
        answers: dict[int, type[BaseModel] | None],
        problems: tuple[int, ...] = (),
        body: type[BaseModel] | None = None,
        query: type[Query] | None = None,
        takes_yaml: bool = False,
        headers: dict[str, str] | None = None,
        scope: Scope | Literal["any"] | None = None,
        is_about_tables: bool = True,
        keeps: Callable[[dict[str, Any]], None] = reach.keep,
    ) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
        """Declare the decorated view: it gets path parameters, `body` and `query` as arguments.

        The view's docstring is the summary. `problems` are statuses beyond those that follow from
        the shape of the operation itself. `scope` is what the caller's token has to allow: `read`
        for a GET and `write_rules` for all else, if none is named. A token for certain tables may
        do it for these, which `keeps` sees to (see `api.reach`, `api.pipelines.reach`), and freely
        if it `is_about_tables` not at all.
        """
        path = self._prefix + path
        needed = scope or ("read" if method == "GET" else "write_rules")

        def declare(view: Callable[..., Answer]) -> Callable[..., Answer]:
            def endpoint(**arguments: Any) -> Response:
                if query is not None:
                    arguments["query"] = _read_query(query)
                if body is not None:
                    arguments["body"] = _read_body(body, takes_yaml)
                if is_about_tables:
                    keeps(arguments)
                answer = view(**arguments)
                response = _response(answer)
                response.status_code = answer.status
                if answer.headers:
                    response.headers.update(answer.headers)
                return response

            endpoint.scope = needed  # type: ignore[attr-defined]
            self.blueprint.add_url_rule(path, view.__name__, endpoint, methods=[method])
            self.found.append(
                Operation(
                    method,
                    path,
                    view.__name__,
                    " ".join((view.__doc__ or "").split()),
                    self.tag,
                    answers,
                    _problems(path, body, query, problems),
                    body,
                    query,
                    takes_yaml,
                    headers or {},
                    needed,
                    is_about_tables,
                )
            )
            return view

        return declare


def _response(answer: Answer) -> Response:
    if answer.status == 204:
        return Response(status=204)
    if isinstance(answer.document, Encoded):
        return Response(answer.document.body, mimetype="application/json")
    return jsonify(answer.document)


def _read_query(model: type[Query]) -> Query:
    values: dict[str, str] = {}
    for name, found in request.args.lists():
        if len(found) > 1:
            raise InvalidInput(f"the query parameter {name[:60]} stands {len(found)} times")
        values[name] = found[0]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid_input(error, "the query") from None


def _read_body(model: type[BaseModel], takes_yaml: bool) -> BaseModel:
    if request.content_length is None and "chunked" in request.headers.get("Transfer-Encoding", ""):
        # Werkzeug cuts an unannounced body off at the limit without a word.
        raise LengthRequired("send the body with a Content-Length")
    kind = request.mimetype
    if kind != "application/json" and not (takes_yaml and kind in YAML_TYPES):
        accepted = "application/json" + (" or application/yaml" if takes_yaml else "")
        raise UnsupportedMediaType(f"the body must be {accepted}")
    try:
        raw = services().bodies.read(request.stream)
    except RequestEntityTooLarge:
        _drain()
        limit = request.max_content_length
        raise RequestEntityTooLarge(
            f"the body has more than {limit} bytes (STRINGX_MAX_BODY_BYTES)"
        ) from None
    try:
        document = read_json(raw) if kind == "application/json" else read_yaml(raw)
    except MalformedDocument as error:
        raise MalformedDocument(f"the body {error}", code=error.code) from None
    if not isinstance(document, dict):
        raise MalformedDocument("the body is not an object", code="json_not_object")
    try:
        if kind == "application/json":  # read strictly above: it need not be written again
            return model.model_validate_json(raw, strict=True)
        return strictly(model, document)
    except ValidationError as error:
        raise invalid_input(error, "the body") from None


def _drain() -> None:
    """Read on to the end of a body that is too large, within reason.

    A connection that is closed with unread data in it is reset, and the client sees that instead of
    the answer.
    """
    bodies, stream = services().bodies, request.environ["wsgi.input"]
    left = min(request.content_length or 0, _DRAIN_BYTES)
    while left > 0 and (part := bodies.read(stream, min(left, 64 * 1024))):
        left -= len(part)


def _problems(
    path: str, body: type[BaseModel] | None, query: type[Query] | None, more: tuple[int, ...]
) -> tuple[int, ...]:
    statuses = {401, 403, 429, 503, *more}
    if body is not None:
        statuses |= {400, 411, 413, 415, 422}
    if query is not None:
        statuses.add(422)
    named = {field for model in (query, body) if model for field in model.model_fields}
    if "<" in path or "table" in named:  # which a token for certain tables may not know
        statuses.add(404)
    return tuple(sorted(statuses))
