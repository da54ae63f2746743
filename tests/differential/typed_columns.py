"""Columns of many types with their values: what SQL calls equal, and what only looks so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """`clean` are three distinct values, `dirty` six, apart by `|`; NULL stands for itself.

    Types without an `=` of their own are among them: grouping is an error then, for both sides.
    """

    name: str
    type: str
    clean: str
    dirty: str

    def values(self, table: str) -> list[str | None]:
        """The values in the rows of a table."""
        listed = {"clean": self.clean, "dirty": self.dirty}.get(table, "NULL|NULL|NULL")
        return [None if value == "NULL" else value for value in listed.split("|")]


COLUMNS = (
    TypedColumn("small", "smallint", "1|2|-32768", "1|1|32767|NULL|-5|2"),
    TypedColumn("whole", "integer", "1|2|2147483647", "-2147483648|1|1|3|NULL|NULL"),
    TypedColumn(
        "large", "bigint",
        "1|2|9223372036854775807",
        "-9223372036854775808|9223372036854775807|9223372036854775807|1|NULL|7",
    ),
    TypedColumn("exact", "numeric", "1.0|2|NaN", "1.0|1.00|NaN|NaN|Infinity|NULL"),
    TypedColumn("scaled", "numeric(10,2)", "1.00|2.50|3", "1.004|1|-99999999.99|2.5|NULL|2.50"),
    TypedColumn("single", "real", "1.5|-0.0|NaN", "0.0|-0.0|1e30|NaN|NULL|1"),
    TypedColumn("wide", "double precision", "0.1|-Infinity|NaN", "NaN|NaN|-0|0|Infinity|NULL"),
    TypedColumn("flag", "boolean", "true|false|NULL", "true|true|false|NULL|NULL|f"),
    TypedColumn("padded", "char(5)", "ab|cd|", "ab|ab  ||    |NULL|x"),
    TypedColumn("short", "varchar(8)", "ab|cd |e", "ab|ab ||NULL| |AB"),
    TypedColumn(
        "body", "text",
        'it is|a "word"|back\\slash',
        "it's|it's|back\\slash|e\u0301|\xe9|NULL",
    ),
    TypedColumn(
        "emoji", "text",
        "\U0001f600|na\xefve|% $$ -- /* */",
        "\U0001f600|\U0001f600|{ }|\u202etext|\ufeff|NULL",
    ),
    TypedColumn("bytewise", 'text collate "C"', "red|green|blue", "red|RED|Green|green|NULL|grey"),
    TypedColumn("folded", "public.citext", "red|blue|x", "RED|red|Blue|NULL|y|"),
    TypedColumn("doc", "json", '{"a": 1}|[]|null', '{"a": 1}|{"a":1}|null|NULL|1|1'),
    TypedColumn(
        "docb", "jsonb",
        '{"a": 1}|[]|null',
        '{"a": 1}|{"a":1.0}|null|NULL|[1, 2]|{"b": 2, "a": 1}',
    ),
    TypedColumn(
        "numbers", "integer[]",
        "{1,2}|{}|{NULL}",
        "{1,2}|{1,2}|{NULL}|{}|NULL|[0:1]={1,2}",
    ),
    TypedColumn("words", "text[]", '{a}|{"b,c"}|{}', '{a}|{"a"}|{NULL}|NULL|{}|{A}'),
    TypedColumn(
        "key", "uuid",
        "00000000-0000-0000-0000-000000000001|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|NULL",
        "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11|a0eebc999c0b4ef8bb6d6bb9bd380a11|NULL|NULL|00000000-0000-0000-0000-000000000001|00000000-0000-0000-0000-000000000002",
    ),
    TypedColumn("bytes", "bytea", "\\x00|\\xdeadbeef|", "\\x00|\\000||NULL|\\xff|a"),
    TypedColumn(
        "day", "date",
        "2024-02-29|infinity|0001-01-01",
        "2024-02-29|2024-02-29|4713-01-01 BC|-infinity|NULL|2026-01-01",
    ),
    TypedColumn(
        "moment", "timestamp",
        "2024-02-29 12:00|infinity|1999-12-31 23:59:59.999999",
        "2024-02-29 12:00|2024-02-29 12:00:00.0000001|NULL|infinity|epoch|epoch",
    ),
    TypedColumn(
        "instant", "timestamptz",
        "2024-03-10 02:30-05|2024-03-10 08:30+00|2024-01-01 00:00+14",
        "2024-03-10 02:30-05|2024-03-10 07:30Z|2024-03-10 08:30 Europe/Amsterdam|NULL|-infinity|"
        "2024-01-01 00:00+14",
    ),
    TypedColumn("clock", "time", "00:00|24:00|12:00", "00:00|24:00|12:00|12:00|NULL|NULL"),
    TypedColumn(
        "zoned", "timetz",
        "12:00+00|12:00+01|13:00+02",
        "12:00+00|13:00+01|12:00+00|NULL|00:00-08|08:00+00",
    ),
    TypedColumn(
        "span", "interval",
        "1 day|1 month|1 hour",
        "1 day|24 hours|30 days|1 month|NULL|-1 day",
    ),
    TypedColumn("mood", "tables.mood", "sad|ok|happy", "sad|sad|ok|NULL|NULL|ok"),
    TypedColumn("positive", "tables.positive", "1|2|3", "1|1|NULL|2|9|NULL"),
    TypedColumn("pair", "tables.pair", "(1,a)|(2,b)|(,)", "(1,a)|(1,a)|(,)|(1,)|NULL|(,)"),
    TypedColumn("scale", "tables.amount", "(1.0)|(2)|()", "(1.0)|(1.00)|()|()|NULL|(3)"),
    TypedColumn(
        "address", "inet",
        "10.0.0.1|::1|10.0.0.1/8",
        "10.0.0.1|10.0.0.1/32|10.0.0.1/8|NULL|::1|::1",
    ),
    TypedColumn("price", "money", "1.00|2|-3", "1.00|1|$1,000.00|NULL|-0.01|2"),
    TypedColumn("bits", "bit varying", "1|01|001", "1|1|10||NULL|0"),
    TypedColumn("tx", "xid", "1|2|3", "1|1|4294967295|NULL|2|2"),
    TypedColumn("place", "point", "(0,0)|(1,1)|(2,2)", "(0,0)|(0,0)|(1,2)|NULL|NULL|(3,3)"),
    TypedColumn(
        "area", "box",
        "(0,0),(1,1)|(0,0),(2,2)|(0,0),(3,3)",
        "(0,0),(1,1)|(5,5),(6,6)|NULL|(0,0),(1,2)|NULL|(0,0),(2,1)",
    ),
    TypedColumn("lexemes", "tsvector", "a b|c|", "a b|b a||NULL|a|A"),
    TypedColumn("seats", "int4range", "[1,2]|empty|(,)", "[1,2]|[1,3)|empty|NULL|(5,5)|[,4]"),
    TypedColumn(
        "parts", "datemultirange",
        "{}|{[2024-01-01,2024-01-02]}|{(,)}",
        "{}|{empty}|NULL|{(,)}|{(,2024-01-01)}|NULL",
    ),
    TypedColumn("label", "name", "a|b|c", "a|a|B|NULL||b"),
    TypedColumn(
        "object", "regclass",
        "pg_class|pg_type|NULL",
        "pg_class|pg_catalog.pg_class|NULL|pg_type|0|NULL",
    ),
)  # fmt: skip

ROWS = {"clean": 3, "dirty": 6, "empty": 0, "nulls": 3}


def statements() -> list[str]:
    """SQL that makes `tables.clean`, `.dirty`, `.empty` and `.nulls` of these columns."""
    listed = ", ".join(f"{column.name} {column.type}" for column in COLUMNS)
    made = []
    for table, rows in ROWS.items():
        made.append(f"create table tables.{table} (id integer, {listed})")
        for number in range(rows):
            values = ", ".join(literal(column.values(table)[number]) for column in COLUMNS)
            made.append(f"insert into tables.{table} values ({number}, {values})")
    return made


def literal(value: str | None) -> str:
    """SQL for a text that the database casts."""
    return "null" if value is None else "'" + value.replace("'", "''") + "'"
