"""Claims and outcomes in batches, straight at the store: once each, whoever comes meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from api.store import leases, rules, samples, tables
from api.store.leases import Claim
from api.store.outcomes import Finished
from api.store.rule_sets import RuleSets, Subject
from quality.checks import CheckOutcome, CheckRequest, Group, RuleResult, Sample
from quality.errors import Unavailable
from quality.rules import Rule
from tests.api.stores import Store, asks, found


def outcomes_of(answers: list[Claim]) -> list[str]:
    return [answer.outcome for answer in answers]


def test_a_batch_costs_the_same_statements_whatever_its_size(store: Store) -> None:
    store.claim(asks("request-0"), asks("request-1", "shop.b"))  # rules are in memory from here on
    counts = []
    for size in (1, 60):
        batch = [asks(f"new-{size}-{n:03}", "shop.b" if n % 2 else "shop.a") for n in range(size)]
        claimed: list[Claim] = []
        new = store.statements(lambda batch=batch, found=claimed: found.extend(store.claim(*batch)))
        known = store.statements(lambda batch=batch: store.claim(*batch))
        done = [Finished(claim.id, claim.fence, found("pass", "fail")) for claim in claimed]
        stored = store.statements(lambda done=done: store.store(*done))
        counts.append((new, known, stored))
    assert counts[0] == counts[1] == (1, 4, 1)


def test_the_same_batch_at_once_is_claimed_once_and_nothing_waits_for_ever(store: Store) -> None:
    ids = [f"request-{number:03}" for number in range(80)]
    answers: list[list[Claim]] = []
    errors: list[Exception] = []
    barrier = threading.Barrier(6)

    def work(number: int) -> None:
        batch = [asks(check_id) for check_id in (ids if number % 2 else reversed(ids))]
        barrier.wait()
        try:
            answers.append(store.claim(*batch))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    claimed = [claim.id for answer in answers for claim in answer if claim.outcome == "claimed"]
    assert sorted(claimed) == ids
    assert {claim.outcome for answer in answers for claim in answer} == {"claimed", "busy"}


def test_new_and_known_ids_in_turned_orders_at_once_do_not_deadlock(store: Store) -> None:
    store.claim(*(asks(f"request-{number:03}") for number in range(0, 60, 3)))
    store.execute("update check_run set state = 'received'")
    errors: list[Exception] = []
    claimed: list[str] = []
    barrier = threading.Barrier(5)

    def work(number: int) -> None:
        ids = [f"request-{(place * 7 + number * 13) % 60:03}" for place in range(60)]
        barrier.wait()
        try:
            claimed.extend(
                claim.id
                for claim in store.claim(*(asks(check_id) for check_id in ids))
                if claim.outcome == "claimed"
            )
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert sorted(claimed) == [f"request-{number:03}" for number in range(60)]


def test_the_same_id_twice_in_a_batch_is_claimed_once(store: Store) -> None:
    answers = store.claim(
        asks("request-1"),
        asks("request-1"),
        asks("request-1", "shop.b"),
        asks("request-1", "no.where"),
        asks("request-2", "no.where"),
        asks("request-2"),
    )
    assert [(answer.outcome, answer.error and answer.error.code) for answer in answers] == [
        ("claimed", None),
        ("busy", None),
        ("rejected", "idempotency_key_reused"),
        ("rejected", "table_not_configured"),
        ("rejected", "table_not_configured"),
        ("claimed", None),
    ]
    assert {store.check(check_id)["state"] for check_id in ("request-1", "request-2")} == {
        "running"
    }
    store.store(Finished("request-1", 1, found("pass")))
    assert outcomes_of(store.claim(asks("request-1"), asks("request-1"))) == ["done", "done"]


def test_a_request_that_cannot_be_taken_leaves_another_of_its_id_alone(store: Store) -> None:
    store.claim(asks("request-1"))
    [answer] = store.claim(asks("request-1", "no.where"))
    assert answer.outcome == "rejected"
    assert store.check("request-1")["state"] == "running"


def test_every_request_of_a_batch_gets_its_own_answer(store: Store) -> None:
    [claimed, busy] = store.claim(asks("finished-1"), asks("running-1"))
    store.store(Finished("finished-1", claimed.fence, found("warn")))
    store.claim(asks("poison-1"), asks("expired-1"))
    store.execute("update check_run set lease_until = now() where id in ('poison-1', 'expired-1')")
    store.execute("update check_run set attempts = 3 where id = 'poison-1'")
    answers = store.claim(
        asks("running-1"),
        asks("fresh-001"),
        asks("poison-1"),
        asks("finished-1"),
        asks("expired-1"),
        asks("unknown-rule", select={"rules": ("nope",)}),
        asks("finished-1", "shop.b"),
    )
    assert [(one.id, one.outcome, one.fence, one.status) for one in answers] == [
        ("running-1", "busy", 0, None),
        ("fresh-001", "claimed", 1, None),
        ("poison-1", "done", 0, "error"),
        ("finished-1", "done", 0, "warn"),
        ("expired-1", "claimed", 2, None),
        ("unknown-rule", "rejected", 0, None),
        ("finished-1", "rejected", 0, None),
    ]
    assert busy.fence == 1
    assert [one.given_up is not None for one in answers].index(True) == 2
    assert store.check("poison-1")["error_code"] == "poison"


def test_every_outcome_of_a_batch_is_stored_once(store: Store) -> None:
    claimed = store.claim(asks("request-1"), asks("request-2", "shop.b"), asks("request-3"))
    fences = {claim.id: claim.fence for claim in claimed}
    answers = store.store(
        Finished("request-3", 7, found("fail")),
        Finished("request-1", fences["request-1"], found("pass", "fail")),
        Finished("request-2", fences["request-2"], found("warn")),
        Finished("request-1", fences["request-1"], found("pass")),
        Finished("nobodys-1", 1, found("pass")),
        Finished("request-3", fences["request-3"], found("pass")),
    )
    assert answers == ["stale_fence", "stored", "stored", "replayed", "unknown", "stored"]
    shown = store.check("request-1")
    assert (shown["status"], shown["counts"]) == ("fail", {"pass": 1, "fail": 1})
    assert [one["rule"] for one in shown["results"]] == ["rule_0", "rule_1"]
    assert [one["status"] for one in store.check("request-3")["results"]] == ["pass"]
    assert store.store(Finished("request-2", fences["request-2"], found())) == ["replayed"]


def test_outcomes_of_the_same_checks_at_once_are_stored_once(store: Store) -> None:
    names = list(store.ids)
    ids = [f"request-{number:03}" for number in range(60)]
    claimed = store.claim(*(asks(check_id, names[n % 2]) for n, check_id in enumerate(ids)))
    stored: list[str] = []
    errors: list[Exception] = []
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        batch = claimed if number % 2 else list(reversed(claimed))
        barrier.wait()
        try:
            stored.extend(store.store(*(Finished(c.id, c.fence, found("pass")) for c in batch)))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert (stored.count("stored"), stored.count("replayed")) == (60, 180)
    assert {len(store.check(check_id)["results"]) for check_id in ids} == {1}


def test_a_table_shows_the_newest_whole_check_of_a_batch(store: Store) -> None:
    narrowed = asks("request-9", scope=({"column": "x", "op": "=", "value": 1},))
    store.claim(asks("request-1"), asks("request-2"), narrowed)
    store.store(
        Finished("request-2", 1, found("fail", seconds=-5)),
        Finished("request-1", 1, found("warn")),
        Finished("request-9", 1, found("error", seconds=5)),
    )
    with store.database.connect() as db:
        table = tables.get(db, store.ids["shop.a"])
    assert (table["last_check_id"], table["last_status"]) == ("request-1", "warn")


def test_what_postgresql_can_hold_comes_back_as_it_was(store: Store) -> None:
    store.claim(asks("request-1"))
    odd = RuleResult(
        rule="odd",
        type="not_null",
        column='Ünï "c" \\ {x}',
        dimension="completeness",
        kind="business",
        severity="warn",
        status="warn",
        failures=2**63 - 1,
        measured={"mean": 0.1, "text": "a'b\n\u2028", "none": None, "many": 2**80},
        message="50% of :rows {{ x }} \\u0000 \U0001f600",
        sql="select ':x' ? '%s' -- $1",
        sample=Sample(
            columns=("a", 'Ünï "c"'),
            rows=(("1", None), (":x %s", "\U0001f600\n")),
            sql="select ':x' -- %s",
            is_capped=True,
        ),
        groups=(Group(group={"x": None}, status="warn", failures=3, measured={"n": 2**80}),),
        groups_left_out=2**40,
        is_shadow=True,
        weight=0.25,
    )
    outcome = found("pass").model_copy(update={"results": (odd,)})
    store.store(Finished("request-1", 1, outcome))
    [shown] = store.check("request-1")["results"]
    with store.database.connect() as db:
        [sample] = samples.of_check(db, "request-1")
    assert sample.pop("rule") == "odd"
    assert {
        name: {"sample": sample, **shown}[name] for name in RuleResult.model_fields
    } == odd.model_dump(mode="json")


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2026-03-01T12:00:00.5-20:13", "2026-03-02T08:13:00.500000+00:00"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59.999999+00:00"),
    ],
)
def test_any_time_that_a_worker_may_say_can_be_stored(
    store: Store, given: str, stored: str
) -> None:
    store.claim(asks("request-1"))
    store.store(Finished("request-1", 1, found("pass", at=datetime.fromisoformat(given))))
    shown = store.check("request-1")
    assert shown["started_at"].isoformat() == stored
    assert shown["results"][0]["finished_at"].isoformat() == stored


def test_leases_are_renewed_for_who_holds_them(store: Store) -> None:
    store.claim(asks("request-1"), asks("request-2"), asks("request-3"))
    store.store(Finished("request-3", 1, found("pass")))
    store.execute("update check_run set lease_until = now() + interval '1 s'")
    given = [("request-1", 1), ("request-2", 2), ("request-3", 1), ("nobodys-1", 1)]
    with store.database.begin() as db:
        assert leases.renew(db, given, 60.0) == {"request-1"}
        left = db.execute(
            text(
                "select id from check_run where lease_until > now() + interval '50 s' and"
                " state = 'running'"
            )
        ).scalars()
        assert list(left) == ["request-1"]


def test_claims_given_back_are_free_and_their_attempts_do_not_count(store: Store) -> None:
    store.claim(asks("request-1"), asks("request-2"))
    with store.database.begin() as db:
        assert leases.release(db, [("request-1", 1), ("request-2", 9)]) == 1
    first, second = store.claim(asks("request-1"), asks("request-2"))
    assert (first.outcome, first.fence, second.outcome) == ("claimed", 2, "busy")
    assert store.check("request-1")["attempts"] == 1


CHANGES: dict[str, Callable[[Any, int], object]] = {
    "add": lambda db, table: rules.add(db, table, Rule(type="unique", column="x")),
    "replace": lambda db, table: rules.replace(db, table, []),
    "remove": lambda db, table: rules.remove(db, table, "not_null_x"),
    "switch off by hand": lambda db, table: db.execute(
        text("update rule set is_active = false where table_id = :id"), {"id": table}
    ),
    "move by hand": lambda db, table: db.execute(
        text("update rule set table_id = :id where name = 'not_null_z'"), {"id": table}
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_rule_is_in_force_with_the_next_claim(
    store: Store, change: Callable[[Any, int], object]
) -> None:
    [before] = store.claim(asks("request-1"))
    [again] = store.claim(asks("request-2"))
    assert again.rule_set is before.rule_set  # kept, not read again
    with store.database.begin() as db:
        change(db, store.ids["shop.a"])
        [meanwhile] = store.claim(asks("request-3"))
        assert meanwhile.rule_set is before.rule_set  # not committed yet
    [after] = store.claim(asks("request-4"))
    assert before.rule_set is not None
    assert after.rule_set is not None
    assert after.rule_set.hash != before.rule_set.hash
    fresh = RuleSets(10)
    with store.database.connect() as db:
        request = CheckRequest(table="shop.a")
        subjects, now = fresh.subjects(db, [request])
    [subject] = subjects.values()
    assert isinstance(subject, Subject)
    assert after.rule_set == subject.chosen(request.select, now).rule_set


def test_another_target_of_the_connection_is_another_rule_set(store: Store) -> None:
    [before] = store.claim(asks("request-1"))
    store.execute("update connection set target = 'elsewhere'")
    [after] = store.claim(asks("request-2"))
    assert before.rule_set is not None
    assert after.rule_set is not None
    assert (before.rule_set.connection, after.rule_set.connection) == ("demo", "elsewhere")


def test_rule_sets_are_kept_up_to_a_number(store: Store) -> None:
    store.rule_sets = RuleSets(1)
    sets = [store.claim(asks(f"request-{n}", name))[0].rule_set for n, name in enumerate("abab")]
    assert sets == [None] * 4  # tables that are not there
    names = ["shop.a", "shop.b", "shop.a", "shop.a"]
    sets = [store.claim(asks(f"request-{n}", name))[0].rule_set for n, name in enumerate(names, 4)]
    assert sets[0] is not sets[2]
    assert sets[2] is sets[3]


def test_a_check_that_the_database_forgot_is_said_to_be_lost(store: Store) -> None:
    class Forgetting:
        def run(self, *given: Any, **more: Any) -> CheckOutcome:
            store.execute("delete from check_run")
            return found("pass")

    checking = replace(store.checking, engine=Forgetting())  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match="ask again"):
        checking.perform(asks("request-1"))
    assert outcomes_of(store.claim(asks("request-1"))) == ["claimed"]


def test_a_connection_that_broke_while_idle_is_replaced_unnoticed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.store.database.IDLE_S", 0.0)
    store.claim(asks("request-1"))
    with psycopg.connect(store.database.dsn) as other:
        other.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    assert outcomes_of(store.claim(asks("request-2"))) == ["claimed"]
