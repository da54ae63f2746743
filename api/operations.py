"""Operations: a route, the shapes of what goes in and out, and the OpenAPI document made of them.

An operation is declared once, by the decorator, and both the validation and the documentation
(OpenAPI 3.1, https://spec.openapis.org/oas/v3.1.0) follow from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.json_schema import models_json_schema
from werkzeug.exceptions import LengthRequired, RequestEntityTooLarge, UnsupportedMediaType

from quality import __version__
from quality.documents import read_json, read_yaml, strictly
from quality.errors import InvalidInput, MalformedDocument, invalid_input

_DRAIN_BYTES = 16 * 1024 * 1024
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml")


class Query(BaseModel):
    """Base of query parameters; numbers arrive as text, so they are parsed, not taken strictly."""

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
class Answer:
    """What a view returns: a JSON document, its status and headers."""

    document: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


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
    ) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
        """Declare the decorated view: it gets path parameters, `body` and `query` as arguments.

        The view's docstring is the summary. `problems` are statuses beyond those that follow from
        the shape of the operation itself.
        """
        path = self._prefix + path

        def declare(view: Callable[..., Answer]) -> Callable[..., Answer]:
            def endpoint(**arguments: Any) -> Response:
                if query is not None:
                    arguments["query"] = _read_query(query)
                if body is not None:
                    arguments["body"] = _read_body(body, takes_yaml)
                answer = view(**arguments)
                response = (
                    jsonify(answer.document) if answer.status != 204 else Response(status=204)
                )
                response.status_code = answer.status
                response.headers.update(answer.headers)
                return response

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
                )
            )
            return view

        return declare


def openapi(groups: list[Operations]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of all groups."""
    operations = [operation for group in groups for operation in group.found]
    models = {
        (model, "validation")
        for operation in operations
        for model in (operation.body, operation.query)
        if model is not None
    } | {
        (model, "serialization")
        for operation in operations
        for model in (*operation.answers.values(), Problem)
        if model is not None
    }
    names, schemas = models_json_schema(
        sorted(models, key=lambda item: (item[0].__name__, item[1])),
        ref_template="#/components/schemas/{model}",
    )
    definitions = schemas.get("$defs", {})
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        template = _template(operation.path)
        paths.setdefault(template, {})[operation.method.lower()] = _described(
            operation, names, definitions
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "StringX",
            "version": __version__,
            "description": "A data quality gate for event-driven pipelines.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [{"name": group.tag} for group in groups],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


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
        raw = request.get_data(cache=False)
    except RequestEntityTooLarge:
        _drain()
        raise
    try:
        document = read_json(raw) if kind == "application/json" else read_yaml(raw)
    except MalformedDocument as error:
        raise MalformedDocument(f"the body {error}", code=error.code) from None
    if not isinstance(document, dict):
        raise MalformedDocument("the body is not an object", code="json_not_object")
    try:
        return strictly(model, document)
    except ValidationError as error:
        raise invalid_input(error, "the body") from None


def _drain() -> None:
    """Read on to the end of a body that is too large, within reason.

    A connection that is closed with unread data in it is reset, and the client sees that instead of
    the answer.
    """
    stream, left = request.environ["wsgi.input"], min(request.content_length or 0, _DRAIN_BYTES)
    while left > 0 and (part := stream.read(min(left, 64 * 1024))):
        left -= len(part)


def _problems(
    path: str, body: type[BaseModel] | None, query: type[Query] | None, more: tuple[int, ...]
) -> tuple[int, ...]:
    statuses = {401, 403, 503, *more}
    if body is not None:
        statuses |= {400, 411, 413, 415, 422}
    if query is not None:
        statuses.add(422)
    if "<" in path:
        statuses.add(404)
    return tuple(sorted(statuses))


def _template(path: str) -> str:
    return path.replace("<int:", "{").replace("<", "{").replace(">", "}")


def _described(
    operation: Operation, names: dict[Any, dict[str, str]], definitions: dict[str, Any]
) -> dict[str, Any]:
    parameters = [
        {
            "name": part.removeprefix("int:"),
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
            if part.startswith("int:")
            else {"type": "string", "minLength": 1},
        }
        for part in (piece.split(">")[0] for piece in operation.path.split("<")[1:])
    ]
    if operation.query is not None:
        reference = names[(operation.query, "validation")]["$ref"]
        schema = definitions[reference.rsplit("/", 1)[1]]
        parameters += [
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", []),
                "schema": _without_null(shape),
            }
            for name, shape in schema.get("properties", {}).items()
        ]
    parameters += [
        {
            "name": name,
            "in": "header",
            "required": False,
            "schema": {"type": "string", "pattern": p},
        }
        for name, p in operation.headers.items()
    ]
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": parameters,
        "responses": {
            str(status): _response(model, names) for status, model in operation.answers.items()
        }
        | {str(status): _problem_response(names) for status in operation.problems},
    }
    if operation.body is not None:
        schema = names[(operation.body, "validation")]
        kinds = ["application/json"] + (["application/yaml"] if operation.takes_yaml else [])
        described["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": schema} for kind in kinds},
        }
    return described


def _response(model: type[BaseModel] | None, names: dict[Any, Any]) -> dict[str, Any]:
    if model is None:
        return {"description": "Done."}
    schema = names[(model, "serialization")]
    return {
        "description": " ".join((model.__doc__ or model.__name__).split()),
        "content": {"application/json": {"schema": schema}},
    }


def _problem_response(names: dict[Any, Any]) -> dict[str, Any]:
    return {
        "description": "What is wrong, and how to mend it.",
        "content": {"application/problem+json": {"schema": names[(Problem, "serialization")]}},
    }


def _without_null(shape: dict[str, Any]) -> dict[str, Any]:
    """An optional query parameter is absent, never null."""
    kinds = [kind for kind in shape.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        rest = {key: value for key, value in shape.items() if key not in ("anyOf", "default")}
        return {**rest, **kinds[0]}
    return shape
