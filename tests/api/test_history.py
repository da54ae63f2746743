"""Rules on history through the API: with the real engine, on tables that change between checks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import requests
from sqlalchemy import create_engine, text

from api.retention import Retention
from api.store import replays, rules
from api.store.outcomes import Finished
from embedded.postgres import EmbeddedPostgres
from quality.checks import CheckOutcome, RuleResult
from quality.rules import Rule
from quality.settings import ApiSettings
from tests.api.test_batches import Store, asks

Check = Callable[..., dict[str, Any]]


class Shop:
    """A table of the target that fills and empties: `history.sales` (region, amount, day)."""

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        self._url = postgres.url("demo", "postgres")
        self.execute(
            "create schema history",
            "create table history.sales (region text, amount numeric, day date)",
            "grant usage on schema history to stringx_reader",
            "grant select on history.sales to stringx_reader",
        )

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self._url) as connection:
            for statement in statements:
                connection.execute(statement)

    def sell(self, count: int, region: str = "north", amount: str = "10", day: str = "") -> None:
        its_day = f"date '{day}'" if day else "null"
        self.execute(
            f"insert into history.sales select '{region}', {amount}, {its_day} "
            f"from generate_series(1, {count})"
        )


@pytest.fixture
def shop(postgres: EmbeddedPostgres) -> Iterator[Shop]:
    shop = Shop(postgres)
    yield shop
    shop.execute("drop schema history cascade")


@pytest.fixture
def check(
    shop: Shop, call: Callable[..., requests.Response], table: Callable[..., int]
) -> Callable[..., Check]:
    """`check(rule, …)` registers the rules; what it answers runs a check: rule → its result."""

    def configured(*rules: dict[str, Any]) -> Check:
        table("history.sales", *rules)

        def run(scope: list[dict[str, Any]] | None = None) -> dict[str, Any]:
            body = {"table": "history.sales", "mode": "sync", "scope": scope or []}
            answer = call("POST", "/checks", json=body)
            assert answer.status_code == 200, answer.text
            document = answer.json()
            assert document["error_code"] is None, document["error"]
            results = {result["rule"]: result for result in document["results"]}
            return {**results, "status": document["status"]}

        return run

    return configured


def volume(**arguments: Any) -> dict[str, Any]:
    """A rule on the number of rows, of which each check is a value."""
    return {
        "name": "volume",
        "type": "volume_anomaly",
        "arguments": {"bucket": "check", "min_history": 3, **arguments},
    }


def test_history_grows_until_it_is_enough_then_a_jump_fails_and_is_recovered_from(
    shop: Shop, check: Callable[..., Check]
) -> None:
    run = check(volume(), {"name": "known", "type": "not_null", "column": "region"})
    for before, more in enumerate((100, 2, 1)):
        shop.sell(more)
        found = run()
        assert found["volume"]["status"] == "skipped"
        assert found["volume"]["message"] == f"not enough history ({before} of 3)"
        assert found["volume"]["measured"]["row_count"] == 100 + (0, 2, 3)[before]
        assert found["status"] == "pass"  # of the rule that was judged
    found = run()
    assert (found["volume"]["status"], found["volume"]["failures"]) == ("pass", 0)
    used = found["volume"]["measured"]
    assert (used["row_count"], used["history"]) == (103, 3)
    assert used["expected"] == pytest.approx((100 + 102 + 103) / 3)
    assert used["low"] < 103 < used["high"]
    shop.sell(500)
    found = run()
    assert (found["volume"]["status"], found["volume"]["failures"]) == ("fail", 1)
    assert found["status"] == "fail"
    assert found["volume"]["measured"]["expected"] == pytest.approx(102)  # not with its own 603
    assert "row_count is 603, expected" in found["volume"]["message"]
    shop.execute(
        "delete from history.sales where ctid in (select ctid from history.sales limit 500)"
    )
    found = run()
    assert (found["volume"]["status"], found["status"]) == ("pass", "pass")
    assert found["volume"]["measured"]["history"] == 5


def test_changed_sensitivity_keeps_the_history_and_a_changed_where_begins_anew(
    shop: Shop, check: Callable[..., Check]
) -> None:
    shop.sell(10)
    run = check(volume())
    for _ in range(3):
        run()
    run = check(volume(sensitivity=2, direction="down", method="robust"))
    assert run()["volume"]["measured"]["history"] == 3
    narrowed = {**volume(), "where": [{"column": "region", "op": "=", "value": "north"}]}
    assert check(narrowed)()["volume"]["message"] == "not enough history (0 of 3)"
    assert check(volume())()["volume"]["measured"]["history"] == 4


def test_the_number_of_rows_against_the_check_before(
    shop: Shop, check: Callable[..., Check]
) -> None:
    delta = {
        "name": "delta",
        "type": "row_count_delta",
        "arguments": {"warn_pct": 10, "error_pct": 50},
    }
    run = check(delta)
    shop.sell(100)
    assert run()["delta"]["message"] == "not enough history (0 of 1)"
    shop.sell(5)
    assert run()["delta"]["status"] == "pass"
    shop.sell(15)
    found = run()["delta"]
    assert (found["status"], found["failures"]) == ("warn", 1)
    assert (found["measured"]["previous"], found["measured"]["row_count"]) == (105, 120)
    shop.execute("truncate history.sales")
    found = run()["delta"]
    assert (found["status"], found["measured"]["change_pct"]) == ("fail", -100)
    assert "from 120 to 0: more than 50 % (error_pct)" in found["message"]
    found = run()["delta"]
    assert found["status"] == "skipped"
    assert "fewer than 1 (min_row_count)" in found["message"]


def test_columns_groups_and_distributions_against_what_they_were(
    shop: Shop, check: Callable[..., Check]
) -> None:
    each = {"bucket": "check", "min_history": 3}
    run = check(
        {"name": "amounts", "type": "column_anomaly", "column": "amount",
         "arguments": {**each, "monitors": ["avg", "null_share", "max"]}},
        {"name": "regions", "type": "group_anomaly",
         "arguments": {**each, "group_columns": ["region"]}},
        {"name": "shape", "type": "distribution_distance", "column": "amount",
         "arguments": {**each, "edges": [5, 50]}},
        {"name": "columns", "type": "schema_change", "arguments": {"fail_on_added": True}},
    )  # fmt: skip
    for _ in range(3):
        shop.sell(20)
        shop.sell(10, "south", "20")
        run()
        shop.execute("truncate history.sales")
    shop.sell(20)
    shop.sell(10, "south", "20")
    found = run()
    assert {found[name]["status"] for name in ("amounts", "regions", "shape", "columns")} == {
        "pass"
    }
    shop.execute("delete from history.sales where region = 'south'")
    shop.sell(20, "west", "100")
    shop.execute("alter table history.sales add note text, alter amount type float8")
    found = run()
    assert (found["amounts"]["status"], found["amounts"]["failures"]) == ("fail", 2)
    assert "null_share" not in found["amounts"]["message"]
    assert found["amounts"]["measured"]["avg"] == 55
    assert found["amounts"]["measured"]["avg_expected"] == pytest.approx(40 / 3)
    assert (found["regions"]["status"], found["regions"]["failures"]) == ("fail", 2)
    groups = {
        group["group"]["region"]: (group["status"], group["measured"]["row_count"])
        for group in found["regions"]["groups"]
    }
    assert groups == {"north": ("pass", 20), "south": ("fail", 0), "west": ("fail", 20)}
    assert "groups" not in found["regions"]["measured"]
    assert found["shape"]["status"] == "fail"
    assert found["shape"]["measured"]["moved_most"] in ("bucket_1", "bucket_2")
    assert found["columns"]["failures"] == 2
    assert "amount (numeric → double precision)" in found["columns"]["message"]
    assert "new: note" in found["columns"]["message"]
    assert run()["columns"]["status"] == "pass"  # it is what it was at the check before


def test_freshness_against_what_it_was(shop: Shop, check: Callable[..., Check]) -> None:
    run = check(
        {"name": "fresh", "type": "freshness_anomaly", "column": "day",
         "arguments": {"bucket": "check", "min_history": 3, "min_change_pct": 10}}
    )  # fmt: skip
    shop.sell(1, day="2025-11-01")
    for _ in range(3):
        assert run()["fresh"]["status"] == "skipped"
    assert run()["fresh"]["status"] == "pass"
    shop.execute("update history.sales set day = '2020-11-01'")
    found = run()["fresh"]
    assert found["status"] == "fail"
    assert found["measured"]["newest"] == "2020-11-01"
    shop.execute("truncate history.sales")
    assert run()["fresh"]["status"] == "fail"
    shop.sell(1, day="2025-11-01")
    assert run()["fresh"]["status"] == "pass"


def test_days_of_a_table_are_compared_with_other_days(
    shop: Shop, check: Callable[..., Check]
) -> None:
    """Checks of one day each, all made now: a day again is not compared with itself."""
    run = check(volume(bucket="day"))

    def of(day: str) -> list[dict[str, Any]]:
        return [{"column": "day", "op": "=", "value": day}]

    for day, count in (("2026-03-01", 10), ("2026-03-02", 12), ("2026-03-03", 11)):
        shop.sell(count, day=day)
        assert run(of(day))["volume"]["status"] == "skipped"
    shop.sell(40, day="2026-03-04")
    for _ in range(3):
        found = run(of("2026-03-04"))["volume"]
        assert (found["status"], found["measured"]["history"]) == ("fail", 3)
        assert found["measured"]["expected"] == pytest.approx(11)
    other = [{"column": "region", "op": "=", "value": "north"}]
    assert run(other)["volume"]["message"] == "not enough history (0 of 3)"


def test_a_day_counts_once_however_often_it_was_checked(
    shop: Shop, check: Callable[..., Check], postgres: EmbeddedPostgres
) -> None:
    run = check(volume(bucket="day"))
    for day in range(3, 0, -1):
        shop.execute("truncate history.sales")
        shop.sell(10 * day)
        run()
        shop.sell(1)
        run()
        with psycopg.connect(postgres.url()) as db:
            db.execute(
                "update measurement set at = at - interval '1 day' where table_id = "
                "(select id from monitored_table where name = 'history.sales')"
            )
    found = run()["volume"]
    assert found["measured"]["history"] == 3
    assert found["measured"]["expected"] == pytest.approx((31 + 21 + 11) / 3)


def test_what_a_worker_measured_is_judged_when_it_is_posted(
    shop: Shop, call: Callable[..., requests.Response], table: Callable[..., int]
) -> None:
    arguments = {"bucket": "check", "min_history": 2, "group_columns": ["region"]}
    table("history.sales", {"name": "regions", "type": "group_anomaly", "arguments": arguments})

    def work(check_id: str, groups: list[list[Any]]) -> dict[str, Any]:
        wanted = {"id": check_id, "request": {"table": "history.sales"}}
        body = {"worker": "w", "requests": [wanted]}
        answer = call("POST", "/claims", json=body)
        assert answer.status_code == 200, answer.text
        [claim] = answer.json()["claims"]
        rows = sum(group[-1] for group in groups)
        text = json.dumps(groups)
        outcome = measured(0, datetime.now(UTC)).model_dump(mode="json")
        outcome["results"][0] |= {
            "rule": "regions",
            "type": "group_anomaly",
            "measured": {"n_rows": rows, "n_groups": len(groups), "groups": text},
        }
        posted = {"id": check_id, "fence": claim["fence"], "outcome": outcome}
        answer = call("POST", "/outcomes", json={"outcomes": [posted]})
        assert answer.json()["outcomes"][0]["result"] == "stored", answer.text
        [result] = call("GET", f"/checks/{check_id}").json()["results"]
        return dict(result)

    for number in range(2):
        assert work(f"worker-check-{number}", [["n", 5], [None, 2]])["status"] == "skipped"
    result = work("worker-check-2", [["n", 5]])
    assert (result["status"], result["failures"]) == ("fail", 1)
    assert [group["group"] for group in result["groups"]] == [{"region": None}, {"region": "n"}]
    assert result["message"] == "NULL is 0, and was always 2 of 2 earlier values"


def test_stored_checks_are_judged_again_without_the_target(
    shop: Shop, check: Callable[..., Check], postgres: EmbeddedPostgres
) -> None:
    nulls = {"name": "known", "type": "not_null", "column": "region"}
    rows = {"name": "rows", "type": "row_count_between", "arguments": {"min_value": 1}}
    run = check(volume(), nulls, rows)
    for count in (10, 1, 1):
        shop.sell(count)
        run()
    shop.execute("insert into history.sales values (null, 1, null), (null, 2, null)")
    assert run()["volume"]["status"] == "pass"
    shop.sell(50)
    assert run()["volume"]["status"] == "fail"
    shop.execute("drop table history.sales")
    mild = [
        Rule.model_validate({**volume(sensitivity=100)}),
        Rule.model_validate({**nulls, "error_if": "> 5%"}),
        Rule.model_validate({**rows, "arguments": {"min_value": 11}}),
    ]
    database = create_engine(postgres.url().replace("postgresql:", "postgresql+psycopg:"))
    with database.connect() as db:
        query = text("select id from monitored_table where name = 'history.sales'")
        table_id = db.execute(query).scalar_one()
        span = {"since": None, "until": None, "cursor": None}
        found = replays.page(db, table_id, mild, limit=4, **span)
        assert found.next_cursor is not None
        rest = replays.page(db, table_id, mild, limit=4, **{**span, "cursor": found.next_cursor})
        narrowed = Rule.model_validate(
            {**volume(), "where": [{"column": "region", "op": "=", "value": "x"}]}
        )
        other = replays.page(db, table_id, [narrowed], limit=1, **span)
    database.dispose()
    assert [(one["before"], one["after"]) for one in found.items + rest.items] == [
        ("fail", "warn"), ("fail", "fail"), ("pass", "pass"), ("pass", "pass"), ("pass", "fail"),
    ]  # fmt: skip
    newest, with_nulls, *_, first = found.items + rest.items
    assert {one["rule"]: (one["before"], one["after"]) for one in newest["rules"]} == {
        "volume": ("fail", "pass"),
        "known": ("fail", "warn"),
    }
    assert with_nulls["rules"] == []
    assert [(one["rule"], one["after"]) for one in first["rules"]] == [("rows", "fail")]
    [one] = other.items[0]["rules"]
    assert one["reason"] == "not replayable: its where changed"
    assert one["after"] == one["before"] == "fail"


def test_tried_rules_are_judged_by_history_and_leave_none(
    shop: Shop, call: Callable[..., requests.Response], table: Callable[..., int]
) -> None:
    table_id = table("history.sales", volume())
    shop.sell(10)
    check = {"table": "history.sales", "mode": "sync"}
    for _ in range(3):
        assert call("POST", "/checks", json=check).status_code == 200
    shop.sell(10)
    tried = {"rules": [volume(), {**volume(), "name": "other"}]}
    for _ in range(2):
        answer = call("POST", f"/tables/{table_id}/dry-run", json=tried)
        assert answer.status_code == 200, answer.text
        first, second = answer.json()["results"]
        assert (first["status"], first["measured"]["history"]) == ("fail", 3)
        assert second["message"] == "not enough history (0 of 3)"
    listed = call("GET", f"/tables/{table_id}/measurements", params={"rule": "volume"}).json()
    assert [one["measured"]["row_count"] for one in listed["items"]] == [10, 10, 10]


def test_replay_through_the_api(
    shop: Shop, call: Callable[..., requests.Response], table: Callable[..., int]
) -> None:
    table_id = table("history.sales", volume())
    check = {"table": "history.sales", "mode": "sync"}
    for count in (10, 1, 1, 500):
        shop.sell(count)
        assert call("POST", "/checks", json=check).status_code == 200
    tolerant = volume(method="robust", sensitivity=100, min_change_pct=100_000)
    for body, after in (({"rules": [tolerant]}, "pass"), ({}, "fail")):
        answer = call("POST", f"/tables/{table_id}/replay", json=body)
        assert answer.status_code == 200, answer.text
        newest, *older = answer.json()["items"]
        assert (newest["before"], newest["after"]) == ("fail", after)
        assert [one["after"] for one in older] == ["error"] * 3  # nothing but skipped rules


@pytest.fixture
def store(new_database: Callable[[], str]) -> Iterator[Store]:
    store = Store(new_database())
    with store.database.begin() as db:
        columns = {"name": "columns", "type": "schema_change"}
        both = [Rule.model_validate(document) for document in (volume(), columns)]
        rules.replace(db, store.ids["shop.b"], both)
    yield store
    store.database.dispose()


def measured(count: int, at: datetime) -> CheckOutcome:
    """What the engine gives of the rule."""
    result = RuleResult(
        rule="volume",
        type="volume_anomaly",
        dimension="completeness",
        kind="engineering",
        severity="error",
        status="skipped",
        message="judged when stored",
        measured={"row_count": count},
    )
    return CheckOutcome(
        rule_set_hash="0" * 64, started_at=at, finished_at=at, duration_ms=1.0, results=(result,)
    )


def claimed(store: Store, *ids: str) -> dict[str, int]:
    claims = store.claim(*(asks(check_id, "shop.b") for check_id in ids))
    return {claim.id: claim.fence for claim in claims}


def test_two_workers_at_once_are_each_judged_by_what_was_there_before(store: Store) -> None:
    start = datetime.now(UTC) - timedelta(hours=1)
    past = [f"past-check-{number}" for number in range(4)]
    for number, (check_id, fence) in enumerate(claimed(store, *past).items()):
        store.store(Finished(check_id, fence, measured(100 + number, start)))
        start += timedelta(minutes=1)
    now = [f"check-of-now-{number}" for number in range(8)]
    fences = claimed(store, *now)
    barrier = threading.Barrier(len(now))
    answers: list[str] = []

    def work(number: int, check_id: str) -> None:
        barrier.wait()
        at = start + timedelta(seconds=number)
        answers.extend(store.store(Finished(check_id, fences[check_id], measured(900, at))))

    threads = [threading.Thread(target=work, args=one) for one in enumerate(now)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == ["stored"] * 8
    for number, check_id in enumerate(now):
        [result] = store.check(check_id)["results"]
        assert result["status"] in ("pass", "fail")
        history = result["measured"]["history"]
        assert 4 <= history <= 4 + number  # none of itself, none of what is later
        if history == 4:
            assert (result["status"], result["measured"]["expected"]) == ("fail", 101.5)
    with store.database.connect() as db:
        rows = checks_measured(db)
    assert sorted(rows) == sorted([*past, *now])


def test_a_check_of_each_morning_is_compared_with_that_of_the_same_day_a_week_ago(
    store: Store,
) -> None:
    """Twice a morning: the later count is that of the day, though it is not of its midnight."""
    document = {
        "name": "volume",
        "type": "row_count_delta",
        "arguments": {"bucket": "day", "days_back": 7, "error_pct": 5},
    }
    with store.database.begin() as db:
        rules.replace(db, store.ids["shop.b"], [Rule.model_validate(document)])
    last = datetime.now(UTC).replace(hour=6, minute=0, second=0) - timedelta(days=1)
    mornings = [f"morning-check-{number}" for number in range(20)]
    for number, (check_id, fence) in enumerate(claimed(store, *mornings).items()):
        days = 9 - number // 2
        at = last - timedelta(days=days) + timedelta(minutes=number)
        store.store(Finished(check_id, fence, measured(100 * days + number % 2, at)))
    [result] = store.check(mornings[-1])["results"]
    assert result["measured"]["previous"] == 701


def test_an_outcome_that_comes_twice_is_measured_once(store: Store) -> None:
    [(check_id, fence)] = claimed(store, "check-twice-1").items()
    one = Finished(check_id, fence, measured(5, datetime.now(UTC)))
    assert store.store(one, one) == ["stored", "replayed"]
    assert store.store(one) == ["replayed"]
    stale = Finished(check_id, fence + 1, measured(5, datetime.now(UTC)))
    assert store.store(stale) == ["replayed"]
    with store.database.connect() as db:
        assert checks_measured(db) == [check_id]


def test_measures_that_cannot_be_compared_are_an_error_of_the_rule_alone(store: Store) -> None:
    fences = claimed(store, "check-strange", "check-usual-1")
    strange = measured(1, datetime.now(UTC))
    [result] = strange.results
    bad = result.model_copy(update={"measured": {"row_count": "NaN"}})
    unknown = result.model_copy(update={"rule": "never_heard_of"})
    garbled = result.model_copy(update={"rule": "columns", "measured": {"columns": "{no json"}})
    strange = strange.model_copy(update={"results": (bad, unknown, garbled)})
    answers = store.store(
        Finished("check-strange", fences["check-strange"], strange),
        Finished("check-usual-1", fences["check-usual-1"], measured(1, datetime.now(UTC))),
    )
    assert answers == ["stored", "stored"]
    first, second, third = store.check("check-strange")["results"]
    assert (third["status"], third["measured"]) == ("error", {})
    assert third["message"] == "engine: what was measured cannot be compared"
    assert (first["status"], first["message"]) == ("skipped", "not enough history (0 of 3)")
    assert second["message"] == "the rule or its table was deleted meanwhile"
    with store.database.connect() as db:
        assert sorted(checks_measured(db)) == [
            "check-strange",
            "check-usual-1",
        ]  # not the garbled one
    assert store.check("check-usual-1")["results"][0]["status"] == "skipped"


def test_old_measurements_are_forgotten_in_batches(store: Store) -> None:
    fences = claimed(store, *(f"check-old-{number}" for number in range(6)))
    for check_id, fence in fences.items():
        store.store(Finished(check_id, fence, measured(5, datetime.now(UTC))))
    store.execute("update measurement set measured_at = now() - interval '31 days' where id <= 4")
    settings = ApiSettings(database_url=store.database.dsn, measurement_retention_days=30)
    assert Retention(store.database, settings).forget() == 4
    with store.database.connect() as db:
        assert checks_measured(db) == ["check-old-4", "check-old-5"]
    store.execute("delete from monitored_table where name = 'shop.b'")
    with store.database.connect() as db:
        assert checks_measured(db) == []


def checks_measured(db: Any) -> list[str]:
    """Which checks were measured."""

    return [
        row.check_id for row in db.execute(text("select check_id from measurement order by id"))
    ]


def test_a_check_without_such_rules_costs_no_statement_more(store: Store) -> None:
    [claim] = store.claim(asks("check-cheap-1", "shop.a"))
    at = datetime.now(UTC)
    outcome = CheckOutcome(
        rule_set_hash="0" * 64, started_at=at, finished_at=at, duration_ms=1.0, results=()
    )
    assert store.statements(lambda: store.store(Finished(claim.id, claim.fence, outcome))) == 1
