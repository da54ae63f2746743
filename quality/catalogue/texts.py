"""Validity of texts: their length, their form, the way they are written."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from quality.catalogue.types import Arguments, CountRange, RegexText, RuleType
from quality.names import Text

MatchOn = Literal["any", "all"]
Flags = Annotated[
    str,
    Field(
        pattern=r"^[inpswx]{1,4}$",
        description="PostgreSQL's embedded options; i: letters of either case",
    ),
]


def _like_pattern(value: str) -> str:
    if (len(value) - len(value.rstrip("\\"))) % 2:
        raise ValueError("must not end with the escape character; write two backslashes for one")
    return value


LikePattern = Annotated[Text, Field(min_length=1, max_length=1024), AfterValidator(_like_pattern)]


class Regex(Arguments):
    regex: RegexText
    flags: Flags | None = None

    def regexes_by_path(self) -> dict[str, str]:
        return {"regex": _with_flags(self.regex, self.flags)}


class RegexList(Arguments):
    regex_list: Annotated[list[RegexText], Field(min_length=1, max_length=100)]
    match_on: MatchOn = "any"
    flags: Flags | None = None

    def regexes_by_path(self) -> dict[str, str]:
        return {
            f"regex_list[{place}]": _with_flags(regex, self.flags)
            for place, regex in enumerate(self.regex_list)
        }


def _with_flags(regex: str, flags: str | None) -> str:
    return f"(?{flags}){regex}" if flags else regex


class Like(Arguments):
    like_pattern: LikePattern


class LikeList(Arguments):
    like_pattern_list: Annotated[list[LikePattern], Field(min_length=1, max_length=100)]
    match_on: MatchOn = "any"


class Casing(Arguments):
    case: Literal["upper", "lower", "title"] | None = None

    @property
    def counts_rows(self) -> bool:
        return self.case is not None


Format = Literal[
    "email",
    "uuid",
    "url",
    "ipv4",
    "ipv6",
    "date",
    "timestamp",
    "json",
    "iban",
    "country_iso3166",
    "currency_iso4217",
    "language_iso639",
    "phone",
    "latitude",
    "longitude",
]


class FormatName(Arguments):
    format: Format


TYPES = (
    RuleType(
        "format",
        "validity",
        "Texts of a format: email, uuid, url (http or https), ipv4, ipv6, date and timestamp "
        "(ISO 8601), iban (with its check digits), codes of countries (ISO 3166-1 alpha-2), "
        "currencies (ISO 4217) and languages (ISO 639-1), phone (E.164), latitude, longitude in "
        "degrees, and json, which needs PostgreSQL 16.",
        FormatName,
        {"type": "format", "column": "email", "arguments": {"format": "email"}},
        tested="values",
        aliases=(
            "valid_format",
            "is_valid_date",
            "is_valid_timestamp",
            "is_valid_json",
            "is_valid_ipv4_address",
            "expect_column_values_to_be_json_parseable",
            "expect_column_values_to_be_dateutil_parseable",
            "containsEmail",
            "containsURL",
        ),
    ),
    RuleType(
        "string_length_between",
        "validity",
        "Texts of min_value to max_value characters, both included.",
        CountRange,
        {
            "type": "string_length_between",
            "column": "faa",
            "arguments": {"min_value": 3, "max_value": 3},
        },
        tested="values",
        aliases=(
            "expect_column_value_lengths_to_be_between",
            "expect_column_value_lengths_to_equal",
            "columnValueLengthsToBeBetween",
            "valid_length",
        ),
    ),
    RuleType(
        "match_regex",
        "validity",
        "Texts in which PostgreSQL's regular expression matches somewhere (anchor with ^ $).",
        Regex,
        {"type": "match_regex", "column": "tailnum", "arguments": {"regex": "^N"}},
        tested="values",
        aliases=(
            "expect_column_values_to_match_regex",
            "columnValuesToMatchRegex",
            "regex_match",
            "hasPattern",
        ),
    ),
    RuleType(
        "not_match_regex",
        "validity",
        "Texts in which PostgreSQL's regular expression matches nowhere.",
        Regex,
        {"type": "not_match_regex", "column": "tailnum", "arguments": {"regex": "[^A-Z0-9]"}},
        tested="values",
        aliases=("expect_column_values_to_not_match_regex", "columnValuesToNotMatchRegex"),
    ),
    RuleType(
        "match_regex_list",
        "validity",
        "Texts in which any of the regular expressions matches, or all of them, as match_on says.",
        RegexList,
        {
            "type": "match_regex_list",
            "column": "tailnum",
            "arguments": {"regex_list": ["^N[0-9]", "^D"], "match_on": "any"},
        },
        tested="values",
        aliases=("expect_column_values_to_match_regex_list",),
    ),
    RuleType(
        "not_match_regex_list",
        "validity",
        "Texts in which none of the regular expressions matches, or, where match_on is all, not "
        "all of them.",
        RegexList,
        {
            "type": "not_match_regex_list",
            "column": "name",
            "arguments": {"regex_list": ["^test", "dummy"], "flags": "i"},
        },
        tested="values",
        aliases=("expect_column_values_to_not_match_regex_list",),
    ),
    RuleType(
        "match_like",
        "validity",
        "Texts like the pattern, in which % stands for any text and _ for one character.",
        Like,
        {"type": "match_like", "column": "tailnum", "arguments": {"like_pattern": "N%"}},
        tested="values",
        aliases=("expect_column_values_to_match_like_pattern",),
    ),
    RuleType(
        "not_match_like",
        "validity",
        "Texts that are not like the pattern.",
        Like,
        {"type": "not_match_like", "column": "name", "arguments": {"like_pattern": "%test%"}},
        tested="values",
        aliases=("expect_column_values_to_not_match_like_pattern", "columnValuesToNotMatchLike"),
    ),
    RuleType(
        "match_like_list",
        "validity",
        "Texts that are like any of the patterns, or like all of them, as match_on says.",
        LikeList,
        {
            "type": "match_like_list",
            "column": "tailnum",
            "arguments": {"like_pattern_list": ["N%", "D%"]},
        },
        tested="values",
        aliases=("expect_column_values_to_match_like_pattern_list",),
    ),
    RuleType(
        "not_match_like_list",
        "validity",
        "Texts that are like none of the patterns, or, where match_on is all, not like all of "
        "them.",
        LikeList,
        {
            "type": "not_match_like_list",
            "column": "name",
            "arguments": {"like_pattern_list": ["test%", "dummy%"]},
        },
        tested="values",
        aliases=("expect_column_values_to_not_match_like_pattern_list",),
    ),
    RuleType(
        "consistent_casing",
        "validity",
        "Texts in one case: upper, lower or title. Without `case`: no text that is written in more "
        "than one way; counts those that are.",
        Casing,
        {"type": "consistent_casing", "column": "faa", "arguments": {"case": "upper"}},
        tested="values",
        aliases=("expect_column_values_to_have_consistent_casing", "has_valid_string_case"),
    ),
)
