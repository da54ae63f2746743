"""Errors as problem documents (RFC 9457), the same for every route and without internals."""

from __future__ import annotations

from math import ceil
from typing import Any

from flask import Flask, Response, jsonify, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from quality.errors import (
    Conflict,
    EngineError,
    Fault,
    InvalidInput,
    MalformedDocument,
    NotFound,
    StringXError,
    Unavailable,
)
from quality.logs import get_logger

log = get_logger(__name__)

_HTTP_CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    411: "length_required",
    413: "body_too_large",
    415: "content_type",
    429: "rate_limited",
}


class Unauthenticated(StringXError):
    """No token, or not the right one: one text for all cases, so that nothing can be guessed."""

    code = "unauthenticated"


class Forbidden(StringXError):
    """Something that the operator has not allowed."""

    code = "forbidden"


class RateLimited(Unavailable):
    """More requests than the caller may make in a time."""

    code = "rate_limited"


_STATUS: dict[type[StringXError], int] = {
    MalformedDocument: 400,
    InvalidInput: 422,
    NotFound: 404,
    Conflict: 409,
    RateLimited: 429,
    Unavailable: 503,
    EngineError: 503,
    Forbidden: 403,
}


def problem(
    status: int, code: str, detail: str, faults: list[Fault] | None = None, **headers: str
) -> Response:
    """A response with content type application/problem+json."""
    document: dict[str, Any] = {
        "type": f"urn:stringx:problem:{code}",
        "title": code.replace("_", " "),
        "status": status,
        "detail": detail,
        "code": code,
    }
    if faults:
        document["errors"] = [
            {"path": fault.path, "code": fault.code, "message": fault.message} for fault in faults
        ]
    response = jsonify(document)
    response.status_code = status
    response.content_type = "application/problem+json"
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return response


def register(app: Flask) -> None:
    """Turn every error of a request into a problem."""

    @app.errorhandler(Unauthenticated)
    def unauthenticated(error: Unauthenticated) -> Response:
        return problem(401, error.code, str(error), WWW_Authenticate='Bearer realm="stringx"')

    @app.errorhandler(StringXError)
    def known(error: StringXError) -> Response:
        status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
        if isinstance(error, Unavailable):
            seconds = str(max(1, ceil(error.retry_after_s)))
            return problem(status, error.code, str(error), Retry_After=seconds)
        faults = error.faults if isinstance(error, InvalidInput) else None
        return problem(status, error.code, str(error), faults)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        status = error.code or 500
        code = _HTTP_CODES.get(status, "internal" if status >= 500 else f"http_{status}")
        response = problem(status, code, error.description or error.name)
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After", "Location"):
                response.headers[name] = value
        return response

    @app.errorhandler(PoolTimeout)
    def pool_exhausted(error: PoolTimeout) -> Response:
        log.warning("store_unavailable", reason="no free connection")
        return _store_unavailable()

    @app.errorhandler(DBAPIError)
    def database(error: DBAPIError) -> Response:
        sqlstate = getattr(error.orig, "sqlstate", None)
        # 08: connection; 53: resources; 57P: server going down; 55P03, 40: lock and retry;
        # without a state the connection itself broke.
        if error.connection_invalidated or sqlstate is None or sqlstate[:2] in ("08", "53", "40"):
            transient = True
        else:
            transient = sqlstate.startswith("57P") or sqlstate in ("55P03", "57014")
        log.error("store_failed", sqlstate=sqlstate, error=type(error.orig).__name__)
        if transient:
            return _store_unavailable()
        return problem(500, "internal", "an internal error; the service's log has the details")

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.exception("request_failed", path=request.path, error_type=type(error).__name__)
        return problem(500, "internal", "an internal error; the service's log has the details")


def _store_unavailable() -> Response:
    return problem(
        503, "store_unavailable", "StringX's database does not answer; try again", Retry_After="5"
    )
