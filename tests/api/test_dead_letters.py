"""Dead letters: taken over from their topic once, shown as they came, sent again once, purged."""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from api.store import dead_letters
from consumer.dead_letters import Reason, dead_letter
from consumer.records import Record
from quality.dead_letters import Place, read_letter
from tests.api.conftest import TOKEN
from tests.api.stores import Store
from tests.conftest import LiveApi

TOPIC = "stringx.check.requests.v1"
NOW = datetime.now(UTC)
numbers = itertools.count(int(time.time() * 1000))
Send = Callable[..., requests.Response]


def record(value: bytes | None = b'{"table": "nope.nope"}', **more: Any) -> Record:
    given = {"timestamp_ms": 1_700_000_000_000, "key": b"nope.nope", "value": value, **more}
    return Record(TOPIC, 1, next(numbers), **given)


def reason(code: str = "table_not_configured") -> Reason:
    number = next(numbers)
    return Reason("claim", code, "is not there", "NotFound", f"request-{number}", "nope.nope")


def written(of: Record, why: Reason, failed_at: datetime = NOW) -> Any:
    return dead_letter(of, why, group="stringx", attempts=2, failed_at=failed_at)


@pytest.fixture(scope="module")
def kafka(guarded: LiveApi) -> str:
    """The broker of the API, with the topics that a worker would make."""
    servers = guarded.environment["STRINGX_KAFKA_BOOTSTRAP_SERVERS"]
    admin = AdminClient({"bootstrap.servers": servers})
    new = [NewTopic(name, num_partitions=2) for name in (TOPIC, f"{TOPIC}.dlq")]
    for future in admin.create_topics(new).values():
        future.exception()  # the topic of the requests is there where another test sent one
    return servers


@pytest.fixture
def send(guarded: LiveApi) -> Iterator[Send]:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        yield lambda method, path, **more: session.request(
            method, guarded.api(path), timeout=30, **more
        )


def bury(servers: str, *letters: Any) -> None:
    producer = Producer({"bootstrap.servers": servers})
    for letter in letters:
        producer.produce(
            f"{TOPIC}.dlq",
            letter.value,
            letter.key,
            headers=letter.headers,
            timestamp=letter.timestamp_ms,
        )
    assert producer.flush(10) == 0


def found(send: Send, request_id: str, count: int = 1) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 30
    while True:
        items = send("GET", "/dead-letters", params={"request_id": request_id}).json()["items"]
        if len(items) >= count:
            return items
        assert time.monotonic() < deadline, "no dead letter was taken over"
        time.sleep(0.1)


def sent_again(servers: str, request_id: str) -> list[Any]:
    """Messages of the request topic that carry that id, after a moment for more to come."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "test"})
    consumer.assign([TopicPartition(TOPIC, number, OFFSET_BEGINNING) for number in range(2)])
    seen = []
    quiet_at = time.monotonic() + 5
    while time.monotonic() < quiet_at:
        message = consumer.poll(0.2)
        if message is None or message.error():
            continue
        if ("stringx.request-id", request_id.encode()) in (message.headers() or []):
            seen.append(message)
            quiet_at = time.monotonic() + 1
    consumer.close()
    return seen


def test_a_letter_is_shown_as_it_came_and_one_written_twice_once(kafka: str, send: Send) -> None:
    why = reason("encoding")
    headers = (("x-trace", b"abc"), ("x-binary", b"\xff\x00"), ("x-null", None))
    of = record(b"\xff\xfe", headers=headers)
    bury(kafka, written(of, why), written(of, why))
    second = reason()
    bury(kafka, written(record(), second))
    found(send, str(second.request_id))  # whatever came before it was read too
    [summary] = found(send, str(why.request_id))
    assert summary["origin"] == {"topic": TOPIC, "partition": 1, "offset": of.offset}
    assert (summary["code"], summary["stage"]) == ("encoding", "claim")
    assert summary["table"] == "nope.nope"
    assert (summary["attempts"], summary["replays"], summary["is_redrivable"]) == (2, 0, False)
    assert "original" not in summary
    whole = send("GET", f"/dead-letters/{summary['id']}").json()
    original = whole["original"]
    assert base64.b64decode(original["value"]["base64"]) == b"\xff\xfe"
    assert original["value"]["text"] is None
    assert original["key"]["text"] == "nope.nope"
    shown = {header["name"]: (header["base64"], header["text"]) for header in original["headers"]}
    assert shown == {
        "x-trace": (base64.b64encode(b"abc").decode(), "abc"),
        "x-binary": (base64.b64encode(b"\xff\x00").decode(), None),
        "x-null": (None, None),
    }
    refused = send("POST", f"/dead-letters/{summary['id']}/redrive")
    assert (refused.status_code, refused.json()["code"]) == (409, "payload_unreadable")


def test_a_redrive_sends_the_original_once_under_its_id(kafka: str, send: Send) -> None:
    why = reason()
    bury(kafka, written(record(headers=(("x-trace", b"abc"),)), why))
    [letter] = found(send, str(why.request_id))
    answers = [send("POST", f"/dead-letters/{letter['id']}/redrive") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 200, 200]
    assert {answer.json()["state"] for answer in answers} == {"redriven"}
    [message] = sent_again(kafka, str(why.request_id))
    assert (message.key(), message.value()) == (b"nope.nope", b'{"table": "nope.nope"}')
    assert dict(message.headers()) == {
        "x-trace": b"abc",
        "stringx.request-id": str(why.request_id).encode(),
        "stringx.replay-count": b"1",
    }
    trail = send("GET", "/audit", params={"action": "dead_letter.redriven"}).json()["items"]
    assert [event["detail"]["request_id"] for event in trail].count(why.request_id) == 1


def test_what_was_sent_three_times_is_not_sent_again(kafka: str, send: Send) -> None:
    why = reason()
    bury(kafka, written(record(headers=(("stringx.replay-count", b"3"),)), why))
    [letter] = found(send, str(why.request_id))
    refused = send("POST", f"/dead-letters/{letter['id']}/redrive")
    assert (refused.status_code, refused.json()["code"]) == (409, "replay_limit")
    assert sent_again(kafka, str(why.request_id)) == []


def test_many_are_redriven_by_filter_and_the_rest_is_named(kafka: str, send: Send) -> None:
    code = f"code_{next(numbers)}"
    good, often = [reason(code) for _ in range(3)], reason(code)
    bury(kafka, *(written(record(), why) for why in good))
    bury(kafka, written(record(headers=(("stringx.replay-count", b"7"),)), often))
    for why in (*good, often):
        found(send, str(why.request_id))
    body = {"code": code, "dry_run": True}
    tried = send("POST", "/dead-letters/redrive", json=body).json()
    assert (len(tried["redriven"]), len(tried["refused"])) == (3, 1)
    done = send("POST", "/dead-letters/redrive", json={"code": code, "limit": 2}).json()
    assert (len(done["redriven"]), done["is_complete"]) == (2, False)
    done = send("POST", "/dead-letters/redrive", json={"code": code}).json()
    assert (len(done["redriven"]), done["is_complete"]) == (1, True)
    assert [one["code"] for one in done["refused"]] == ["replay_limit"]
    assert send("POST", "/dead-letters/redrive", json={"code": code}).json()["redriven"] == []


def test_letters_are_listed_by_page_and_filter(kafka: str, send: Send) -> None:
    code = f"code_{next(numbers)}"
    moments = [NOW - timedelta(hours=hours) for hours in range(5)]
    whys = [reason(code) for _ in moments]
    bury(kafka, *(written(record(), why, at) for why, at in zip(whys, moments, strict=True)))
    for why in whys:
        found(send, str(why.request_id))
    seen, cursor = [], None
    while True:
        asked = {"code": code, "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = send("GET", "/dead-letters", params=asked).json()
        seen += [item["request_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [why.request_id for why in whys]
    since = (NOW - timedelta(hours=1, minutes=30)).isoformat()
    asked = {"code": code, "since": since, "table": "nope.nope", "state": "open"}
    assert len(send("GET", "/dead-letters", params=asked).json()["items"]) == 2
    assert send("GET", "/dead-letters", params={"state": "lost"}).status_code == 422


@pytest.mark.parametrize("since", [5, 5.5, True, {}, {"a": 1}, [], "5", "2026-01-31"])
def test_what_is_no_time_is_named(send: Send, since: Any) -> None:
    answer = send("POST", "/dead-letters/redrive", json={"since": since, "dry_run": True})
    assert answer.status_code == 422, answer.text
    assert [error["path"] for error in answer.json()["errors"]] == ["since"]


@pytest.mark.parametrize("letter_id", ["x", "d-" + "0" * 40, "%00", "redrive"])
def test_an_unknown_letter_is_not_found(send: Send, letter_id: str) -> None:
    answer = send("GET", f"/dead-letters/{letter_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "dead_letter_unknown")


def test_they_are_counted_for_prometheus(kafka: str, send: Send, guarded: LiveApi) -> None:
    bury(kafka, written(record(), why := reason()))
    found(send, str(why.request_id))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    text = requests.get(f"{guarded.url}/metrics", headers=headers, timeout=10).text
    [line] = [
        line for line in text.splitlines() if line.startswith('stringx_dead_letters{state="o')
    ]
    assert float(line.rpartition(" ")[2]) >= 1


def letters(store: Store, *ages_days: int) -> None:
    made = [written(record(), reason(), NOW - timedelta(days=days)) for days in ages_days]
    with store.database.begin() as db:
        dead_letters.take_over(
            db,
            [
                read_letter(Place("dlq", 0, next(numbers)), 0, one.key, one.value, one.headers)
                for one in made
            ],
        )


def test_old_ones_are_dropped_by_age_batch_by_batch(store: Store) -> None:
    letters(store, 1, 20, 40, 50, 60)
    with store.database.begin() as db:
        assert dead_letters.forget(db, older_than_days=30, limit=2) == 2
        assert dead_letters.forget(db, older_than_days=30, limit=2) == 1
        assert dead_letters.counts(db) == {"open": 2, "redriven": 0}
        before = NOW - timedelta(days=10)
        assert dead_letters.count_before(db, before, "redriven") == 0
        assert dead_letters.count_before(db, before, None) == 1
        assert dead_letters.purge(db, before, None) == 1
        assert dead_letters.counts(db) == {"open": 1, "redriven": 0}


def test_a_purge_counts_first_and_needs_an_age(kafka: str, send: Send) -> None:
    why = reason()
    bury(kafka, written(record(), why, NOW - timedelta(days=3000)))
    found(send, str(why.request_id))
    body = {"older_than_days": 2900}
    assert send("POST", "/dead-letters/purge", json={**body, "dry_run": True}).json() == {
        "purged": 1,
        "dry_run": True,
    }
    assert send("POST", "/dead-letters/purge", json=body).json()["purged"] == 1
    assert send("POST", "/dead-letters/purge", json=body).json()["purged"] == 0
    assert send("POST", "/dead-letters/purge", json={}).status_code == 422


def test_a_record_of_somebody_else_is_a_letter_too() -> None:
    place = Place("dlq", 2, 7)
    strange = [
        ("stringx.failed-at", b"yesterday"),
        ("__connect.errors.offset", b"many"),
        ("a", None),
    ]
    letter = read_letter(place, -5, None, json.dumps({"a": 1}).encode(), strange)
    assert (letter.origin, letter.code, letter.replays) == (place, "unknown", 0)
    assert letter.headers == (("a", None),)
    assert letter.request_id is None
    assert letter.is_redrivable
