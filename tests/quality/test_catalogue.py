"""The catalogue of rule types: complete entries, arguments that say what is wrong, and its page."""

from __future__ import annotations

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
        ("no_gaps", "a", {"start": "2026-02-01", "end": "2026-01-31T00:00:00Z"}, "arguments",
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
