"""The service's database: no room, no answer, refusals."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import requests

from tests.faults.counting import Tally
from tests.faults.load import Size, counted, wait_committed
from tests.faults.stage import Stage


def no_connections_left(stage: Stage, size: Size) -> Tally:
    """The service's PostgreSQL takes no connection, then answers none: callers are told so soon,
    threads do not pile up, and all goes on when it does again."""
    by_kafka, by_http = stage.requests("full", size.requests), stage.requests("told", 40)
    began = time.monotonic()
    codes: Counter[int] = Counter()

    def ask(document: dict[str, Any]) -> float:
        asked = time.monotonic()
        answer = requests.post(
            f"{stage.api.url}/api/v1/checks", json={"mode": "async", **document}, timeout=60
        )
        codes[answer.status_code] += 1
        return time.monotonic() - asked

    with ThreadPoolExecutor(40) as pool:
        stage.in_store("alter role stringx connection limit 0", DISCONNECT)
        try:
            stage.send(*by_kafka.values())
            unconnected_s = max(pool.map(ask, by_http.values()))
        finally:
            stage.in_store("alter role stringx connection limit -1")
        assert set(codes) == {503}, codes
        stage.api.wait_ready()
        with psycopg.connect(stage.store.url("stringx", "postgres")) as db:
            db.execute("lock table check_run in access exclusive mode")
            locked_s = max(pool.map(ask, by_http.values()))
        assert set(codes) == {503}, codes
    for document in by_http.values():
        assert stage.trigger(document).status_code in (200, 202)
    wanted = {**by_kafka, **by_http}
    stage.wait_stored(list(wanted))
    wait_committed(stage)
    tally = counted(stage, "no connections left", wanted, 0, began)
    tally.notes |= {
        "answers 503": codes[503],
        "slowest without connections": f"{unconnected_s:.1f} s",
        "slowest behind a lock": f"{locked_s:.1f} s",
    }
    return tally


DISCONNECT = """
    select pg_terminate_backend(pid) from pg_stat_activity where usename = 'stringx'
"""


def a_store_that_refuses(stage: Stage, size: Size) -> Tally:
    """One in three of the statements that store results is refused, as after a deadlock or a failed
    serialization: they are sent again, and nothing is stored by halves."""
    stage.in_store(*REFUSE)
    before = dict(stage.proxy.statuses)
    wanted = stage.requests("refused", size.requests)
    began = time.monotonic()
    try:
        for document in wanted.values():  # in many small statements
            stage.send(document)
        stage.wait_stored(list(wanted))
    finally:
        stage.in_store("drop function refuse_sometimes cascade", "drop sequence refusals")
    wait_committed(stage)
    tally = counted(stage, "a store that refuses", wanted, 0, began)
    told = {code: count - before.get(code, 0) for code, count in stage.proxy.statuses.items()}
    assert told.get(503), "nothing was refused"
    assert not told.get(500), "a refusal was answered as an error of the service"
    assert tally.notes["attempts"] == "<= 1", "a check was begun twice"
    tally.notes["refused"] = told[503]
    return tally


REFUSE = (
    "create sequence refusals",
    "grant usage on sequence refusals to public",
    """
    create function refuse_sometimes() returns trigger language plpgsql as $$
    begin
        if nextval('refusals') % 3 = 0 then  -- a sequence is not rolled back
            raise exception 'told to fail' using
                errcode = (array['40001', '40P01'])[1 + lastval() % 2];
        end if;
        return null;
    end $$
    """,
    """
    create trigger refuse_sometimes after insert on rule_result
    for each statement execute function refuse_sometimes()
    """,
)
