"""Judging by history: windows, expectations, distances, and each rule type on them."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from quality.history import Earlier, Judged, definition_hash, judge, reach, series_of
from quality.history.distance import distance
from quality.history.expectation import expectation
from quality.history.training import bucket_start, training_window
from quality.history.values import number_of
from quality.predicates import Predicate
from quality.rules import Rule

NOW = datetime(2026, 3, 18, 12, tzinfo=UTC)  # a Wednesday


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def rule(type_: str, column: str | None = None, **arguments: Any) -> Rule:
    options = {name: arguments.pop(name) for name in ("severity", "warn_if", "error_if", "where")
               if name in arguments}  # fmt: skip
    return Rule.model_validate({"type": type_, "column": column, "arguments": arguments, **options})


def daily(*values: Any, name: str = "row_count") -> list[Earlier]:
    """One value a day, the last one of yesterday."""
    return [
        Earlier(days_ago(len(values) - place), {name: value}) for place, value in enumerate(values)
    ]


def judged_volume(value: Any, *earlier: Any, **arguments: Any) -> Judged:
    arguments = {"min_history": 3, **arguments}
    return judge(rule("volume_anomaly", **arguments), {"row_count": value}, daily(*earlier), NOW)


# --- windows


def test_buckets_begin_in_utc_and_weeks_on_monday() -> None:
    moment = datetime(2026, 3, 18, 1, 30, 5, tzinfo=UTC).astimezone(
        datetime.fromisoformat("2026-03-18T00:00:00-05:00").tzinfo
    )
    assert bucket_start(moment, "hour") == datetime(2026, 3, 18, 1, tzinfo=UTC)
    assert bucket_start(moment, "day") == datetime(2026, 3, 18, tzinfo=UTC)
    assert bucket_start(moment, "week") == datetime(2026, 3, 16, tzinfo=UTC)
    assert bucket_start(moment, "check") == moment


def test_the_last_value_of_each_bucket_counts_and_none_of_its_own_or_later_ones() -> None:
    points = [
        (days_ago(2.2), 1), (days_ago(2.1), 2), (days_ago(1), 3),
        (NOW - timedelta(hours=3), 4), (NOW, 5), (NOW + timedelta(days=1), 6),
    ]  # fmt: skip
    assert training_window(points, NOW, bucket="day", days=28) == [2, 3]
    assert training_window(points, NOW, bucket="check", days=28) == [1, 2, 3, 4]
    assert training_window(points, NOW, bucket="hour", days=2) == [3, 4]
    assert training_window(points, NOW, bucket="week", days=28) == []


def test_a_window_ends_after_so_many_days() -> None:
    points = [(days_ago(number), number) for number in range(40, 0, -1)]
    assert training_window(points, NOW, bucket="day", days=3) == [3, 2, 1]


def test_with_seasonality_only_the_same_day_of_the_week_counts() -> None:
    points = [(days_ago(number), number) for number in range(40, 0, -1)]
    found = training_window(points, NOW, bucket="day", days=28, seasonality="day_of_week")
    assert found == [28, 21, 14, 7]


# --- numbers


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3.0), (2.5, 2.5), ("12.50000000000000000", 12.5), ("1e3", 1000.0), (None, None),
        ("NaN", None), (math.nan, None), ("Infinity", None), (math.inf, None), (1e200, None),
        (True, None), ("north", None), ("infinity", None), ("", None), ([], None),
        ("1970-01-02", 86_400.0), ("1970-01-01 01:00:00+01", 0.0), ("1970-01-01 00:00:10", 10.0),
    ],
)  # fmt: skip
def test_values_as_numbers(value: object, number: float | None) -> None:
    assert number_of(value) == number


def test_the_mean_and_the_sample_standard_deviation() -> None:
    """NIST/SEMATECH e-Handbook, 1.3.5.6: these eight have mean 5 and s = sqrt(32 / 7)."""
    found = expectation([2, 4, 4, 4, 5, 5, 7, 9], "zscore")
    assert (found.center, found.count) == (5, 8)
    assert found.spread == pytest.approx(math.sqrt(32 / 7))
    assert found.score(5 + 2 * math.sqrt(32 / 7)) == pytest.approx(2)


def test_the_modified_z_score_is_that_of_iglewicz_and_hoaglin() -> None:
    """M = 0.6745 (x - median) / MAD: median 3, deviations 2 1 0 1 97, MAD 1."""
    found = expectation([1, 2, 3, 4, 100], "robust")
    assert found.center == 3
    assert found.score(100) == pytest.approx(0.6745 * 97)


def test_where_most_values_are_the_same_the_mean_deviation_stands_in() -> None:
    found = expectation([5, 5, 5, 5, 9], "robust")
    assert found.spread == pytest.approx(1.253314 * 0.8)


@pytest.mark.parametrize("method", ["zscore", "robust"])
def test_values_that_are_all_the_same_have_no_spread_from_rounding(method: Any) -> None:
    found = expectation([0.1] * 7, method)
    assert (found.center, found.spread) == (0.1, 0.0)
    assert found.score(0.1) == 0.0
    assert found.score(0.2) is None


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("psi", 0.1 * math.log(0.5 / 0.4) - 0.1 * math.log(0.5 / 0.6)),
        ("kl", 0.5 * math.log(0.5 / 0.4) + 0.5 * math.log(0.5 / 0.6)),
        ("chi2", 0.01 / 0.4 + 0.01 / 0.6),
    ],
)
def test_distances_by_hand(method: Any, expected: float) -> None:
    assert distance([0.5, 0.5], [0.4, 0.6], method) == pytest.approx(expected)
    assert distance([0.3, 0.7], [0.3, 0.7], method) == pytest.approx(0)
    assert math.isfinite(distance([1, 0], [0, 1], method))


# --- one number


def test_too_little_history_is_no_judgement() -> None:
    found = judged_volume(5, 5, 5)
    assert (found.status, found.failures) == ("skipped", None)
    assert found.message == "not enough history (2 of 3)"
    assert found.measured == {"row_count": 5}


def test_a_value_near_the_others_passes_and_shows_what_it_was_compared_with() -> None:
    found = judged_volume(103, 99, 101, 100)
    assert (found.status, found.failures, found.message) == ("pass", 0, None)
    assert found.measured == {
        "row_count": 103, "expected": 100, "low": 97, "high": 103, "history": 3, "score": 3.0,
    }  # fmt: skip


def test_a_value_far_away_fails_and_says_so() -> None:
    found = judged_volume(104, 99, 101, 100)
    assert (found.status, found.failures) == ("fail", 1)
    assert found.message == (
        "row_count is 104, expected 97 to 103 (centre 100 of 3 earlier values, score 4)"
    )


@pytest.mark.parametrize(
    ("direction", "above", "below"),
    [("both", "fail", "fail"), ("up", "fail", "pass"), ("down", "pass", "fail")],
)
def test_direction(direction: str, above: str, below: str) -> None:
    assert judged_volume(104, 99, 101, 100, direction=direction).status == above
    assert judged_volume(96, 99, 101, 100, direction=direction).status == below


def test_severity_and_thresholds_are_those_of_every_rule() -> None:
    assert judged_volume(104, 99, 101, 100, severity="warn").status == "warn"
    found = judged_volume(104, 99, 101, 100, error_if="> 1")
    assert (found.status, found.failures) == ("warn", 1)
    found = judged_volume(104, 99, 101, 100, error_if="> 1", warn_if="> 1")
    assert (found.status, found.failures) == ("pass", 0)


def test_without_spread_every_other_value_is_an_anomaly_unless_small_changes_are_allowed() -> None:
    assert judged_volume(100, 100, 100, 100).status == "pass"
    found = judged_volume(101, 100, 100, 100)
    assert found.status == "fail"
    assert found.message == "row_count is 101, and was always 100 of 3 earlier values"
    assert found.measured["score"] is None
    assert judged_volume(101, 100, 100, 100, min_change_pct=1).status == "pass"
    assert judged_volume(102, 100, 100, 100, min_change_pct=1).status == "fail"


def test_an_outlier_in_the_past_hides_one_from_the_mean_but_not_from_the_median() -> None:
    past = (100, 101, 99, 100, 1000)
    assert judged_volume(500, *past).status == "pass"
    assert judged_volume(500, *past, method="robust").status == "fail"


def test_values_that_are_no_numbers_are_no_history() -> None:
    found = judged_volume(5, "NaN", None, 5, "x", 5)
    assert found.message == "not enough history (2 of 3)"
    assert judged_volume("NaN", 5, 5, 5).status == "skipped"
    assert judged_volume(None, 5, 5, 5).message == "row_count is no number"


def test_weekends_are_compared_with_weekends() -> None:
    """Six weeks of 100 a day and 10 on Wednesdays; NOW is one."""
    values = [10 if days_ago(42 - place).weekday() == 2 else 100 for place in range(42)]
    seasonal = {"seasonality": "day_of_week", "training_days": 49}
    assert judged_volume(10, *values, **seasonal).status == "pass"
    assert judged_volume(100, *values, **seasonal).status == "fail"
    assert judged_volume(10, *values, **seasonal).measured["history"] == 6


def test_an_empty_table_has_no_newest_value_which_fails() -> None:
    fresh = rule("freshness_anomaly", "at", min_history=3)
    earlier = daily(10, 11, 12, name="age_s")
    assert judge(fresh, {"age_s": 11, "newest": "x"}, earlier, NOW).status == "pass"
    assert judge(fresh, {"age_s": 1, "newest": "x"}, earlier, NOW).status == "pass"
    assert judge(fresh, {"age_s": 99, "newest": "x"}, earlier, NOW).status == "fail"
    found = judge(fresh, {"age_s": None, "newest": None}, earlier, NOW)
    assert (found.status, found.message) == ("fail", "there is no age_s: no row has a value")
    assert judge(fresh, {"age_s": None, "newest": None}, [], NOW).status == "skipped"


# --- columns


def column_measures(rows: int, nulls: int, avg: Any, lowest: Any = "2026-01-01") -> dict[str, Any]:
    return {"n_rows": rows, "n_values": rows - nulls, "avg": avg, "min": lowest}


def test_each_monitor_is_judged_for_itself() -> None:
    monitors = rule("column_anomaly", "x", monitors=["null_share", "avg", "min"], min_history=3)
    earlier = [
        Earlier(days_ago(3 - place), column_measures(100, 10 + place, "5.5")) for place in range(3)
    ]
    found = judge(monitors, column_measures(200, 22, 5.5), earlier, NOW)
    assert found.status == "pass"
    assert found.measured["null_share"] == pytest.approx(0.11)
    assert found.measured["min"] == number_of("2026-01-01")
    found = judge(monitors, column_measures(100, 90, 5.6, "2020-01-01"), earlier, NOW)
    assert (found.status, found.failures) == ("fail", 3)
    assert found.message is not None
    assert [part.split()[0] for part in found.message.split("; ")] == ["null_share", "avg", "min"]


def test_monitors_without_a_value_are_left_out() -> None:
    monitors = rule("column_anomaly", "x", monitors=["null_share", "avg"], min_history=3)
    earlier = [Earlier(days_ago(3 - n), column_measures(100, 100, None)) for n in range(3)]
    found = judge(monitors, column_measures(100, 100, None), earlier, NOW)
    assert (found.status, found.measured["avg"], found.measured["history"]) == ("pass", None, 3)
    found = judge(monitors, column_measures(0, 0, None), earlier, NOW)
    assert (found.status, found.message) == ("skipped", "no monitor has a value")
    found = judge(monitors, column_measures(100, 100, 5), earlier, NOW)  # avg has no history yet
    assert found.status == "pass"


# --- row counts


def judged_delta(value: int, *earlier: int, **arguments: Any) -> Judged:
    arguments = arguments or {"warn_pct": 10, "error_pct": 50}
    return judge(rule("row_count_delta", **arguments), {"row_count": value}, daily(*earlier), NOW)


@pytest.mark.parametrize(
    ("value", "status"),
    [(100, "pass"), (110, "pass"), (111, "warn"), (150, "warn"), (151, "fail"), (49, "fail")],
)
def test_delta_has_two_limits(value: int, status: str) -> None:
    assert judged_delta(value, 500, 100).status == status


def test_delta_of_severity_warn_never_fails() -> None:
    found = judged_delta(1000, 100, error_pct=50, severity="warn")
    assert (found.status, found.failures) == ("warn", 1)


def test_delta_looks_back_so_many_days() -> None:
    assert judged_delta(100, 100, 10, 10, error_pct=1, days_back=3).status == "pass"
    assert judged_delta(100, 100, 10, 10, error_pct=1, days_back=2).status == "fail"
    assert judged_delta(100, 10, 10, error_pct=1, days_back=3).status == "skipped"


@pytest.mark.parametrize(
    ("bucket", "days_back", "expected"),
    [("hour", 7, 107), ("day", 7, 107), ("week", 7, 103), ("week", 3, 103), ("check", 7, 108)],
)
def test_delta_looks_back_so_many_buckets_whenever_in_them_was_checked(
    bucket: str, days_back: int, expected: int
) -> None:
    """Checks each day, always some minutes later than NOW: 101 yesterday, 108 eight days ago. The
    last one of the week before NOW's is that of Sunday, three days ago less some minutes."""
    late = timedelta(minutes=10)
    earlier = [
        Earlier(days_ago(days) + late, {"row_count": 100 + days}) for days in range(20, 0, -1)
    ]
    delta = rule("row_count_delta", bucket=bucket, days_back=days_back, error_pct=5)
    found = judge(delta, {"row_count": 100}, earlier, NOW)
    assert found.measured["previous"] == expected
    limits = reach(delta, NOW)
    read = [one for one in earlier if limits.since <= one.at <= limits.until]
    assert judge(delta, {"row_count": 100}, read[-limits.count :], NOW) == found


def test_delta_of_partitions_looks_back_so_many_of_them() -> None:
    """Values of days, each about its midnight: that of a week ago, not of the day after it."""
    today = bucket_start(NOW, "day")
    delta = rule("row_count_delta", bucket="day", days_back=7, error_pct=5)
    limits = reach(delta, today)
    assert today - timedelta(days=7) <= limits.until < today - timedelta(days=6)
    earlier = [
        Earlier(today - timedelta(days=days), {"row_count": 100 + days}) for days in range(9, 0, -1)
    ]
    found = judge(delta, {"row_count": 100}, earlier, today)
    assert found.measured["previous"] == 107


def test_delta_with_direction_and_least_rows() -> None:
    assert judged_delta(10, 100, error_pct=1, direction="up").status == "pass"
    assert judged_delta(10, 100, error_pct=1, direction="down").status == "fail"
    found = judged_delta(10, 99, error_pct=1, min_row_count=100)
    assert found.message == "99 rows before are fewer than 100 (min_row_count)"


# --- groups, distributions, columns of the table


def group_measures(limit: int = 50, **rows: int) -> dict[str, Any]:
    listed = sorted(rows.items(), key=lambda one: -one[1])[:limit]
    return {"n_rows": sum(rows.values()), "n_groups": len(rows), "groups": json.dumps(listed)}


def judged_groups(now: dict[str, Any], *earlier: dict[str, Any], **arguments: Any) -> Judged:
    found = rule("group_anomaly", group_columns=["region"], min_history=3, **arguments)
    past = [Earlier(days_ago(len(earlier) - n), one) for n, one in enumerate(earlier)]
    return judge(found, now, past, NOW)


def test_groups_that_come_or_go_are_seen() -> None:
    before = [group_measures(a=10 + n, b=20) for n in range(3)]
    assert judged_groups(group_measures(a=11, b=20), *before).status == "pass"
    found = judged_groups(group_measures(a=11, c=5), *before)
    assert (found.status, found.failures) == ("fail", 2)
    assert [(one.group["region"], one.status) for one in found.groups] == [
        ("b", "fail"), ("c", "fail"), ("a", "pass"),
    ]  # fmt: skip
    assert found.measured["groups_judged"] == 3
    assert judged_groups(group_measures(a=11, c=5), *before[:2]).status == "skipped"
    gone = judged_groups(group_measures(), *before)
    assert (gone.failures, gone.measured["n_rows"]) == (2, 0)


def test_a_group_that_may_only_have_been_left_out_is_not_judged() -> None:
    before = [group_measures(limit=1, a=100, b=n) for n in range(3)]
    found = judged_groups(group_measures(limit=1, a=100, c=1), *before, max_groups=1)
    assert (found.status, found.groups_left_out) == ("pass", 1)
    found = judged_groups(group_measures(limit=1, c=101, a=100), *before, max_groups=1)
    assert found.measured["groups_judged"] == 0  # neither is a known to be 0, nor c known before


def bucket_measures(*counts: int) -> dict[str, Any]:
    return {f"bucket_{place}": count for place, count in enumerate(counts)}


def test_a_distribution_is_compared_with_the_mean_of_earlier_ones() -> None:
    shape = rule("distribution_distance", "x", edges=[10], min_history=2)
    earlier = [Earlier(days_ago(2), bucket_measures(40, 60)),
               Earlier(days_ago(1), bucket_measures(600, 400))]  # fmt: skip
    found = judge(shape, bucket_measures(5, 5), earlier, NOW)
    assert found.status == "pass"
    assert found.measured["distance"] == pytest.approx(0)
    found = judge(shape, bucket_measures(0, 10), earlier, NOW)
    assert (found.status, found.measured["moved_most"]) == ("fail", "bucket_0")
    assert judge(shape, bucket_measures(0, 0), earlier, NOW).status == "skipped"
    assert judge(shape, bucket_measures(5, 5), earlier[:1], NOW).status == "skipped"


def test_a_declared_distribution_needs_no_history() -> None:
    shape = rule("distribution_distance", "x", values=["a"], baseline=[1, 3], max=0.1)
    assert judge(shape, bucket_measures(25, 75), [], NOW).status == "pass"
    assert judge(shape, bucket_measures(75, 25), [], NOW).status == "fail"


def columns(**types: str) -> dict[str, Any]:
    return {"columns": json.dumps(list(types.items()))}


def test_columns_against_the_check_before_and_against_declared_ones() -> None:
    previous = rule("schema_change", fail_on_added=True)
    earlier = [Earlier(days_ago(2), columns(a="text")),
               Earlier(days_ago(1), columns(a="text", b="integer"))]  # fmt: skip
    assert judge(previous, columns(b="integer", a="text"), earlier, NOW).status == "pass"
    found = judge(previous, columns(a="bytea", c="date"), earlier, NOW)
    assert (found.status, found.failures) == ("fail", 3)
    assert found.message == "gone: b; of another type: a (text → bytea); new: c"
    assert judge(previous, columns(a="text"), [], NOW).message == "not enough history (0 of 1)"
    declared = rule(
        "schema_change", baseline="declared", declared={"a": "text"}, enforce_types=False
    )
    assert judge(declared, columns(a="bytea", more="text"), [], NOW).status == "pass"
    assert judge(declared, columns(more="text"), [], NOW).failures == 1


# --- arguments


@pytest.mark.parametrize(
    ("type_", "arguments", "words"),
    [
        ("row_count_delta", {}, "needs warn_pct, error_pct or both"),
        ("row_count_delta", {"warn_pct": 9, "error_pct": 5}, "must not be greater than error_pct"),
        ("volume_anomaly", {"timestamp_column": "at", "bucket": "check"}, "hour, day or week"),
        ("volume_anomaly", {"training_days": 3}, "min_history 7 needs 7 training_days"),
        ("volume_anomaly", {"seasonality": "day_of_week", "bucket": "week"}, "check, hour or day"),
        ("volume_anomaly", {"min_history": 1}, "one value has no spread"),
        ("column_anomaly", {"monitors": ["avg", "avg"]}, "one of them twice"),
        ("column_anomaly", {"monitors": []}, "at least 1 item"),
        ("distribution_distance", {}, "either edges"),
        ("distribution_distance", {"edges": [2, 1]}, "greater than the one before"),
        ("distribution_distance", {"edges": [1], "baseline": [1, 1, 1]}, "needs 2 shares"),
        ("distribution_distance", {"edges": [1], "baseline": [0, 0]}, "no share above 0"),
        ("schema_change", {"baseline": "declared"}, "go together"),
        ("group_anomaly", {"group_columns": ["a"], "max_groups": 101}, "less than or equal to 100"),
    ],
)  # fmt: skip
def test_arguments_that_cannot_be_meant_are_refused(
    type_: str, arguments: dict[str, Any], words: str
) -> None:
    takes_column = type_ in ("column_anomaly", "distribution_distance")
    with pytest.raises(ValidationError, match=words):
        rule(type_, "x" if takes_column else None, **arguments)


def test_a_percentage_of_rows_makes_no_sense_for_them() -> None:
    with pytest.raises(ValidationError, match="counts no rows"):
        rule("volume_anomaly", error_if="> 1%")


# --- series


def scope(*predicates: tuple[str, str, Any]) -> tuple[Predicate, ...]:
    return tuple(
        Predicate.model_validate({"column": column, "op": op, "value": value})
        for column, op, value in predicates
    )


def test_partitions_of_one_length_are_one_series_and_about_their_beginning() -> None:
    volume = rule("volume_anomaly")
    first = series_of(volume, scope(("day", "=", "2026-01-01"), ("region", "=", "n")), NOW)
    second = series_of(volume, scope(("region", "=", "n"), ("day", "=", "2026-01-02")), NOW)
    assert first.key == second.key
    assert (first.at, second.at) == (datetime(2026, 1, 1, tzinfo=UTC), first.at + timedelta(1))
    others = [
        scope(("day", "=", "2026-01-01"), ("region", "=", "s")),
        scope(("day", "=", "2026-01-01")),
        scope(("month", "=", "2026-01-01"), ("region", "=", "n")),
        scope(("day", "in", ["2026-01-01", "2026-01-02"]), ("region", "=", "n")),
        (),
    ]
    keys = {series_of(volume, other, NOW).key for other in others}
    assert len(keys) == 5 and first.key not in keys


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([("t", "between", ["2026-01-01", "2026-01-08"])],
         [("t", "between", ["2026-02-01", "2026-02-08"])]),
        ([("t", ">=", "2026-01-01T00:00:00+00:00"), ("t", "<", "2026-01-02T00:00:00+00:00")],
         [("t", ">=", "2026-01-01T01:00:00+00:00"), ("t", "<", "2026-01-02T01:00:00+00:00")]),
        ([("t", "=", {"date": "2026-01-01"})], [("t", "=", {"date": "2026-01-05"})]),
    ],
)  # fmt: skip
def test_ranges_of_dates_are_partitions(before: Any, after: Any) -> None:
    volume = rule("volume_anomaly")
    one, other = (series_of(volume, scope(*each), NOW) for each in (before, after))
    assert one.key == other.key
    assert one.at < other.at < NOW


@pytest.mark.parametrize(
    "predicates",
    [
        [("day", ">=", "2026-01-01")], [("t", ">=", "now-1d")], [("n", "=", 5)],
        [("day", "!=", "2026-01-01")], [("t", "=", "2026-99-99")], [],
    ],
)  # fmt: skip
def test_other_scopes_are_about_the_time_of_the_check(predicates: Any) -> None:
    found = series_of(rule("volume_anomaly"), scope(*predicates), NOW)
    assert found.at == NOW
    later = series_of(rule("volume_anomaly"), scope(*predicates), NOW + timedelta(1))
    assert later.key == found.key


def test_what_decides_what_is_measured_decides_the_history() -> None:
    volume = rule("volume_anomaly")
    same = [
        rule("volume_anomaly", sensitivity=5, direction="up", method="robust", min_history=9),
        rule("volume_anomaly", bucket="hour", severity="warn", warn_if="> 3"),
    ]
    assert {definition_hash(one) for one in same} == {definition_hash(volume)}
    others = [
        rule("volume_anomaly", timestamp_column="at"),
        rule("volume_anomaly", timestamp_column="at", bucket="hour"),
        rule("volume_anomaly", where=[{"column": "a", "op": "=", "value": 1}]),
        rule("row_count_delta", warn_pct=1),
        rule("group_anomaly", group_columns=["a"]),
        rule("distribution_distance", "a", edges=[1]),
        rule("distribution_distance", "a", edges=[2]),
    ]
    assert len({definition_hash(one) for one in [volume, *others]}) == 8


def test_reach_covers_what_a_judgement_looks_at() -> None:
    found = reach(rule("volume_anomaly", training_days=10), NOW)
    assert (found.since, found.until) == (datetime(2026, 3, 8, tzinfo=UTC),
                                          datetime(2026, 3, 18, tzinfo=UTC))  # fmt: skip
    assert reach(rule("schema_change"), NOW).count == 2
    assert reach(rule("schema_change", baseline="declared", declared={"a": "b"}), NOW).count == 0
    assert reach(rule("row_count_delta", warn_pct=1, days_back=7), NOW).until == days_ago(7)
