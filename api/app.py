"""The Flask application, assembled from its parts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from json import JSONEncoder
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider
from prometheus_client import Counter, Histogram
from werkzeug.middleware.proxy_fix import ProxyFix

from api import problems
from api.access import forbidden
from api.limits import Buckets
from api.openapi import openapi
from api.routes import GROUPS, operation
from api.services import Services, attach
from quality.errors import MalformedDocument
from quality.identity import new_id
from quality.logs import get_logger, unbind_correlation
from quality.settings import LOOPBACK

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = get_logger(__name__)

_OPEN = ("/health/", "/docs/", "/openapi.json")
_DEFAULT_SCOPE = "read"  # of the metrics, and the way to the documentation
_WORKER = "results"
_PROGRAM = "pipelines"  # what programs report as they run has a rate of its own
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{8,128}")
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def create_app(services: Services) -> Flask:
    """The WSGI application over opened services."""
    app = _Application("api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = services.settings.max_body_bytes
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.json = _Json(app)
    if services.settings.proxies:
        hops = {"x_for": services.settings.proxies, "x_proto": 0, "x_host": 0, "x_port": 0}
        app.wsgi_app = ProxyFix(app.wsgi_app, **hops)  # type: ignore[method-assign]
    attach(app, services)
    for group in GROUPS:
        app.register_blueprint(group.blueprint)
    app.register_blueprint(operation.blueprint)
    app.extensions["stringx_openapi"] = openapi(GROUPS)
    problems.register(app)
    _observe(app, services)
    _guard(app, services)
    app.wsgi_app = _with_headers(app.wsgi_app)  # type: ignore[method-assign]
    return app


class _Application(Flask):
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Nothing here is asynchronous: Flask asks that of each function, at each request."""
        return func


class _Json(DefaultJSONProvider):
    """Times as RFC 3339; fields in the order in which they were put."""

    sort_keys = False

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        # The provider below makes an encoder for each document.
        self._encoded = JSONEncoder(default=self.default, separators=(",", ":")).encode

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """An answer with that document."""
        document = self._prepare_response_obj(args, kwargs)
        return Response(self._encoded(document) + "\n", mimetype=self.mimetype)

    @staticmethod
    def default(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat()
        return DefaultJSONProvider.default(value)


def _guard(app: Flask, services: Services) -> None:
    """Who may come in, and do what: the operation's scope has to be among those of the caller."""
    settings = services.settings
    people = Buckets(settings.rate_per_minute, settings.rate_burst)
    programs = Buckets(settings.pipelines_rate_per_minute, settings.pipelines_rate_burst)

    @app.before_request
    def authenticate() -> None:
        access = services.access
        if access.is_open and urlsplit(f"//{request.host}").hostname not in LOOPBACK:
            # A page on the web can make a browser call a loopback address by a name of its own.
            raise MalformedDocument(
                "the Host header must name this machine (127.0.0.1 or localhost)", code="host"
            )
        if request.path.startswith(_OPEN):
            return
        authorization = request.headers.get("Authorization", "")
        g.caller = caller = access.caller(authorization, request.remote_addr or "")
        needed = None
        if request.endpoint is not None:
            needed = getattr(app.view_functions[request.endpoint], "scope", _DEFAULT_SCOPE)
        if not caller.may(_WORKER):  # whose pace is that of its checks
            is_program = needed == _PROGRAM
            buckets = programs if is_program else people
            g.rate = buckets.take(caller.token_id or caller.name)
            if not g.rate.is_granted:
                setting = "PIPELINES_RATE_PER_MINUTE" if is_program else "RATE_PER_MINUTE"
                raise problems.RateLimited(
                    f"more than {buckets.per_minute} requests a minute with one token "
                    f"(STRINGX_{setting})",
                    retry_after_s=g.rate.retry_after_s,
                )
        if needed is not None and not caller.may(needed):
            raise forbidden(needed)


def _observe(app: Flask, services: Services) -> None:
    metrics = services.metrics
    known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    @app.before_request
    def start() -> None:
        unbind_correlation()
        g.started = time.perf_counter()
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else new_id()

    @app.after_request
    def finish(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule is not None else "unmatched"
        method = request.method if request.method in _METHODS else "other"
        about = g._get_current_object()
        seconds = time.perf_counter() - about.get("started", time.perf_counter())
        key = method, route, response.status_code
        if (series := known.get(key)) is None:
            series = known[key] = (
                metrics.requests.labels(method, route, str(response.status_code)),
                metrics.request_seconds.labels(method, route),
            )
        series[0].inc()
        series[1].observe(seconds)
        headers = response.headers
        headers.add("X-Request-Id", about.get("request_id", ""))
        if "rate" in about:
            headers.extend(about.rate.headers)
        headers.setdefault("Cache-Control", "no-store")
        return response


def _with_headers(app: WSGIApplication) -> WSGIApplication:
    """What every answer says, whatever it is about."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        more = _OF_PAGES if environ["PATH_INFO"].startswith("/docs/") else _OF_DATA

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start_response(status, headers + more, *error)

        return app(environ, start)

    return answer


_OF_ALL = [
    ("Server", "StringX"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
_OF_PAGES = [*_OF_ALL, ("Content-Security-Policy", _PAGE_POLICY)]
_OF_DATA = [
    *_OF_ALL,
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
]
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
