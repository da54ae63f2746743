"""The Flask application, assembled from its parts."""

from __future__ import annotations

import hmac
import time
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider

from api import problems
from api.openapi import openapi
from api.routes import GROUPS, operation
from api.services import Services, attach
from quality.errors import MalformedDocument
from quality.logs import get_logger, unbind_correlation
from quality.settings import LOOPBACK

log = get_logger(__name__)

_OPEN = ("/health/", "/docs/", "/openapi.json")
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def create_app(services: Services) -> Flask:
    """The WSGI application over opened services."""
    app = Flask("api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = services.settings.max_body_bytes
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.json = _Json(app)
    attach(app, services)
    for group in GROUPS:
        app.register_blueprint(group.blueprint)
    app.register_blueprint(operation.blueprint)
    app.extensions["stringx_openapi"] = openapi(GROUPS)
    problems.register(app)
    _guard(app, services)
    _observe(app, services)
    return app


class _Json(DefaultJSONProvider):
    """Times as RFC 3339; fields in the order in which they were put."""

    sort_keys = False

    @staticmethod
    def default(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat()
        return DefaultJSONProvider.default(value)


def _guard(app: Flask, services: Services) -> None:
    """Who may come in: the token's holder or, without a token, this machine alone."""
    token = services.settings.api_token
    expected = None if token is None else token.get_secret_value().encode()

    @app.before_request
    def authenticate() -> None:
        if expected is None:
            # A page on the web can make a browser call a loopback address by a name of its own.
            if urlsplit(f"//{request.host}").hostname not in LOOPBACK:
                raise MalformedDocument(
                    "the Host header must name this machine (127.0.0.1 or localhost)", code="host"
                )
            return
        if request.path.startswith(_OPEN):
            return
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), expected):
            raise problems.Unauthenticated("send the API token: Authorization: Bearer …")


def _observe(app: Flask, services: Services) -> None:
    metrics = services.metrics

    @app.before_request
    def start() -> None:
        unbind_correlation()
        g.started = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule is not None else "unmatched"
        method = request.method if request.method in _METHODS else "other"
        seconds = time.perf_counter() - g.get("started", time.perf_counter())
        metrics.requests.labels(method, route, str(response.status_code)).inc()
        metrics.request_seconds.labels(method, route).observe(seconds)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Content-Security-Policy"] = (
            _PAGE_POLICY if request.path.startswith("/docs/") else "default-src 'none'"
        )
        response.headers.setdefault("Cache-Control", "no-store")
        return response


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
