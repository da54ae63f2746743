"""Dead letters: what is kept of a message that cannot be taken."""

import hashlib
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumer.dead_letters import (
    LIMIT_BYTES,
    DeadLetter,
    DeadLetterWriter,
    Reason,
    dead_letter,
)
from consumer.records import Record
from quality.errors import Fault, InvalidInput

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REASON = Reason("decode", "json_invalid", "is not JSON", "MalformedDocument")


def record(value: bytes | None = b"{", **more: Any) -> Record:
    return Record(
        **{
            "topic": "t",
            "partition": 3,
            "offset": 99,
            "timestamp_ms": 1_700_000_000_000,
            "key": b"shop.orders",
            "value": value,
            **more,
        }
    )


def letter(of: Record, reason: Reason = REASON, **more: Any) -> DeadLetter:
    return dead_letter(of, reason, **{"group": "g", "attempts": 2, "failed_at": NOW, **more})


def header(of: DeadLetter, name: str) -> str | None:
    found = [raw for key, raw in of.headers if key == name]
    assert len(found) <= 1, name
    return found[0].decode() if found and found[0] is not None else None


def size(of: DeadLetter) -> int:
    headers = sum(len(key) + len(raw or b"") for key, raw in of.headers)
    return len(of.key or b"") + len(of.value or b"") + headers


def test_keeps_key_value_and_time_and_names_place_and_reason() -> None:
    made = letter(record())
    assert (made.key, made.value, made.timestamp_ms) == (b"shop.orders", b"{", 1_700_000_000_000)
    expected = {
        "__connect.errors.topic": "t",
        "__connect.errors.partition": "3",
        "__connect.errors.offset": "99",
        "__connect.errors.stage": "decode",
        "__connect.errors.exception.class.name": "MalformedDocument",
        "__connect.errors.exception.message": "is not JSON",
        "stringx.dlq.version": "1",
        "stringx.error.code": "json_invalid",
        "stringx.attempts": "2",
        "stringx.consumer-group": "g",
        "stringx.original-timestamp": "1700000000000",
        "stringx.failed-at": "2026-01-02T03:04:05+00:00",
        "stringx.payload-sha256": hashlib.sha256(b"{").hexdigest(),
        "stringx.payload-truncated": "false",
        "stringx.replay-count": "0",
    }
    assert {name: header(made, name) for name in expected} == expected


@pytest.mark.parametrize("value", [None, b"", b"\x00\xff"])
def test_a_value_is_kept_as_it_is(value: bytes | None) -> None:
    assert letter(record(value)).value == value


def test_passwords_do_not_get_into_the_reason() -> None:
    reason = Reason("claim", "x", "no such thing: postgresql://me:hunter22@db/x", "NotFound")
    assert "hunter22" not in str(letter(record(), reason).headers)


def test_a_long_reason_is_cut_between_characters() -> None:
    made = letter(record(), Reason("decode", "x", "é" * 5000, "E"))
    message = header(made, "__connect.errors.exception.message")
    assert message is not None
    assert set(message) == {"é"}
    assert len(message.encode()) <= 1024


def test_a_value_near_the_limit_is_cut_so_that_the_letter_fits() -> None:
    value = bytes(range(256)) * 3906
    made = letter(record(value))
    assert size(made) < LIMIT_BYTES
    assert made.value == value[:65_536]
    assert header(made, "stringx.payload-truncated") == "true"
    assert header(made, "stringx.payload-bytes") == str(len(value))
    assert header(made, "stringx.payload-sha256") == hashlib.sha256(value).hexdigest()


def test_a_key_of_a_megabyte_is_cut_as_well() -> None:
    assert size(letter(record(key=b"k" * 999_999))) < LIMIT_BYTES


def test_headers_of_the_producer_go_first_and_are_limited() -> None:
    headers = tuple((f"h{number}", b"v" * 10) for number in range(10_000))
    made = letter(record(headers=headers))
    assert made.headers[0] == ("h0", b"v" * 10)
    assert sum(name.startswith("h") for name, _ in made.headers) == 32
    huge = letter(record(headers=(("big", b"v" * 100_000),)))
    assert not any(name == "big" for name, _ in huge.headers)


def test_a_dead_letter_that_dies_again_has_one_set_of_reasons_and_keeps_its_count() -> None:
    first = letter(record())
    headers = tuple(
        (name, b"2" if name == "stringx.replay-count" else raw) for name, raw in first.headers
    )
    again = letter(record(headers=headers), Reason("claim", "table_not_configured", "no", "E"))
    assert header(again, "stringx.error.code") == "table_not_configured"
    assert header(again, "stringx.replay-count") == "2"


def test_the_code_of_a_wrong_field_says_what_is_wrong_with_it() -> None:
    error = InvalidInput("x", faults=[Fault("sql", "unknown_field", "is not a known field")])
    assert Reason.of(error, "validate").code == "unknown_field"


class Producer:
    """librdkafka's face, with answers to order: None for taken, else the error."""

    def __init__(self, *answers: KafkaError | KafkaException | None) -> None:
        self.answers = list(answers)
        self.produced: list[dict[str, Any]] = []
        self.waiting: list[Any] = []

    def produce(self, topic: str, **message: Any) -> None:
        self.produced.append(message)
        answer = self.answers.pop(0)
        if isinstance(answer, KafkaException):
            raise answer
        self.waiting.append(lambda: message["on_delivery"](answer, None))

    def poll(self, seconds: float) -> None:
        waiting, self.waiting = self.waiting, []
        for answer in waiting:
            answer()


def write(producer: Producer, *records: Record) -> list[str | None]:
    writer = DeadLetterWriter(producer, "dlq", group="g", wait_s=30)
    return writer.write([(one, REASON, 1) for one in records], threading.Event())


def test_says_which_were_taken() -> None:
    failed = KafkaError(KafkaError._MSG_TIMED_OUT)
    faults = write(Producer(None, failed, None), record(), record(), record())
    assert [fault is None for fault in faults] == [True, False, True]


def test_one_too_large_for_its_topic_is_cut_and_sent_again() -> None:
    too_large = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)
    for answer in (too_large, KafkaException(too_large)):
        producer = Producer(answer, None)
        assert write(producer, record(b"x" * 200_000)) == [None]
        assert [len(message["value"]) for message in producer.produced] == [200_000, 16_384]


def test_one_too_large_even_when_cut_is_reported_and_not_sent_for_ever() -> None:
    too_large = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)
    producer = Producer(too_large, too_large)
    assert write(producer, record()) != [None]
    assert len(producer.produced) == 2


def test_no_answer_in_time_is_a_failure() -> None:
    class Silent(Producer):
        def poll(self, seconds: float) -> None:
            pass

    writer = DeadLetterWriter(Silent(None), "dlq", group="g", wait_s=0.01)
    assert writer.write([(record(), REASON, 1)], threading.Event()) != [None]
