"""The catalogue of rule types: complete entries, arguments that say what is wrong, and its page."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from pydantic import ValidationError

from quality.catalogue import RULE_TYPES
from quality.catalogue.page import page
from quality.documents import strictly
from quality.errors import faults_of
from quality.rules import Rule
from tests.conftest import PROJECT


@pytest.mark.parametrize("entry", RULE_TYPES.values(), ids=lambda entry: entry.name)
def test_entry_is_complete(entry: Any) -> None:
    for sentence in (entry.summary, entry.nulls, entry.empty_table):
        assert sentence.endswith(".")
    assert entry.takes_column == ("column" in entry.example)
    assert entry.category != "M" or entry.tested == "none"
    schema = entry.arguments.model_json_schema()
    assert schema["additionalProperties"] is False
    rule = strictly(Rule, entry.example)
    assert strictly(Rule, rule.document()) == rule


def test_names_elsewhere_are_no_names_here_and_stand_once() -> None:
    aliases = [alias for entry in RULE_TYPES.values() for alias in entry.aliases]
    assert not set(aliases) & set(RULE_TYPES)
    assert len(aliases) == len(set(aliases))


def test_macros_of_rule_types_are_in_the_catalogue() -> None:
    tests = {
        file.stem
        for file in (PROJECT / "stringx" / "macros").glob("*.sql")
        if f"{{% test {file.stem}(" in file.read_text()
    }
    assert tests == set(RULE_TYPES)


DAY = {"count": 1, "period": "day"}


@pytest.mark.parametrize(
    ("kind", "column", "arguments", "path", "words"),
    [
        ("not_missing", "a", {}, "arguments", "needs missing_values, missing_regex or both"),
        ("required_together", None, {"columns": []}, "arguments.columns", "at least 1"),
        ("required_together", None, {"columns": ["a"], "required": "some"}, "arguments.required",
         "'all', 'any' or 'exactly_one'"),
        ("rows_inserted_between", "a", {"datepart": "day", "interval": 1}, "arguments",
         "needs min_value, max_value or both"),
        ("no_gaps", "a", {"start": "January"}, "arguments.start", 'such as "2026-01-31"'),
        ("no_gaps", "a", {"start": "2026-W10-1"}, "arguments.start", 'such as "2026-01-31"'),
        ("no_gaps", "a", {"start": "2026-02-30"}, "arguments.start", 'such as "2026-01-31"'),
        ("no_gaps", "a", {"end": "2026-01-31T10"}, "arguments.end", '"2026-01-31T10:15"'),
        ("no_gaps", "a", {"end": "2026-01-31x10:15"}, "arguments.end", '"2026-01-31T10:15"'),
        ("no_gaps", "a", {"end": "2026-01-31T10:15Z"}, "arguments.end", "write it without"),
        ("no_gaps", "a", {"end": "2026-01-31 10:15:30+02:00"}, "arguments.end", "write it without"),
        ("no_gaps", "a", {"start": "2026-02-01", "end": "2026-01-31T00:00:00"}, "arguments",
         "start must not be later than end"),
        ("unique_within_record", None, {"columns": ["a"]}, "arguments.columns", "at least 2"),
        ("unique_proportion_between", "a", {"min_value": 2}, "arguments.min_value", "less than"),
        ("accepted_values", "a", {"values": [1], "case_insensitive": True}, "arguments",
         "takes texts only"),
        ("pair_in_set", "a", {"other_column": "b", "pairs": [["x"]]}, "arguments.pairs[0]",
         "at least 2"),
        ("match_regex", "a", {"regex": "x", "flags": "i)("}, "arguments.flags", "match"),
        ("match_like", "a", {"like_pattern": "a\\"}, "arguments.like_pattern", "two backslashes"),
        ("format", "a", {"format": "postcode"}, "arguments.format", "'email'"),
        ("avg_between", "a", {"min_value": "1"}, "arguments.min_value", "must be a number"),
        ("avg_between", "a", {"min_value": True}, "arguments.min_value", "must be a number"),
        ("sum_between", "a", {"min_value": 2, "max_value": 1}, "arguments",
         "min_value must not be greater than max_value"),
        ("quantile_between", "a", {"quantile": 95, "max_value": 1}, "arguments.quantile",
         "less than or equal to 1"),
        ("column_exists", "a", {"index": 0}, "arguments.index", "greater than or equal to 1"),
        ("columns_match_set", None, {}, "arguments.columns", "required"),
        ("not_in_future", "a", {"offset": -1}, "arguments.offset", "greater than or equal to 0"),
        ("freshness", "a", {}, "arguments", "needs warn_after, error_after or both"),
        ("freshness", "a", {"warn_after": DAY, "error_after": {"count": 23, "period": "hour"}},
         "arguments", "error_after must not be shorter than warn_after: give it the longer time"),
        ("freshness", "a", {"warn_after": {"count": 1, "period": "year"},
                            "error_after": {"count": 11, "period": "month"}},
         "arguments", "error_after must not be shorter"),
        ("freshness", "a", {"warn_after": {"count": 1, "period": "month"},
                            "error_after": {"count": 3, "period": "week"}},
         "arguments", "error_after must not be shorter"),
        ("multicolumn_sum_equals", None, {"columns": ["a"], "sum_total": "1"},
         "arguments.sum_total", "valid number"),
        ("multicolumn_sum_equals", None, {"columns": ["a"], "sum_total": True},
         "arguments.sum_total", "valid number"),
        ("multicolumn_sum_equals", None, {"columns": ["a"], "sum_total": -2e300},
         "arguments.sum_total", "greater than or equal to"),
        ("multicolumn_sum_equals", None, {"columns": ["a"], "sum_total": 1, "tolerance": -1},
         "arguments.tolerance", "greater than or equal to 0"),
        ("increasing", "a", {"sort_column": "b", "step": 0}, "arguments.step", "greater than 0"),
        ("increasing", "a", {"sort_column": "b", "step": 10**400}, "arguments.step",
         "valid number"),
        ("sum_between", "a", {"max_value": 10**400}, "arguments.max_value",
         "must be a finite number"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(
    kind: str, column: str | None, arguments: dict[str, Any], path: str, words: str
) -> None:
    document = {"type": kind, "arguments": arguments} | ({"column": column} if column else {})
    with pytest.raises(ValidationError) as caught:
        strictly(Rule, document)
    fault = faults_of(caught.value)[0]
    assert fault.path == path
    assert words in fault.message


def test_whole_numbers_stay_whole() -> None:
    big = 2**62 + 1
    rule = strictly(Rule, {"type": "sum_between", "column": "a", "arguments": {"max_value": big}})
    assert rule.arguments["max_value"] == big
    for kind, column, argument, arguments in (
        ("multicolumn_sum_equals", None, "sum_total", {"columns": ["a"]}),
        ("multicolumn_sum_equals", None, "tolerance", {"columns": ["a"], "sum_total": 1}),
        ("increasing", "a", "step", {"sort_column": "b"}),
    ):
        document = {"type": kind, "column": column, "arguments": {**arguments, argument: big}}
        rule = strictly(Rule, document)
        assert rule.arguments[argument] == big
        assert strictly(Rule, rule.document()).arguments[argument] == big


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (10, "10.0"), (10.5, "10.5"), (0, "0.0"), (-3, "-3.0"), (1e20, "1e+20"), (10**20, "1e+20"),
        (2**53 + 2, "9007199254740994.0"), (2**53 + 1, "9007199254740993"), (2**70, str(2**70)),
    ],
)  # fmt: skip
def test_an_amount_is_stored_as_ever(given: float, stored: str) -> None:
    """Hashes of rules that are there must not change: a float, where it is the same number."""
    given_here = {"columns": ["a"], "sum_total": given}
    rule = strictly(Rule, {"type": "multicolumn_sum_equals", "arguments": given_here})
    assert json.dumps(rule.document()["arguments"]) == (
        f'{{"columns": ["a"], "sum_total": {stored}, "tolerance": 0.0, "per": "row"}}'
    )


@pytest.mark.parametrize(
    ("warn_after", "error_after"),
    [
        ((1, "day"), (24, "hour")), ((24, "hour"), (1, "day")), ((12, "month"), (1, "year")),
        ((1, "year"), (12, "month")), ((365, "day"), (1, "year")), ((30, "day"), (1, "month")),
        ((1, "month"), (30, "day")), ((4, "week"), (1, "month")), ((7, "day"), (1, "week")),
    ],
)  # fmt: skip
def test_limits_of_age_may_be_equal(
    warn_after: tuple[int, str], error_after: tuple[int, str]
) -> None:
    limits = {
        name: dict(zip(("count", "period"), age, strict=True))
        for name, age in (("warn_after", warn_after), ("error_after", error_after))
    }
    rule = strictly(Rule, {"type": "freshness", "column": "a", "arguments": limits})
    assert rule.arguments == limits


@pytest.mark.parametrize(
    "moment",
    ["2026-01-31", "20260131", "2026-01-31 10:15", "2026-01-31T10:15:30.5", "20260131T1015"],
)
def test_moments_that_postgresql_reads_alike_are_taken(moment: str) -> None:
    rule = strictly(Rule, {"type": "no_gaps", "column": "a", "arguments": {"start": moment}})
    assert rule.arguments["start"] == moment


class _Page(HTMLParser):
    """What stands in the page: its ids, links and tags, and whether all that opens is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "src"):
                self.links.append(value or "")
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page_shows_every_type_and_asks_for_nothing() -> None:
    read = _Page()
    read.feed(page())
    assert not read.open
    assert len(read.ids) == len(set(read.ids))
    assert set(RULE_TYPES) <= set(read.ids)
    assert all(link.startswith("#") and link[1:] in read.ids for link in read.links)
    assert not read.tags & {"script", "img", "link", "iframe", "form"}
    for entry in RULE_TYPES.values():
        for said in (entry.summary, entry.nulls, entry.empty_table, *entry.aliases):
            assert said in read.text
        for argument in entry.arguments.model_json_schema().get("properties", {}):
            assert argument in read.text
