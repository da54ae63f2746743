"""The API under fuzz: whatever is sent, with whatever token, no answer is a server's fault.

The number of examples of each operation is STRINGX_FUZZ_EXAMPLES (6 if not set); what the documents
promise about answers is checked with each. `tests/api/test_openapi.py` asks the same of the
operator's token, operation by operation; here are those with less, those with none, and sequences
of calls in which the answer of one is the input of the next.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import hypothesis.strategies as st
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, assume, given, seed, settings
from hypothesis.errors import FlakyStrategyDefinition, Unsatisfiable
from schemathesis import GenerationMode

from api.openapi import openapi
from api.routes import GROUPS
from tests.conftest import LiveApi
from tests.fuzz.conftest import ADMIN

EXAMPLES = int(os.environ.get("STRINGX_FUZZ_EXAMPLES", "6"))
QUICK = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def schema() -> Any:
    found = schemathesis.openapi.from_dict(openapi(GROUPS))
    # A document cannot say which rules fit a table, nor what another call has made meanwhile.
    found.config.checks.positive_data_acceptance.enabled = False
    found.config.checks.negative_data_rejection.enabled = False
    return found


OPERATIONS = [found.ok() for found in schema().get_all_operations()]
operations = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
modes = pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)


def send(operation: Any, mode: GenerationMode, base_url: str, headers: Any) -> None:
    """Send examples of an operation; `headers` is a dictionary or a strategy of such."""
    drawn = headers if isinstance(headers, st.SearchStrategy) else st.just(headers)

    @QUICK
    @given(case=operation.as_strategy(generation_mode=mode), sent=drawn)
    def ask(case: schemathesis.Case, sent: dict[str, str]) -> None:
        prepare(case)
        answer = case.call(base_url=base_url, headers=sent, timeout=60)
        case.validate_response(answer, headers=sent)
        if isinstance(headers, st.SearchStrategy):
            assert answer.status_code == 401, answer.text
            [how] = answer.headers["www-authenticate"]
            assert how.startswith("Bearer")

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # there is no way to ask this wrongly


def prepare(case: schemathesis.Case) -> None:
    """Leave out what a client could not send, and do not wait at the gate."""
    query = dict(case.query or {})
    assume(all(value not in (None, [], {}) for value in query.values()))
    assume(len(urlencode(query)) < 7500)
    if isinstance(query.get("wait"), (int, float)):
        case.query["wait"] = min(query["wait"], 0)


_CREDENTIALS = st.one_of(
    st.just({}),
    st.from_regex(r"[ -~]{0,80}", fullmatch=True).map(lambda text: {"Authorization": text.strip()}),
    st.from_regex(r"sxt_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}", fullmatch=True).map(
        lambda text: {"Authorization": f"Bearer {text}"}
    ),
)


@operations
def test_nobody_comes_in_without_a_token(operation: Any, fuzzed: LiveApi) -> None:
    send(operation, GenerationMode.POSITIVE, fuzzed.url, _CREDENTIALS)


@modes
@operations
def test_every_operation_keeps_its_word_to_a_reader(
    operation: Any, mode: GenerationMode, fuzzed: LiveApi, reader: str
) -> None:
    send(operation, mode, fuzzed.url, {"Authorization": f"Bearer {reader}"})


@operations
def test_every_operation_keeps_its_word_to_a_token_for_some_tables(
    operation: Any, fuzzed: LiveApi, restricted: str
) -> None:
    headers = {"Authorization": f"Bearer {restricted}"}
    send(operation, GenerationMode.POSITIVE, fuzzed.url, headers)


def test_sequences_of_calls_end_in_no_fault(fuzzed: LiveApi) -> None:
    """What one call made is what the next ones are about, by links that follow from the shapes."""
    machine = schema().as_state_machine()
    ended = 0
    faults = []

    class Sequence(machine):  # type: ignore[misc, valid-type]
        def teardown(self) -> None:
            nonlocal ended
            ended += 1
            super().teardown()

        def before_call(self, case: schemathesis.Case) -> None:
            query = case.query or {}
            for name in [name for name, value in query.items() if value in (None, [], {})]:
                del query[name]
            if isinstance(query.get("wait"), (int, float)):
                query["wait"] = 0

        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            headers = {"Authorization": f"Bearer {ADMIN}"}
            return {"base_url": fuzzed.url, "headers": headers, "timeout": 60}

        def validate_response(self, response: Any, case: schemathesis.Case, **more: Any) -> None:
            if response.status_code in (500, 502, 504):
                faults.append((case.as_curl_command(), response.status_code, response.text))

    # The service remembers: a sequence that begins like an earlier one may be answered differently,
    # which hypothesis refuses within a session. What is left is then drawn in a session of its own.
    wanted, session = 4 * EXAMPLES, 0
    while ended < wanted and session < wanted:
        drawn = settings(QUICK, max_examples=wanted - ended, stateful_step_count=12)
        session += 1
        try:
            seed(session)(Sequence).run(settings=drawn)
        except FlakyStrategyDefinition:
            ended -= 1  # the one that was refused
    assert not faults
    assert ended >= wanted


def test_the_log_has_no_secret_and_no_fault(fuzzed: LiveApi) -> None:
    log = fuzzed.log_file.read_text()
    assert ADMIN not in log
    assert not re.search(r"sxt_\w{12}_\w{43}", log)
    assert "request_failed" not in log
    assert "store_failed" not in log


@pytest.fixture(scope="session")
def reader(token: Callable[..., str]) -> str:
    return token("read")


@pytest.fixture(scope="session")
def restricted(token: Callable[..., str]) -> str:
    return token(tables=["shop.*", "demo/nowhere.*"])


def test_the_service_stands_afterwards(fuzzed: LiveApi) -> None:
    assert requests.get(f"{fuzzed.url}/health/ready", timeout=10).ok
    headers = {"Authorization": f"Bearer {ADMIN}"}
    assert requests.get(fuzzed.api("/tables"), headers=headers, timeout=10).ok
