"""What a check ran, what it kept, and why a table's verdict changed; straight at the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.differences import difference, in_force
from api.retention import Retention
from api.store import claims, rules, samples, tables, verdicts, versions
from api.store.outcomes import Finished
from api.store.rule_sets import RuleSets
from quality.checks import Sample, Selection
from quality.rules import Rule
from quality.settings import ApiSettings
from tests.api.stores import Store, asks, found

KNOWN = Rule(type="not_null", column="x")
ORIGIN = {"column": "origin", "op": "=", "value": "JFK"}


class Table:
    """`shop.a`, checked and changed one after the other."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.id = store.ids["shop.a"]
        self.checks = 0

    def check(self, *statuses: str, **request: Any) -> str:
        self.checks += 1
        check_id = f"request-{self.checks}"
        [claim] = self.store.claim(asks(check_id, **request))
        self.store.store(Finished(check_id, claim.fence, found(*statuses)))
        return check_id

    def rules(self, *new: Rule) -> None:
        with self.store.database.begin() as db:
            rules.replace(db, self.id, list(new))

    def changes(self) -> list[dict[str, Any]]:
        """Oldest first."""
        with self.store.database.connect() as db:
            return verdicts.page(db, self.id, limit=50, cursor=None).items[::-1]

    def causes(self) -> list[tuple[str, str, str]]:
        return [(one["before"], one["after"], one["cause"]) for one in self.changes()]


@pytest.fixture
def table(store: Store) -> Table:
    return Table(store)


def changed(rule: Rule, **fields: Any) -> Rule:
    return Rule.model_validate({**rule.document(), **fields})


def test_with_the_same_rules_the_data_changed_a_verdict(table: Table) -> None:
    first = table.check("pass")
    table.check("pass")
    table.check("error", scope=(ORIGIN,))
    table.check("error", select={"rules": ("not_null_x",)})
    last = table.check("fail")
    [change] = table.changes()
    assert (change["before"], change["after"], change["cause"]) == ("pass", "fail", "data")
    assert change["check_id"] == last
    assert change["before_check_id"] != first  # the newest whole check before
    assert change["before_version"] == change["after_version"]


def test_other_rules_changed_a_verdict(table: Table) -> None:
    table.rules(KNOWN)
    table.check("fail")
    table.rules(changed(KNOWN, severity="warn"))
    table.check("warn")
    table.rules()
    table.check()
    assert table.causes() == [("fail", "warn", "rules"), ("warn", "no_rules", "rules")]
    first = table.changes()[0]
    with table.store.database.connect() as db:
        both = versions.rules_of(db, table.id, (first["before_version"], first["after_version"]))
    fields = difference(both[first["before_version"]], both[first["after_version"]])["changed"]
    assert fields[0]["fields"] == {"severity": {"before": "error", "after": "warn"}}


def test_other_rows_that_the_rules_look_at_changed_a_verdict(table: Table) -> None:
    table.rules(KNOWN)
    table.check("fail")
    table.rules(changed(KNOWN, where=[ORIGIN]))
    table.check("pass")
    table.rules(changed(KNOWN, where=[ORIGIN], error_if="> 5"))
    table.check("fail")
    assert table.causes() == [("fail", "pass", "scope"), ("pass", "fail", "rules")]


@pytest.mark.parametrize(
    "change",
    [
        lambda rule: (changed(rule, description="explained", owner="ana", tags=["x"], weight=3),),
        lambda rule: (rule, changed(rule, name="shadow", type="unique", is_shadow=True)),
        lambda rule: (rule, changed(rule, name="later", valid_from="2999-01-01T00:00:00Z")),
        lambda rule: (rule, changed(rule, name="off", is_active=False)),
        lambda rule: (changed(rule, name="renamed"),),
    ],
    ids=["described", "shadow", "not yet valid", "inactive", "renamed"],
)
def test_a_change_that_cannot_decide_a_verdict_is_not_its_cause(
    table: Table, change: Callable[[Rule], tuple[Rule, ...]]
) -> None:
    table.rules(KNOWN)
    table.check("pass")
    table.rules(*change(KNOWN))
    table.check("fail")
    assert table.causes() == [("pass", "fail", "data")]
    [one] = table.changes()
    assert one["after_version"] == one["before_version"] + 1


def test_a_check_that_could_not_be_made_is_the_cause_of_its_own(table: Table) -> None:
    table.check("pass")
    table.check("error")
    table.check("pass")
    assert table.causes() == [("pass", "error", "error"), ("error", "pass", "error")]


def test_changes_of_many_tables_are_told_by_one_batch(store: Store) -> None:
    for number, statuses in enumerate((("pass", "fail"), ("fail", "fail"))):
        batch = [asks(f"request-{number}-{name}", name) for name in store.ids]
        claimed = store.claim(*batch)
        store.store(
            *(
                Finished(one.id, one.fence, found(status))
                for one, status in zip(claimed, statuses, strict=True)
            )
        )
    with store.database.connect() as db:
        pages = [verdicts.page(db, key, limit=50, cursor=None).items for key in store.ids.values()]
    assert [[one["before"] + one["after"] for one in items] for items in pages] == [
        ["passfail"],
        [],
    ]


def test_shadow_rules_count_for_nothing(table: Table) -> None:
    check_id = "request-1"
    [claim] = table.store.claim(asks(check_id))
    outcome = found("pass", "fail")
    shadow = outcome.results[1].model_copy(update={"is_shadow": True})
    outcome = outcome.model_copy(update={"results": (outcome.results[0], shadow)})
    table.store.store(Finished(check_id, claim.fence, outcome))
    shown = table.store.check(check_id)
    assert (shown["status"], shown["counts"], shown["score"]) == ("pass", {"pass": 1}, 1.0)
    assert [one["is_shadow"] for one in shown["results"]] == [False, True]
    with table.store.database.connect() as db:
        assert tables.get(db, table.id)["last_status"] == "pass"


def test_a_rule_runs_from_its_beginning_to_its_end(table: Table) -> None:
    now = datetime.now(UTC)
    ends = now + timedelta(seconds=1)
    table.rules(
        KNOWN,
        changed(KNOWN, name="ending", valid_to=ends),
        changed(KNOWN, name="coming", valid_from=ends, valid_to="2999-01-01T00:00:00Z"),
        changed(KNOWN, name="past", valid_to="2020-01-01T00:00:00+01:00"),
    )
    [before] = table.store.claim(asks("request-1"))
    while datetime.now(UTC) <= ends:
        time.sleep(0.05)
    [after] = table.store.claim(asks("request-2"))
    [kept] = table.store.claim(asks("request-3"))
    assert [names_of(one) for one in (before, after, kept)] == [
        ["not_null_x", "ending"],
        ["not_null_x", "coming"],
        ["not_null_x", "coming"],
    ]
    assert kept.rule_set is after.rule_set
    with table.store.database.connect() as db:
        subjects, moment = RuleSets(1).subjects(db, [asks("request-4").body])
    [subject] = subjects.values()
    later = subject.chosen(Selection(), moment + timedelta(days=400_000))  # type: ignore[union-attr]
    assert [rule.name for rule in later.rule_set.rules] == ["not_null_x"]


def test_the_databases_clock_says_which_rules_are_in_force(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.rules(KNOWN, changed(KNOWN, name="coming", valid_from="2998-01-01T00:00:00Z"))
    table.store.claim(asks("request-1"))

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2999, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(claims, "datetime", Ahead)
    [claim] = table.store.claim(asks("request-2"))
    assert names_of(claim) == ["not_null_x"]


def test_what_was_in_force_is_told_from_stored_rules() -> None:
    stored = [changed(KNOWN, name="ended", valid_to="2026-01-01T00:00:00Z").document()]
    assert in_force(stored, datetime(2025, 12, 31, tzinfo=UTC)) == stored
    assert in_force(stored, datetime(2026, 1, 1, tzinfo=UTC)) == []


def test_a_relative_time_is_that_of_when_the_request_was_taken(table: Table) -> None:
    scope = ({"column": "placed", "op": ">=", "value": "now-1d"},)
    before = datetime.now(UTC)
    [first] = table.store.claim(asks("request-1", scope=scope))
    [predicate] = first.scope
    assert isinstance(predicate.value, dict)
    moment = datetime.fromisoformat(predicate.value["timestamp"])
    assert before <= moment + timedelta(days=1) <= datetime.now(UTC)
    table.store.execute("update check_run set lease_until = now()")
    [again] = table.store.claim(asks("request-1", scope=scope))
    assert (again.outcome, again.fence, again.scope) == ("claimed", 2, first.scope)
    shown = table.store.check("request-1")
    assert shown["scope"] == [predicate.document()]
    assert shown["request"]["scope"] == list(scope)
    [other] = table.store.claim(asks("request-1", scope=({**scope[0], "value": "now-2d"},)))
    assert other.error is not None
    assert other.error.code == "idempotency_key_reused"


def test_a_fixed_scope_stays_as_it_was_asked(table: Table) -> None:
    table.check("pass", scope=(ORIGIN,))
    assert table.store.check("request-1")["scope"] == [ORIGIN]
    table.check("pass")
    assert table.store.check("request-2")["scope"] == []


def test_samples_are_kept_for_some_days(table: Table) -> None:
    sample = Sample(columns=("id",), rows=(("1",), ("2",)), sql="select 1")
    for number in range(3):
        [claim] = table.store.claim(asks(f"request-{number}"))
        outcome = found("fail", "pass")
        with_sample = outcome.results[0].model_copy(update={"sample": sample})
        outcome = outcome.model_copy(update={"results": (with_sample, outcome.results[1])})
        table.store.store(Finished(claim.id, claim.fence, outcome))
    table.store.execute(
        "update rule_sample set created_at = now() - interval '8 days' where check_id < 'request-2'"
    )
    settings = ApiSettings(database_url="postgresql://h/d", sample_retention_days=7)
    retention = Retention(table.store.database, settings)
    assert (retention.forget(), retention.forget()) == (2, 0)
    with table.store.database.connect() as db:
        assert samples.of_check(db, "request-1") == []
        [kept] = samples.of_check(db, "request-2")
    assert (kept["rule"], kept["rows"]) == ("rule_0", [["1"], ["2"]])
    assert len(table.store.check("request-0")["results"]) == 2


def names_of(claim: Any) -> list[str]:
    return [rule.name for rule in claim.rule_set.rules]
