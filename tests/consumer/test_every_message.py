"""Whatever stands in a message: it ends as one result or as one dead letter, and blocks nothing."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quality.messages import EVENT_TYPE
from tests.consumer.conftest import Bench

EVENT = {"specversion": "1.0", "id": "event-0001", "source": "/test", "type": EVENT_TYPE}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
tables = st.sampled_from(["shop.orders", "shop.clean", "", "a", "a.b.c", 'a."b', "\x00.x", 7, None])
predicates = st.fixed_dictionaries(
    {},
    optional={
        "column": st.sampled_from(["id", "", "x" * 70, None, "a\x00"]),
        "op": st.sampled_from(["=", ">=", "in", "between", "is_null", "like", None]),
        "value": scalars | st.lists(scalars, max_size=3),
        "more": scalars,
    },
)
requests = st.fixed_dictionaries(
    {"table": tables},
    optional={
        "id": st.from_regex(r"[A-Za-z0-9._:-]{8,12}", fullmatch=True) | scalars,
        "connection": st.sampled_from(["demo", "nowhere", "", 1]),
        "scope": st.lists(predicates, max_size=2) | scalars,
        "select": documents,
        "deadline_ms": scalars,
        "labels": documents,
        "requested_by": scalars,
        "traceparent": scalars,
        "unknown": documents,
    },
)


def _bytes(document: Any) -> bytes:
    return json.dumps(document).encode()


def _event(data: Any) -> bytes:
    return _bytes({**EVENT, "data": data})


values = st.one_of(
    st.none(),
    st.binary(max_size=200),
    documents.map(_bytes),
    requests.map(_bytes),
    requests.map(_event),
    documents.map(_event),
    st.tuples(requests.map(_bytes), st.integers(0, 60)).map(lambda cut: cut[0][: cut[1]]),
)
headers = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "content-type",
                "ce_specversion",
                "ce_id",
                "ce_type",
                "traceparent",
                "stringx.request-id",
                "stringx.replay-count",
                "__connect.errors.topic",
                "x",
                "",
                "ü\n",
            ]
        ),
        st.none()
        | st.binary(max_size=20)
        | st.sampled_from([b"1.0", EVENT_TYPE.encode(), b"application/cloudevents+json"]),
    ),
    max_size=5,
).map(tuple)
messages = st.tuples(values, headers, st.none() | st.binary(max_size=8))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(batch=st.lists(messages, min_size=1, max_size=12))
def test_every_message_ends_as_a_result_or_a_dead_letter(
    bench: Bench, batch: list[tuple[bytes | None, tuple[tuple[str, bytes | None], ...], Any]]
) -> None:
    bench.breaker.forget([("requests", 0)])
    bench.letters.clear()
    answered = bench.counted("stored") + bench.counted("replayed")
    deliveries = [bench.deliver(value, headers=above, key=key) for value, above, key in batch]
    bench.work(*deliveries)
    buried = len(bench.letters)
    answered = bench.counted("stored") + bench.counted("replayed") - answered
    assert answered + buried == len(batch)
    assert all(delivery.ticket.done for delivery in deliveries)
    assert bench.position == deliveries[-1].record.offset + 1
    for record, why in bench.letters:
        assert why.code
        assert why.message
        assert why.request_id
        assert record.value in [value for value, _, _ in batch]
