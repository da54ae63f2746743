"""The OpenAPI document is exact: what it says is what the API does."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from api.openapi import openapi
from api.routes import GROUPS
from quality.catalogue import RULE_TYPES
from tests.api.conftest import TOKEN
from tests.conftest import LiveApi

DOCUMENT = openapi(GROUPS)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
# Rules that span fields (a range in order, a known type) are told by 422 and a problem, which JSON
# Schema cannot express.
SCHEMA.config.checks.positive_data_acceptance.enabled = False
SCHEMA.config.checks.negative_data_rejection.expected_statuses.append("413")
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_operation_keeps_its_word(
    operation: Any, mode: GenerationMode, guarded: LiveApi, http: requests.Session
) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=20,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def send(case: schemathesis.Case) -> None:
        # A parameter without a value is not sent, so the server never sees what was wrong with it.
        assume(all(value not in (None, [], {}) for value in dict(case.query or {}).values()))
        # Nor does it read a first line of more than 8 kB.
        assume(len(urlencode(dict(case.query or {}))) < 7500)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        case.call_and_validate(base_url=guarded.url, headers=headers, timeout=60)

    try:
        send()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # there is no way to ask this wrongly


@pytest.fixture(scope="session")
def document(live_api: LiveApi) -> dict[str, Any]:
    return requests.get(f"{live_api.url}/openapi.json", timeout=10).json()


def test_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document == json.loads(json.dumps(DOCUMENT))
    assert document["openapi"] == "3.1.0"
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len(operations) >= 20
    for operation in operations:
        assert operation["summary"]
    for shape in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(shape)


def test_documentation_page_needs_no_other_host(live_api: LiveApi) -> None:
    page = requests.get(f"{live_api.url}/docs/", timeout=10)
    assert page.ok
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert f"/docs/{asset}" in page.text
        assert requests.get(f"{live_api.url}/docs/{asset}", timeout=10).ok
    assert "https://" not in page.text


def test_page_of_rule_types_is_made_from_the_catalogue(live_api: LiveApi) -> None:
    page = requests.get(f"{live_api.url}/docs/rule-types", timeout=10)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    types = requests.get(f"{live_api.url}/api/v1/rule-types", timeout=10).json()["items"]
    assert {entry["name"] for entry in types} == RULE_TYPES.keys()
    for entry in types:
        assert entry["name"] in page.text
        assert entry["nulls"]
        assert entry["empty_table"]
        jsonschema.Draft202012Validator.check_schema(entry["arguments"])
    assert "<script" not in page.text
