"""Replay: what was counted and measured then, under rules as they are now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quality.checks import Group, RuleResult
from quality.history import Earlier
from quality.history.replay import Kept, ReplayedCheck, StoredCheck, replay
from quality.rules import Rule

AT = datetime(2026, 3, 18, 12, tzinfo=UTC)


def rule(**fields: Any) -> Rule:
    return Rule.model_validate({"name": "r", "type": "not_null", "column": "x", **fields})


def result(**fields: Any) -> RuleResult:
    return RuleResult.model_validate(
        {
            "rule": "r", "type": "not_null", "dimension": "completeness", "kind": "business",
            "severity": "error", "status": "fail", "failures": 5, "failing_rows": 5,
            "rows_tested": 1000, "measured": {"failures": 5}, **fields,
        }
    )  # fmt: skip


def replayed(was: Rule, now: Rule, found: RuleResult, kept: Kept | None = None) -> ReplayedCheck:
    check = StoredCheck("check-1", AT, "fail", (found,), {"r": was}, {"r": kept} if kept else {})
    return replay(check, [now])


def outcome(was: Rule, now: Rule, found: RuleResult, kept: Kept | None = None) -> Any:
    """The new status, or why there is none."""
    answer = replayed(was, now, found, kept)
    if not answer.rules:
        return found.status
    [one] = answer.rules
    if one.reason is not None:
        assert one.after == one.before
        assert one.reason.startswith("not replayable: ")
        return one.reason.removeprefix("not replayable: ")
    return one.after


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "fail"),
        ({"error_if": "> 4"}, "fail"),
        ({"error_if": "> 5"}, "warn"),
        ({"error_if": "> 5", "warn_if": "> 5"}, "pass"),
        ({"severity": "warn"}, "warn"),
        ({"error_if": ">= 0.5%"}, "fail"),
        ({"error_if": "> 0.5%"}, "warn"),
        ({"error_if": "> 0.5%", "warn_if": "> 50%"}, "pass"),
    ],
)
def test_thresholds_and_severity(changes: dict[str, Any], status: str) -> None:
    assert outcome(rule(), rule(**changes), result()) == status


def test_a_pass_may_become_a_failure() -> None:
    lenient = rule(error_if="> 10", warn_if="> 10")
    passed = result(status="pass", failures=0)
    answer = replayed(lenient, rule(), passed)
    assert (answer.before, answer.after) == ("fail", "fail")
    [one] = answer.rules
    assert (one.before, one.after, one.failures) == ("pass", "fail", 5)


def test_counts_that_were_not_kept_are_not_guessed() -> None:
    passed = result(status="pass", failures=0, measured={}, failing_rows=None)
    assert outcome(rule(), rule(error_if="> 9"), passed) == "pass"
    lenient = rule(error_if="> 10", warn_if="> 10")
    assert outcome(lenient, rule(), passed) == "how many failed was not kept"
    failed = result(failing_rows=None)
    assert outcome(rule(), rule(error_if="> 1%"), failed) == "how many rows failed was not kept"
    estimated = result(rows_estimated=True)
    words = "how many rows were tested was not kept"
    assert outcome(rule(), rule(error_if="> 1%"), estimated) == words


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"where": [{"column": "a", "op": "=", "value": 1}]}, "its where changed"),
        ({"column": "y"}, "its column changed"),
        ({"type": "unique"}, "its type changed"),
        ({"group_by": ["a"]}, "its group_by changed"),
        ({"type": "not_empty_string"}, "its type changed"),
    ],
)
def test_other_rows_or_questions_are_not_replayable(changes: dict[str, Any], reason: str) -> None:
    assert outcome(rule(), rule(**changes), result()) == reason


def test_changed_arguments() -> None:
    was = rule(type="accepted_values", arguments={"values": ["a"]})
    now = rule(type="accepted_values", arguments={"values": ["a", "b"]})
    assert outcome(was, now, result()) == "its argument values changed"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [({"min_value": 100}, "pass"), ({"min_value": 101}, "fail"),
     ({"min_value": 1, "max_value": 99}, "fail"), ({"max_value": 100}, "pass")],
)  # fmt: skip
def test_bounds_are_compared_with_the_number_that_was_measured(
    arguments: dict[str, Any], status: str
) -> None:
    was = rule(type="row_count_between", column=None, arguments={"min_value": 5})
    now = rule(type="row_count_between", column=None, arguments=arguments)
    counted = result(status="pass", failures=0, failing_rows=None, measured={"n_rows": 100})
    assert outcome(was, now, counted) == status
    unknown = result(status="pass", failures=0, failing_rows=None, measured={"failures": 0})
    assert outcome(was, now, unknown) == "what it measured was not kept"


def test_shares_are_compared_exactly() -> None:
    was = rule(type="not_null_proportion", arguments={"at_least": 0.5})
    counted = result(status="pass", failures=0, measured={"n_rows": 10, "n_values": 7})
    for least, status in ((0.7, "pass"), (0.71, "fail")):
        now = rule(type="not_null_proportion", arguments={"at_least": least})
        assert outcome(was, now, counted) == status


def test_what_was_not_judged_stays_so() -> None:
    broken = result(status="error", failures=None, measured={})
    assert outcome(rule(), rule(severity="warn"), broken) == "it could not be judged then"
    check = StoredCheck("c", AT, "error", (), {}, error="timeout")
    assert replay(check, [rule()]).after == "error"
    check = StoredCheck("c", AT, "fail", (result(),), {})
    [one] = replay(check, [rule()]).rules
    assert one.reason == "not replayable: how it was defined then is not known"


def test_the_verdict_is_that_of_the_rules_that_were_part_of_the_check() -> None:
    rules = [rule(severity="warn"), rule(name="new")]
    check = StoredCheck("c", AT, "fail", (result(), result(rule="gone")), {"r": rule()})
    answer = replay(check, rules)
    assert (answer.before, answer.after) == ("fail", "warn")
    assert [(one.rule, one.after) for one in answer.rules] == [("r", "warn"), ("new", None)]
    shadow = rule(is_shadow=True)
    assert replay(check, [shadow]).after == "no_rules"
    assert replay(check, [rule(is_active=False)]).rules == ()
    assert replay(check, [rule(valid_from=AT + timedelta(days=1))]).after == "no_rules"


def test_groups_are_judged_again_each() -> None:
    was = rule(group_by=["a"])
    groups = tuple(
        Group(group={"a": name}, status="fail", failures=count, failing_rows=count,
              rows_tested=100, measured={"failures": count})
        for name, count in (("x", 4), ("y", 1))
    )  # fmt: skip
    found = result(groups=[group.model_dump() for group in groups])
    assert outcome(was, rule(group_by=["a"], error_if="> 4%"), found) == "warn"
    assert outcome(was, rule(group_by=["a"], error_if="> 3%"), found) == "fail"
    more = result(groups=[group.model_dump() for group in groups], groups_left_out=1)
    assert outcome(was, rule(group_by=["a"], error_if="> 3%"), more) == "fail"
    words = "some of its groups were not kept"
    assert outcome(was, rule(group_by=["a"], error_if="> 4%"), more) == words


def test_rules_on_history_are_judged_by_the_history_of_that_moment() -> None:
    def volume(**arguments: Any) -> Rule:
        arguments = {"min_history": 3, **arguments}
        return rule(type="volume_anomaly", column=None, arguments=arguments)

    earlier = [Earlier(AT - timedelta(days=3 - n), {"row_count": 99 + n}) for n in range(3)]
    kept = Kept(AT, {"row_count": 104}, earlier)
    found = result(status="fail", failures=1, measured={"row_count": 104}, failing_rows=None)
    assert outcome(volume(), volume(), found, kept) == "fail"
    assert outcome(volume(), volume(sensitivity=5), found, kept) == "pass"
    assert outcome(volume(), volume(min_history=4), found, kept) == "skipped"
    assert outcome(volume(), volume(direction="down"), found, kept) == "pass"
    timed = volume(timestamp_column="at")
    assert outcome(volume(), timed, found, kept) == "its arguments changed"
    assert outcome(volume(), volume(sensitivity=5), found) == "what it measured was not kept"


def test_as_a_document() -> None:
    document = replayed(rule(), rule(severity="warn"), result()).document()
    assert document == {
        "check_id": "check-1", "at": AT.isoformat(), "before": "fail", "after": "warn",
        "rules": [
            {"rule": "r", "before": "fail", "after": "warn", "failures": 5, "reason": None}
        ],
    }  # fmt: skip
