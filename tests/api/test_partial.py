"""Checks whose deadline left rules: their verdict so far, and the whole of them under one id."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from api.gate import Asked, AtTheGate
from api.rests import Rest
from api.store import checks, gate, leases, outbox, rules, samples, verdicts
from api.store.gate import Gate
from api.store.outcomes import Finished
from quality.catalogue.history import JUDGED_WHEN_STORED
from quality.checks import OUT_OF_TIME, CheckOutcome, Sample, completed
from quality.engine.cancellation import Cancellation
from quality.gate import GatePolicy
from quality.predicates import Predicate
from quality.rules import Rule
from tests.api.stores import Store, asks, found
from tests.api.test_gate import told

LATE = f"{OUT_OF_TIME}: 2 s were over"
SCOPE = (Predicate(column="x", op="=", value=1),)


def cut_short(*statuses: str) -> CheckOutcome:
    """An outcome with a last rule that there was no time for."""
    outcome = found(*statuses, "skipped")
    late = outcome.results[-1].model_copy(update={"message": LATE})
    return outcome.model_copy(update={"results": (*outcome.results[:-1], late)})


def first(check_id: str, fence: int, *statuses: str) -> Finished:
    return Finished(check_id, fence, cut_short(*statuses), is_partial=True)


def whole(check_id: str, fence: int, *statuses: str) -> Finished:
    return Finished(check_id, fence, found(*statuses))


@pytest.fixture
def telling(store: Store) -> Store:
    """A store whose decisions are told."""
    kafka = store.checking.kafka.model_copy(update={"bootstrap_servers": "nowhere:1"})
    store.checking = replace(store.checking, kafka=kafka)
    return store


def statuses(store: Store, check_id: str) -> list[str]:
    return [result["status"] for result in store.check(check_id)["results"]]


def last_status(store: Store, table: str = "shop.a") -> str | None:
    with store.database.connect() as db:
        query = text("select last_status from monitored_table where id = :id")
        return db.scalar(query, {"id": store.ids[table]})


def counted(store: Store, name: str, **labels: str) -> float:
    return store.checking.metrics.registry.get_sample_value(name, labels) or 0.0


def at_the_gate(store: Store, **asked: Any) -> dict[str, Any]:
    waiting = AtTheGate(store.database, 1)
    return waiting.decision(Asked("demo", "shop.a", **asked))


def test_the_rest_of_a_check_takes_the_place_of_what_was_late(telling: Store) -> None:
    [claim] = telling.claim(asks("request-1", deadline_ms=2000))
    assert telling.store(first("request-1", claim.fence, "pass")) == ["stored"]
    early = telling.check("request-1")
    assert (early["state"], early["is_partial"], early["status"]) == ("running", True, "error")
    assert (early["counts"], early["finished_at"]) == ({"pass": 1, "skipped": 1}, None)
    assert statuses(telling, "request-1") == ["pass", "skipped"]

    assert telling.store(whole("request-1", claim.fence, "pass", "warn")) == ["stored"]
    late = telling.check("request-1")
    assert (late["state"], late["is_partial"], late["status"]) == ("finished", False, "warn")
    assert (late["counts"], late["score"]) == ({"pass": 1, "warn": 1}, 0.75)
    assert late["partial_at"] == early["partial_at"] is not None
    assert late["finished_at"] > late["partial_at"]
    assert statuses(telling, "request-1") == ["pass", "warn"]
    assert [(one["decision"], one["verdict"], one["is_partial"]) for one in told(telling)] == [
        ("unknown", "error", True),
        ("warn", "warn", False),
    ]


def test_each_part_is_stored_once_and_in_no_other_order(telling: Store) -> None:
    [claim] = telling.claim(asks("request-1"))
    early, late = first("request-1", claim.fence, "fail"), whole("request-1", claim.fence, "fail")
    assert telling.store(early) == ["stored"]
    assert telling.store(early) == ["replayed"]
    assert telling.store(late, late) == ["stored", "replayed"]
    assert telling.store(late) == ["replayed"]
    assert telling.store(early) == ["replayed"]  # it comes too late
    assert statuses(telling, "request-1") == ["fail"]
    assert [one["is_partial"] for one in told(telling)] == [True, False]


def test_of_both_parts_in_a_batch_the_whole_is_stored(telling: Store) -> None:
    [claim] = telling.claim(asks("request-1"))
    parts = first("request-1", claim.fence, "pass"), whole("request-1", claim.fence, "pass")
    assert telling.store(*parts) == ["replayed", "stored"]
    check = telling.check("request-1")
    assert (check["state"], check["status"], check["partial_at"]) == ("finished", "pass", None)
    assert len(told(telling)) == 1


def test_a_batch_of_all_kinds_is_answered_one_by_one(store: Store) -> None:
    requests = [asks(f"request-{number}") for number in range(4)]
    fences = {claim.id: claim.fence for claim in store.claim(*requests)}
    store.store(first("request-0", fences["request-0"], "pass"))
    assert store.store(
        whole("request-0", fences["request-0"], "pass", "pass"),
        first("request-1", fences["request-1"], "pass"),
        whole("request-2", fences["request-2"], "pass"),
        whole("request-3", fences["request-3"] + 1, "pass"),
        whole("nobody-asked", 1, "pass"),
    ) == ["stored", "stored", "stored", "stale_fence", "unknown"]
    found_ = [store.check(request.id) for request in requests]
    assert [(one["state"], one["status"]) for one in found_] == [
        ("finished", "pass"),
        ("running", "error"),
        ("finished", "pass"),
        ("running", None),
    ]


def test_who_takes_a_check_over_completes_it_and_who_had_it_cannot(telling: Store) -> None:
    """The worker died between its two answers, or was only slow."""
    [before] = telling.claim(asks("request-1", deadline_ms=2000))
    assert not before.is_begun
    telling.store(first("request-1", before.fence, "pass", "pass"))
    [busy] = telling.claim(asks("request-1", deadline_ms=2000))
    assert busy.outcome == "busy"
    telling.execute("update check_run set lease_until = now() - interval '1 s'")
    assert telling.checking.requeue_overdue() == 1
    kept = telling.check("request-1")
    assert (kept["state"], kept["is_partial"], kept["status"]) == ("received", True, "error")

    [after] = telling.claim(asks("request-1", deadline_ms=2000))
    assert (after.outcome, after.fence, after.is_begun) == ("claimed", before.fence + 1, True)
    assert telling.store(whole("request-1", before.fence, "fail")) == ["stale_fence"]
    assert telling.store(first("request-1", after.fence, "fail")) == ["replayed"]
    assert statuses(telling, "request-1") == ["pass", "pass", "skipped"]  # it stands until then
    assert telling.store(whole("request-1", after.fence, "pass", "pass")) == ["stored"]
    assert statuses(telling, "request-1") == ["pass", "pass"]
    assert telling.check("request-1")["attempts"] == 2


def test_a_check_that_is_given_back_keeps_its_verdict_until_it_is_whole(store: Store) -> None:
    [claim] = store.claim(asks("request-1"))
    store.store(first("request-1", claim.fence, "pass"))
    with store.database.begin() as db:
        assert checks.left_over(db) is None
        assert leases.release(db, [("request-1", claim.fence)]) == 1
        left = checks.left_over(db)
    assert left is not None
    assert left.id == "request-1"
    assert store.check("request-1")["status"] == "error"
    [again] = store.claim(asks("request-1"))
    assert again.is_begun
    assert store.store(whole("request-1", again.fence, "pass", "pass")) == ["stored"]
    assert store.check("request-1")["status"] == "pass"


def test_the_verdict_of_a_table_is_that_of_its_whole_checks(store: Store) -> None:
    """So an action hears of the end of a check, not of its deadline."""
    [before, claim] = store.claim(asks("request-1"), asks("request-2"))
    store.store(whole("request-1", before.fence, "pass"))
    store.store(first("request-2", claim.fence, "pass"))
    assert last_status(store) == "pass"
    store.store(whole("request-2", claim.fence, "pass", "fail"))
    assert last_status(store) == "fail"
    with store.database.connect() as db:
        [change] = verdicts.page(db, store.ids["shop.a"], limit=5, cursor=None).items
    assert (change["before"], change["after"], change["check_id"]) == ("pass", "fail", "request-2")


def test_what_another_check_said_meanwhile_stands(telling: Store) -> None:
    requests = [asks("request-1"), asks("request-2"), asks("request-3", scope=SCOPE)]
    fences = {claim.id: claim.fence for claim in telling.claim(*requests)}
    telling.store(first("request-1", fences["request-1"], "pass"))
    telling.store(first("request-3", fences["request-3"], "pass"))
    telling.store(whole("request-2", fences["request-2"], "pass"))
    telling.store(whole("request-1", fences["request-1"], "pass", "fail"))
    telling.store(whole("request-3", fences["request-3"], "pass", "fail"))
    assert last_status(telling) == "pass"
    assert at_the_gate(telling)["check_id"] == "request-2"
    assert at_the_gate(telling, scope=SCOPE)["decision"] == "block"
    assert at_the_gate(telling, check_id="request-1")["decision"] == "block"
    assert [(one["check_id"], one["decision"]) for one in told(telling)] == [
        ("request-1", "unknown"),
        ("request-3", "unknown"),
        ("request-2", "allow"),
        ("request-3", "block"),
    ]


def test_the_gate_answers_at_the_deadline_and_again_when_all_is_judged(store: Store) -> None:
    [claim] = store.claim(asks("request-1"))
    assert not at_the_gate(store, check_id="request-1")["is_partial"]
    store.store(first("request-1", claim.fence, "fail"))
    for asked in ({}, {"check_id": "request-1"}):
        early = at_the_gate(store, **asked)
        assert (early["decision"], early["is_partial"]) == ("block", True)
        assert early["reasons"] == ["rule_0: fail", f"rule_1: {LATE}"]
        assert early["decided_at"] is not None
    gates = AtTheGate(store.database, 1)
    hurried, patient = Asked("demo", "shop.a"), Asked("demo", "shop.a", whole=True)
    assert gates._look(hurried)[1]
    assert not gates._look(patient)[1]
    assert not gates._look(replace(patient, check_id="request-1"))[1]
    store.store(whole("request-1", claim.fence, "fail", "pass"))
    for asked in ({}, {"check_id": "request-1"}):
        late = at_the_gate(store, **asked)
        assert (late["decision"], late["is_partial"]) == ("block", False)
        assert late["reasons"] == ["rule_0: fail"]
    assert gates._look(patient)[1]


def test_a_policy_decides_anew_on_a_verdict_of_a_deadline_too(telling: Store) -> None:
    [claim] = telling.claim(asks("request-1"))
    telling.store(first("request-1", claim.fence, "pass"))
    how = Gate(valid_for_s=60, topic="stringx.gate.decisions.v1")
    with telling.database.begin() as db:
        gate.put_policy(db, telling.ids["shop.a"], GatePolicy(on_error="block"), how)
    assert [(one["decision"], one["is_partial"]) for one in told(telling)] == [
        ("unknown", True),
        ("block", True),
    ]
    telling.store(whole("request-1", claim.fence, "pass", "pass"))
    assert at_the_gate(telling)["decision"] == "allow"


def test_a_check_is_counted_once_with_what_it_came_to(store: Store) -> None:
    [claim] = store.claim(asks("request-1"))
    store.store(first("request-1", claim.fence, "pass"))
    labels = {"dimension": "completeness", "severity": "error"}
    assert counted(store, "stringx_checks_total", status="error", source="kafka") == 0
    assert counted(store, "stringx_rule_results_total", status="pass", **labels) == 0
    assert counted(store, "stringx_partial_verdicts_total", source="kafka") == 1
    store.store(whole("request-1", claim.fence, "pass", "pass"))
    assert counted(store, "stringx_checks_total", status="pass", source="kafka") == 1
    assert counted(store, "stringx_rule_results_total", status="pass", **labels) == 2
    assert counted(store, "stringx_partial_verdicts_total", source="kafka") == 1


def test_what_an_api_cannot_finish_is_sent_to_kafka_again(telling: Store) -> None:
    request = asks("request-1", deadline_ms=2000)
    [claim] = telling.claim(request)
    early = first("request-1", claim.fence, "pass")
    telling.store(early)
    assert claim.rule_set is not None
    rest = Rest(request, claim.fence, claim.rule_set, (), early.outcome)
    telling.checking.finish(rest, Cancellation(), lambda: True)
    with telling.database.connect() as db:
        messages = outbox.unsent(db, 10)
    assert json.loads(messages[-1].value) == request.message
    assert messages[-1].topic == telling.checking.kafka.request_topic
    [again] = telling.claim(request)
    assert (again.outcome, again.is_begun) == ("claimed", True)
    telling.checking.finish(rest, Cancellation(), lambda: True)  # it is not his any more
    with telling.database.connect() as db:
        assert len(outbox.unsent(db, 10)) == len(messages)
    assert telling.check("request-1")["state"] == "running"


def test_an_engine_that_fails_on_the_rest_ends_the_check(store: Store) -> None:
    request = asks("request-1", deadline_ms=2000)
    [claim] = store.claim(request)
    early = first("request-1", claim.fence, "pass")
    store.store(early)
    assert claim.rule_set is not None
    rest = Rest(request, claim.fence, claim.rule_set, (), early.outcome)
    store.checking.finish(rest, Cancellation(), lambda: False)
    check = store.check("request-1")
    assert (check["state"], check["is_partial"]) == ("finished", False)
    assert statuses(store, "request-1") == ["pass", "error"]


def test_a_request_that_takes_its_workers_down_after_the_deadline_ends_too(store: Store) -> None:
    [claim] = store.claim(asks("request-1"))
    store.store(first("request-1", claim.fence, "fail"))
    for _ in range(store.checking.settings.max_attempts):
        store.execute("update check_run set lease_until = now() - interval '1 s'")
        [claim] = store.claim(asks("request-1"))
    assert (claim.outcome, claim.status) == ("done", "error")
    check = store.check("request-1")
    assert (check["state"], check["error_code"], check["is_partial"]) == (
        *("finished", "poison"),
        False,
    )
    assert counted(store, "stringx_checks_total", status="error", source="kafka") == 1


def test_samples_are_those_of_the_newest_results(store: Store) -> None:
    def sampled(outcome: CheckOutcome, *texts: str) -> CheckOutcome:
        kept = [
            result.model_copy(update={"sample": Sample(columns=("x",), rows=((text_,),), sql="s")})
            for result, text_ in zip(outcome.results, texts, strict=False)
        ]
        results = (*kept, *outcome.results[len(kept) :])
        return outcome.model_copy(update={"results": results})

    [claim] = store.claim(asks("request-1"))
    early = sampled(cut_short("fail"), "early")
    store.store(Finished("request-1", claim.fence, early, is_partial=True))
    late = sampled(found("fail", "fail"), "early", "late")
    assert store.store(Finished("request-1", claim.fence, late)) == ["stored"]
    with store.database.connect() as db:
        kept = samples.of_check(db, "request-1")
    assert [one["rows"] for one in kept] == [[["early"]], [["late"]]]


def test_what_is_measured_is_kept_once_and_never_compared_with_itself(store: Store) -> None:
    rule = Rule(name="rule_0", type="row_count_delta", arguments={"warn_pct": 10})
    with store.database.begin() as db:
        other = Rule(name="rule_1", type="not_null", column="x")
        rules.replace(db, store.ids["shop.a"], [rule, other])

    def measured(outcome: CheckOutcome, count: int) -> CheckOutcome:
        waits = {"type": rule.type, "status": "skipped", "message": JUDGED_WHEN_STORED}
        raw = outcome.results[0].model_copy(update={**waits, "measured": {"row_count": count}})
        return outcome.model_copy(update={"results": (raw, *outcome.results[1:])})

    def kept() -> int:
        with store.database.connect() as db:
            return db.scalar(text("select count(*) from measurement")) or 0

    [before, claim] = store.claim(asks("request-1"), asks("request-2"))
    store.store(Finished("request-1", before.fence, measured(found("pass", "pass"), 100)))
    early = measured(cut_short("pass"), 150)
    store.store(Finished("request-2", claim.fence, early, is_partial=True))
    assert statuses(store, "request-2") == ["warn", "skipped"]
    assert kept() == 1
    store.store(Finished("request-2", claim.fence, measured(found("pass", "pass"), 150)))
    assert statuses(store, "request-2") == ["warn", "pass"]
    assert kept() == 2


def test_storing_the_verdict_of_a_deadline_is_one_statement(store: Store) -> None:
    [claim] = store.claim(asks("request-1"))
    early = first("request-1", claim.fence, "pass")
    assert store.statements(lambda: store.store(early)) == 1


def test_what_could_not_be_judged_afterwards_is_an_error_that_says_why() -> None:
    early = cut_short("pass")
    late = completed(early, found().model_copy(update={"error_code": "timeout", "error": "slow"}))
    assert [(one.status, one.message) for one in late.results] == [
        ("pass", None),
        ("error", "timeout: slow"),
    ]
    assert (late.status, late.late, late.error_code) == ("error", (), None)
    assert json.loads(late.model_dump_json())["results"][0]["status"] == "pass"
