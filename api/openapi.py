"""The OpenAPI document of the operations (OpenAPI 3.1, https://spec.openapis.org/oas/v3.1.0)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.operations import Operation, Operations, Problem
from quality import __version__
from quality.access import SCOPES


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
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the API. Each operation names the scope that it "
                    f"needs: {', '.join(SCOPES)}; any token will do for `any`.",
                }
            },
        },
    }


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
        "security": [{"bearer": [operation.scope]}],
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
