"""Which texts are of a format, and which are not: no value makes a rule raise an error."""

from __future__ import annotations

import pytest

from quality.engine.planned import PlannedEngine
from tests.engine.conftest import Target, rule_set

ODD = [
    "",
    " ",
    "\n",
    "x",
    "-",
    "'",
    '"',
    "\\",
    "%",
    "NaN",
    "null",
    "Infinity",
    "0" * 2000,
    "é",
    "٣",
]
VALUES: dict[str, tuple[list[str], list[str]]] = {
    "email": (
        ["a@b.co", "first.last+tag@sub.example.org", "o'neil@x-y.io", "1@2.3", f"{'a' * 64}@x.yz"],
        [
            *("a", "@b.co", "a@", "a@b", "a b@c.de", "a@b..co", ".a@b.co", "a.@b.co", "a..b@c.de"),
            *("a@-b.co", "a@b-.co", "a@b.co\n", "a@b@c.de", "é@b.co", f"{'a' * 65}@x.yz"),
            "a@" + ".".join(["b" * 60] * 5),
        ],
    ),
    "uuid": (
        ["123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-00000000ABCD"],
        [
            "123e4567e89b12d3a456426614174000",
            "{123e4567-e89b-12d3-a456-426614174000}",
            "123e4567-e89b-12d3-a456-42661417400g",
            "123e4567-e89b-12d3-a456-4266141740001",
        ],
    ),
    "url": (
        [
            *("http://a", "https://example.org", "https://example.org:8443/x/y?q=1&r=%20#top"),
            *("http://127.0.0.1/", "http://[::1]:80/", "https://example.org./", "http://a?x=[1]"),
            "http://a/b-c_d~e.f(g);h,i@j:k!$*'+",
        ],
        [
            *(
                "example.org",
                "ftp://example.org",
                "http://",
                "http:///x",
                "http://a b",
                "http://a/ ",
            ),
            *("http://a:65536/", "http://a:0/", "http://-a/", "http://a/%2", "http://user@a/"),
            *("http://[1]/", "http://a\n", "javascript:alert(1)", "http://a/<b>", "HTTP://"),
        ],
    ),
    "ipv4": (
        ["0.0.0.0", "127.0.0.1", "255.255.255.255", "10.200.3.99"],
        [
            "256.1.1.1",
            "1.1.1",
            "1.1.1.1.1",
            "01.1.1.1",
            "1.1.1.1/8",
            " 1.1.1.1",
            "1.1.1.1\n",
            "::1",
        ],
    ),
    "ipv6": (
        [
            *(
                "::",
                "::1",
                "1::",
                "2001:db8::1",
                "fe80::1:2:3:4",
                "1:2:3:4:5:6:7:8",
                "1:2:3:4:5:6:7::",
            ),
            *("::2:3:4:5:6:7:8", "1::8", "1::3:4:5:6:7:8", "ABCD::ef01", "1:2:3:4:5:6::8"),
        ],
        [
            *(
                ":",
                ":::",
                "1:2:3:4:5:6:7",
                "1:2:3:4:5:6:7:8:9",
                "1::2::3",
                "12345::",
                "g::",
                "::1/64",
            ),
            *(
                "1:2:3:4:5:6:7:8::",
                "::1:2:3:4:5:6:7:8",
                "fe80::1%eth0",
                "1.2.3.4",
                "1:2:3:4:5:6:7:",
            ),
        ],
    ),
    "date": (
        ["2026-01-31", "0001-01-01", "9999-12-31", "2024-02-29", "2000-02-29", "1900-02-28"],
        [
            *("2026-02-29", "1900-02-29", "2026-13-01", "2026-00-10", "2026-01-32", "2026-04-31"),
            *("0000-01-01", "2026-1-1", "01/31/2026", "20260131", "2026-01-31T00:00:00", "today"),
            *("2026-01-31 ", "2026-01-31\n", "infinity", "2026-06-31", "2026-01-00"),
        ],
    ),
    "timestamp": (
        [
            *("2026-01-31T23:59:59", "2026-01-31 00:00:00.123456", "2026-01-31T12:00:00Z"),
            *("2024-02-29T12:00:00+02:00", "2026-01-31 12:00:00-0530", "2026-01-31 12:00:00+01"),
        ],
        [
            *("2026-01-31", "2026-02-30T00:00:00", "2026-01-31T24:00:00", "2026-01-31T12:60:00"),
            *("2026-01-31T12:00", "2026-01-31T12:00:60", "2026-01-31T12:00:00.", "now", "12:00:00"),
            *("2026-01-31T12:00:00+24:00", "2026-01-31  12:00:00", "1769860800"),
        ],
    ),
    "json": (
        ["{}", "[]", '"x"', "1", " null ", '{"a": [1, {"b": null}]}', "-1.5e3"],
        ["{", "{a: 1}", "'x'", "[1,]", '{"a": 1} x', "nul", "\\u0000", '"\\u12"', "01"],
    ),
    "iban": (
        ["DE89370400440532013000", "GB82WEST12345698765432", "NO9386011117947"],
        [
            *(
                "DE88370400440532013000",
                "GB82 WEST 1234 5698 7654 32",
                "DE89",
                "de89370400440532013000",
            ),
            *("NO9386011117948", "1189370400440532013000", "DE8937040044053201300Ä"),
        ],
    ),
    "country_iso3166": (["NL", "DE", "XK"][:2], ["nl", "NLD", "XX", "UK", "N", "NL "]),
    "currency_iso4217": (["EUR", "USD", "JPY", "XAU"], ["eur", "EURO", "DEM", "XXX", "€"]),
    "language_iso639": (["en", "nl", "zh"], ["EN", "eng", "xx", "iw"]),
    "phone": (
        ["+31201234567", "+12025550123", "+1234567"],
        [
            "31201234567",
            "+0123456789",
            "+31 20 1234567",
            "+123456",
            "+1234567890123456",
            "00312012345",
        ],
    ),
    "latitude": (
        ["0", "-90", "90.0", "+45.5", "1e-07", "9e1", "-0.000001"],
        ["90.1", "-91", "91e0", "9e99", "45,5", "45.5N", "1.", ".5", "--1", "1e", "1000"],
    ),
    "longitude": (["180", "-180.0", "1.8e2", "0"], ["180.1", "-181", "360", "1e3", "east"]),
}


@pytest.mark.parametrize("name", VALUES)
def test_format_tells_its_texts_from_all_others(
    name: str, engine: PlannedEngine, target: Target
) -> None:
    valid, invalid = VALUES[name]
    others = [text for text in ODD if text not in valid and not (name == "json" and text == "null")]
    table = f"engine.format_{name}"
    target.execute(f"create table {table} (value text)", f"insert into {table} values (null)")
    for text in (*valid, *invalid, *others):
        quoted = text.replace("'", "''").replace("\\", "\\\\")
        target.execute(f"insert into {table} values (E'{quoted}')")
    rule = {"type": "format", "column": "value", "arguments": {"format": name}}
    (result,) = engine.run(rule_set(table, rule)).results
    assert result.message is None or "Got" in result.message
    found = target.value(f"select array_agg(value) from ({result.sql}) failing")
    assert set(found) == {*invalid, *others}
    assert (result.path, result.rows_tested) == ("scan", len(valid) + len(invalid) + len(others))
    assert result.failures == len(invalid) + len(others)


def test_format_of_a_column_that_is_no_text(engine: PlannedEngine, target: Target) -> None:
    target.execute(
        "create table engine.places (lat double precision, lon numeric, id uuid, day date)",
        "insert into engine.places values (51.5, 4.25, gen_random_uuid(), '2026-01-31'),"
        " ('NaN', 'Infinity', null, 'infinity'), (1e300, -180, null, '0044-03-15 BC')",
    )
    columns = (("lat", "latitude"), ("lon", "longitude"), ("id", "uuid"), ("day", "date"))
    rules = [
        {"type": "format", "column": column, "arguments": {"format": name}}
        for column, name in columns
    ]
    outcome = engine.run(rule_set("engine.places", *rules))
    assert [result.failures for result in outcome.results] == [2, 1, 0, 2]
