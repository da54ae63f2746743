"""For operators: health, metrics, and the documentation of the API."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from flask import Blueprint, Response, current_app, jsonify, redirect, request, send_from_directory
from prometheus_client.exposition import choose_encoder
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as BaseResponse

from api.services import services
from quality import __version__
from quality.catalogue.page import page

_rule_types = cache(page)  # the same for as long as the process lives

blueprint = Blueprint("operation", __name__)

_DIST = str(files("flask_swagger_ui") / "dist")
_ASSETS = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>StringX API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/docs/favicon-32x32.png"><link rel="stylesheet" href="/docs/swagger-ui.css">
</head><body><div id="page"></div>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script>
</body></html>
"""
_START = """SwaggerUIBundle({url: "/openapi.json", dom_id: "#page", deepLinking: true,
  persistAuthorization: false, validatorUrl: null});
"""


@blueprint.get("/")
def index() -> BaseResponse:
    return redirect("/docs/")


@blueprint.get("/health/live")
def live() -> Response:
    return jsonify(status="ok", version=__version__)


@blueprint.get("/health/ready")
def ready() -> tuple[Response, int]:
    """Ready when the database answers; what else is away is named."""
    try:
        with services().database.connect() as db:
            db.execute(text("select 1"))
    except SQLAlchemyError:
        return jsonify(status="down", database="down"), 503
    return jsonify(status="ok", database="ok"), 200


@blueprint.get("/metrics")
def metrics() -> Response:
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(services().metrics.registry), content_type=content_type)


@blueprint.get("/openapi.json")
def openapi_document() -> Response:
    return jsonify(current_app.extensions["stringx_openapi"])


@blueprint.get("/docs/")
def docs() -> Response:
    return Response(_PAGE, content_type="text/html; charset=utf-8")


@blueprint.get("/docs/rule-types")
def docs_rule_types() -> Response:
    return Response(_rule_types(), content_type="text/html; charset=utf-8")


@blueprint.get("/docs/start.js")
def docs_start() -> Response:
    return Response(_START, content_type="text/javascript; charset=utf-8")


@blueprint.get("/docs/<any(" + ", ".join(f'"{name}"' for name in _ASSETS) + "):name>")
def docs_asset(name: str) -> Response:
    return send_from_directory(_DIST, name, max_age=3600)
