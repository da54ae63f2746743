"""Cases of the dimension validity: texts."""

from __future__ import annotations

from tests.differential.rule_types.case import bad, case, good

CASES = (
    case("format", "day", {"format": "date"}, good(3), bad(1, 4), good(0), good(0)),
    case("format", "doc", {"format": "json"}, good(3), good(5), good(0), good(0)),
    case("format", "name", {"format": "email"}, bad(3, 3), bad(5, 5), good(0), good(0)),
    case("string_length_between", "name", {"min_value": 1, "max_value": 2},
         good(3), bad(3, 5), good(0), good(0)),
    case("match_regex", "name", {"regex": "^[a-f]{2}$"}, good(3), bad(4, 5), good(0), good(0)),
    case("match_regex", "kind", {"regex": "^[X-Z]$", "flags": "i"},
         good(3), bad(2, 5), good(0), good(0)),
    case("not_match_regex", "name", {"regex": "^ | $"}, good(3), bad(1, 5), good(0), good(0)),
    case("not_match_regex", "kind", {"regex": "W", "flags": "i"},
         good(3), bad(2, 5), good(0), good(0)),
    case("match_regex_list", "kind", {"regex_list": ["x", "^y$"]},
         good(3), bad(4, 5), good(0), good(0)),
    case("match_regex_list", "name", {"regex_list": ["^.", ".$"], "match_on": "all"},
         good(3), bad(1, 5), good(0), good(0)),
    case("not_match_regex_list", "kind", {"regex_list": ["Z", "W"], "flags": "i"},
         good(3), bad(4, 5), good(0), good(0)),
    case("not_match_regex_list", "name", {"regex_list": ["a", "b"], "match_on": "all"},
         bad(1, 3), bad(2, 5), good(0), good(0)),
    case("match_like", "name", {"like_pattern": "__"}, good(3), bad(3, 5), good(0), good(0)),
    case("not_match_like", "name", {"like_pattern": "%c%"}, bad(1, 3), bad(3, 5), good(0), good(0)),
    case("match_like_list", "kind", {"like_pattern_list": ["x", "y%"]},
         good(3), bad(4, 5), good(0), good(0)),
    case("match_like_list", "name", {"like_pattern_list": ["a%", "%e"], "match_on": "all"},
         bad(3, 3), bad(4, 5), good(0), good(0)),
    case("not_match_like_list", "kind", {"like_pattern_list": ["z", "w"]},
         good(3), bad(4, 5), good(0), good(0)),
    case("consistent_casing", "kind", {"case": "lower"}, good(3), good(5), good(0), good(0)),
    case("consistent_casing", "name", {"case": "title"}, bad(3, 3), bad(3, 5), good(0), good(0)),
    case("consistent_casing", "kind", {"case": "upper"}, bad(3, 3), bad(5, 5), good(0), good(0)),
    case("consistent_casing", "name", {}, good(3), good(5), good(0), good(0)),
)  # fmt: skip
