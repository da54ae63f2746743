"""Messages to a running worker: one result each, and dead letters for what cannot be taken."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from quality.messages import EVENT_TYPE
from tests.conftest import PROJECT, clean_environment, require_program
from tests.kafka.conftest import Lane, eventually, numbers

EVENT = {"specversion": "1.0", "source": "/test", "type": EVENT_TYPE}

MALFORMED: list[tuple[str, bytes | None, list[tuple[str, Any]]]] = [
    ("value_null", None, []),
    ("value_empty", b"", []),
    ("body_empty", b" \n\t ", []),
    ("json_invalid", bytes(range(256)[1:9]) * 500, []),
    ("encoding", b"\xff\xfe" * 500, []),
    ("message_too_large", b'{"table": "' + b"x" * 300_000 + b'"}', []),
    ("json_invalid", b'{"table": ', []),
    ("json_not_object", b"[]", []),
    ("json_not_object", b'"flights"', []),
    ("json_too_deep", b"[" * 100_000, []),
    ("json_duplicate_key", b'{"table": "a.b", "table": "shop.orders"}', []),
    ("json_number", b'{"table": "a.b", "deadline_ms": NaN}', []),
    ("unknown_field", b'{"table": "shop.orders", "schema_version": 99}', []),
    ("unknown_field", b'{"table": "shop.orders", "sql": "drop table x"}', []),
    ("unknown_field", b'{"table": "shop.orders", "callback_url": "http://x"}', []),
    ("missing", b"{}", []),
    ("string_type", b'{"table": 7}', []),
    ("value_error", b'{"table": "a\\u0000b"}', []),
    ("string_pattern_mismatch", b'{"table": "shop.orders", "id": "short"}', []),
    ("header_invalid", b'{"table": "shop.orders"}', [("ce_specversion", b"\xff")]),
    ("header_invalid", b'{"table": "shop.orders"}', [("ce_id", None)]),
    ("event_unsupported", b'{"table": "shop.orders"}', [("ce_specversion", b"9.9")]),
    ("table_not_configured", b'{"table": "nope.nope"}', []),
    ("connection_unknown", b'{"table": "shop.orders", "connection": "nowhere"}', []),
]


def test_a_message_becomes_one_stored_result_and_its_offset_is_committed(shared: Lane) -> None:
    before = shared.committed()
    [check_id] = shared.request()
    shared.once_each([check_id])
    check = shared.api.check(check_id)
    assert check is not None
    assert (check["status"], check["source"], check["attempts"]) == ("fail", "kafka", 1)
    assert {result["rule"]: result["status"] for result in check["results"]} == {
        "id_known": "pass",
        "amount_known": "fail",
    }
    shared.wait_committed(before + 1)


def test_the_same_id_again_has_no_second_result(shared: Lane) -> None:
    before, worker = shared.committed(), shared.workers[0]
    replayed = worker.counted("replayed")
    [check_id] = shared.request()
    shared.once_each([check_id])
    first = shared.api.check(check_id)
    document = {"id": check_id, "table": "shop.orders"}
    document["scope"] = [{"column": "id", "op": ">=", "value": -1}]
    shared.send(*[json.dumps(document).encode()] * 3)
    shared.wait_committed(before + 4)
    assert worker.counted("replayed") == replayed + 3
    assert shared.api.check(check_id) == first


def test_malformed_messages_are_dead_letters_with_their_code_and_good_ones_go_through(
    shared: Lane,
) -> None:
    before = shared.committed()
    good = []
    for number, (_, value, headers) in enumerate(MALFORMED):
        shared.send(value, key=f"bad-{number}", headers=headers)
        good += shared.request()
    shared.once_each(good)
    shared.wait_committed(before + 2 * len(MALFORMED))
    letters = {}
    for letter in shared.dead_letters(len(MALFORMED)):
        letters[(letter.key() or b"").decode()] = letter
    codes = {}
    for number, (_, value, _) in enumerate(MALFORMED):
        letter = letters[f"bad-{number}"]
        headers = dict(letter.headers() or [])
        codes[number] = headers["stringx.error.code"].decode()
        assert letter.value() == value
        assert headers["__connect.errors.topic"].decode() == shared.topic
        assert b"Traceback" not in b"".join(raw or b"" for raw in headers.values())
    assert codes == {number: code for number, (code, _, _) in enumerate(MALFORMED)}
    assert shared.workers[0].ready()


def test_an_id_used_for_another_table_is_a_dead_letter_and_the_first_result_stays(
    shared: Lane,
) -> None:
    letters = shared.workers[0].metric(
        'stringx_consumer_dead_letters_total{code="idempotency_key_reused"}'
    )
    [check_id] = shared.request()
    shared.once_each([check_id])
    first = shared.api.check(check_id)
    shared.send(json.dumps({"id": check_id, "table": "shop.clean"}).encode())
    eventually(
        lambda: (
            shared.workers[0].metric(
                'stringx_consumer_dead_letters_total{code="idempotency_key_reused"}'
            )
            == letters + 1
        )
    )
    assert shared.api.check(check_id) == first


def test_hostile_headers_and_timestamps_do_no_harm(shared: Lane) -> None:
    many = [(f"h{number}", b"\xff\x00") for number in range(5_000)]
    first, second = (f"{shared.topic}-hostile-{n}" for n in (1, 2))
    shared.send(json.dumps({"id": first, "table": "shop.orders"}).encode(), headers=many)
    shared.send(
        json.dumps({"id": second, "table": "shop.orders"}).encode(),
        headers=[("traceparent", b"\xff"), ("x", None)],
        timestamp=1,
    )
    shared.once_each([first, second])


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_cloudevents_are_taken(shared: Lane, mode: str) -> None:
    check_id = f"{shared.topic}-event-{next(numbers)}"
    data = {"table": "shop.clean"}
    if mode == "structured":
        shared.send(
            json.dumps({**EVENT, "id": check_id, "data": data}).encode(),
            headers=[("content-type", b"application/cloudevents+json; charset=UTF-8")],
        )
    else:
        headers = [(f"ce_{name}", value) for name, value in {**EVENT, "id": check_id}.items()]
        shared.send(json.dumps(data).encode(), headers=headers)
    shared.once_each([check_id], "shop.clean")


def test_a_bare_line_of_kcat_is_enough(shared: Lane) -> None:
    kcat = require_program("kcat")
    check_id = f"{shared.topic}-kcat-0001"
    line = json.dumps({"id": check_id, "table": "shop.clean"}) + "\n"
    subprocess.run(
        [kcat, "-b", shared.kafka.servers, "-t", shared.topic, "-P"],
        input=line.encode(),
        check=True,
        timeout=60,
    )
    shared.once_each([check_id], "shop.clean")


def test_a_message_without_an_id_gets_one_of_its_own_each_time(shared: Lane) -> None:
    worker = shared.workers[0]
    before = worker.counted("stored")
    shared.send(b'{"table": "shop.clean"}', b'{"table": "shop.clean"}')
    eventually(lambda: worker.counted("stored") == before + 2)


def test_a_table_whose_rules_are_not_selected_has_no_rules_and_is_no_pass(shared: Lane) -> None:
    [check_id] = shared.request(select={"tags": ["nobody"]})
    [check] = shared.finished([check_id])
    assert (check["status"], check["results"]) == ("no_rules", [])


def test_the_sample_producer_waits_for_the_verdict(shared: Lane) -> None:
    codes = {}
    for arguments in (
        ["shop.clean"],
        ["shop.orders", "--cloudevents", "binary"],
        ["shop.orders", "--cloudevents", "structured", "--scope", "id<3"],
        ["shop.orders", "--select", "tags=nobody"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "consumer.send", *arguments, "--wait"],
            cwd=PROJECT,
            env={**clean_environment(), **shared.environment},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert "Traceback" not in done.stderr
        codes[" ".join(arguments)] = (done.returncode, done.stdout.split("\n")[1].split()[:2])
    assert codes == {
        "shop.clean": (0, ["pass", "shop.clean"]),
        "shop.orders --cloudevents binary": (1, ["fail", "shop.orders"]),
        "shop.orders --cloudevents structured --scope id<3": (0, ["pass", "shop.orders"]),
        "shop.orders --select tags=nobody": (3, ["no_rules", "shop.orders"]),
    }


def test_the_lag_is_what_is_left_to_do(shared: Lane) -> None:
    worker = shared.workers[0]
    shared.once_each(shared.request(5))
    if shared.kafka.name == "embedded":  # its watermarks are wrong: no number is better
        assert "stringx_consumer_lag_messages{" not in worker.get("/metrics").text
        return

    def lags() -> list[float]:
        lines = worker.get("/metrics").text.splitlines()
        series = [line for line in lines if line.startswith("stringx_consumer_lag_messages{")]
        return [float(line.rpartition(" ")[2]) for line in series]

    eventually(lambda: lags() == [0.0] * 4, lambda: str(lags()))
