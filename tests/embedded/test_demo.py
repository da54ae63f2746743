"""The demo's data, its rules, and its known verdicts, which plain SQL must confirm."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from embedded import EmbeddedPostgres
from embedded.demo.checks import rule_sets
from embedded.demo.load import load
from embedded.demo.report import differences, expected, findings
from embedded.demo.tables import TABLES
from embedded.roles import READER, grant_reading
from quality.rules import Rule

# Failing rows as dbt would count them, by SQL that shares nothing with the rules' own.
PLAIN_SQL = {
    "flights.airlines": {
        "all_airlines": "select (count(*) not between 10 and 30)::int from airlines",
        "name_known": "select count(*) from airlines where name is null",
        "name_written": "select count(*) from airlines where trim(name) = ''",
        "carrier_unique": "select count(carrier) - count(distinct carrier) from airlines",
        "carrier_code": "select count(*) from airlines where length(carrier) <> 2 "
        "or carrier <> upper(carrier)",
        "carrier_flies": "select count(*) from airlines where carrier not in "
        "(select carrier from flights)",
    },
    "flights.airports": {
        "all_airports": "select (count(*) not between 1000 and 3000)::int from airports",
        "tzone_known": "select count(*) - count(tzone) from airports",
        "faa_unique": "select count(faa) - count(distinct faa) from airports",
        "name_unique": "select count(*) from "
        "(select name from airports group by name having count(*) > 1) as twice",
        "faa_length": "select count(*) from airports where faa not like '___'",
        "dst_code": "select count(distinct dst) from airports where dst not in ('A', 'N', 'U')",
        "lat_on_earth": "select count(*) from airports where abs(lat) > 90",
        "tzone_at_home": "select count(distinct tzone) from airports "
        "where tzone in ('America/Vancouver', 'Asia/Chongqing')",
        "alt_plausible": "select count(*) from airports where alt < -300 or alt > 15000",
    },
    "flights.planes": {
        "all_planes": "select (count(*) not between 3000 and 5000)::int from planes",
        "year_mostly_known": "select (avg((year is not null)::int) < 0.95)::int from planes",
        "model_written": "select count(*) from planes where trim(model) = ''",
        "tailnum_unique": "select count(tailnum) - count(distinct tailnum) from planes",
        "tailnum_registered": "select count(*) from planes "
        "where tailnum not similar to 'N[1-9][0-9]{0,4}[A-Z]{0,2}'",
        "type_known": "select count(distinct type) - 3 from planes",
        "engines_plausible": "select count(*) from planes where engines not in (1, 2, 3, 4)",
        "seats_plausible": "select count(*) from planes where seats < 1 or seats > 853",
        "built_before_flying": "select count(*) from planes where year < 1903 or year > 2013",
        "plane_flies": "select count(*) from planes p left join "
        "(select distinct tailnum from flights) f using (tailnum) where f.tailnum is null",
    },
    "flights.weather": {
        "temp_known": "select count(*) - count(temp) from weather",
        "pressure_mostly_known": "select (count(pressure) < 0.85 * count(*))::int from weather",
        "one_row_an_hour": "select count(*) - count(distinct (origin, time_hour)) from weather",
        "one_row_a_local_hour": "select count(*) - count(distinct (origin, month, day, hour)) "
        "from weather",
        "humid_percentage": "select count(*) from weather where humid < 0 or humid > 100",
        "wind_dir_degrees": "select count(*) from weather where wind_dir < 0 or wind_dir > 360",
        "origin_in_airports": "select count(*) from weather where origin not in "
        "(select faa from airports)",
        "wind_speed_plausible": "select count(*) from weather "
        "where wind_speed < 0 or wind_speed > 253",
        "gust_above_wind": "select count(*) from weather where wind_gust <= wind_speed",
        "fresh_weather": "select (max(time_hour) < now() - interval '7 days')::int from weather",
    },
    "flights.flights": {
        "all_flights": "select (count(*) not between 300000 and 400000)::int from flights",
        "dep_time_known": "select count(*) - count(dep_time) from flights",
        "dep_time_mostly_known": "select (count(dep_time) < 0.97 * count(*))::int from flights",
        "tailnum_known": "select count(*) - count(tailnum) from flights",
        "flight_unique": "select count(*) - count(distinct (time_hour, carrier, flight)) "
        "from flights",
        "flight_number_once_a_day": "select count(*) from (select 1 from flights "
        "group by month, day, carrier, flight having count(*) > 1) as twice",
        "origin_in_new_york": "select count(distinct origin) - 3 from flights",
        "month_valid": "select count(*) from flights where month < 1 or month > 12",
        "tailnum_registered": "select count(*) from flights "
        "where tailnum not similar to 'N[1-9][0-9]{0,4}[A-Z]{0,2}'",
        "carrier_in_airlines": "select count(*) from flights where carrier not in "
        "(select carrier from airlines)",
        "dest_in_airports": "select count(*) from flights where dest not in "
        "(select faa from airports)",
        "dest_unlisted": "select count(distinct dest) from flights where dest not in "
        "(select faa from airports)",
        "other_dest_in_airports": "select count(*) from flights where dest not in "
        "(select faa from airports) and dest not in ('BQN', 'SJU', 'PSE', 'STT')",
        "tailnum_in_planes": "select count(f.tailnum) from flights f "
        "left join planes p using (tailnum) where p.tailnum is null",
        "faster_than_a_car": "select count(*) from flights where distance <= air_time",
        "dep_delay_plausible": "select count(*) from flights "
        "where dep_delay < -60 or dep_delay > 1440",
        "within_2013": "select count(*) from flights where extract(year from "
        "time_hour at time zone 'America/New_York') <> 2013",
    },
}


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="stringx-test-"))
    folder.chmod(0o755)
    with EmbeddedPostgres(folder, settings={"fsync": "off"}) as running:
        load(running.url("demo"), lambda line: None, grant_reading)
        yield running
    shutil.rmtree(folder)


@pytest.fixture
def reader(server: EmbeddedPostgres) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.url("demo", READER)) as connection:
        connection.execute("set search_path = flights")
        yield connection


def _number(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_all_rows_are_there_and_na_is_null(reader: psycopg.Connection) -> None:
    counts = {table.name: _number(reader, f"select count(*) from {table.name}") for table in TABLES}
    assert counts == {
        "airlines": 16,
        "airports": 1458,
        "planes": 3322,
        "weather": 26115,
        "flights": 336776,
    }
    assert _number(reader, "select count(*) from flights where tailnum = 'NA'") == 0
    assert _number(reader, "select count(*) from flights where dep_time is null") == 8255
    assert _number(reader, "select count(*) from flights where tailnum is null") == 2512
    missing = reader.execute(
        "select distinct dest from flights where dest not in (select faa from airports) order by 1"
    ).fetchall()
    assert missing == [("BQN",), ("PSE",), ("SJU",), ("STT",)]


@pytest.mark.parametrize("table", PLAIN_SQL)
def test_the_known_verdicts_are_what_plain_sql_finds(
    table: str, reader: psycopg.Connection
) -> None:
    found = {rule: _number(reader, query) for rule, query in PLAIN_SQL[table].items()}
    known = {rule: failures for rule, (_, failures) in expected()["tables"][table]["rules"].items()}
    assert found == known


def test_the_known_verdicts_follow_from_severity_and_thresholds() -> None:
    order = ("pass", "warn", "fail")
    for document in rule_sets():
        known = expected()["tables"][document["table"]]
        statuses = []
        for rule in (Rule.model_validate(rule) for rule in document["rules"]):
            status, failures = known["rules"][rule.name]
            operator, limit = rule.error_if.split()
            is_error = failures > int(limit) if operator == ">" else failures != int(limit)
            wanted = "pass" if not failures else "warn"
            if failures and rule.severity == "error" and is_error:
                wanted = "fail"
            assert status == wanted, f"{document['table']}: {rule.name}"
            statuses.append(status)
        assert len(statuses) == len(known["rules"])
        assert known["status"] == max(statuses, key=order.index)


def test_the_rules_cover_six_dimensions_and_both_kinds() -> None:
    rules = [Rule.model_validate(rule) for document in rule_sets() for rule in document["rules"]]
    assert {rule.dimension for rule in rules} == {
        "completeness",
        "uniqueness",
        "validity",
        "consistency",
        "accuracy",
        "timeliness",
    }
    assert {rule.kind for rule in rules} == {"engineering", "business"}
    flights = [Rule.model_validate(rule) for rule in rule_sets()[-1]["rules"]]
    assert len({rule.dimension for rule in flights}) == 6


def test_loading_again_leaves_complete_tables_and_repairs_others(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url("demo")) as connection:
        connection.execute("delete from flights.airlines where carrier = 'AA'")
        planes = connection.execute("select 'flights.planes'::regclass::oid").fetchone()
    lines: list[str] = []
    load(server.url("demo"), lines.append, grant_reading)
    assert [line.split(" (")[0] for line in lines] == [
        "flights.airlines: 16 rows loaded",
        "flights.airports: 1,458 rows already loaded",
        "flights.planes: 3,322 rows already loaded",
        "flights.weather: 26,115 rows already loaded",
        "flights.flights: 336,776 rows already loaded",
    ]
    with psycopg.connect(server.url("demo", READER)) as connection:
        assert _number(connection, "select count(*) from flights.airlines") == 16
        assert connection.execute("select 'flights.planes'::regclass::oid").fetchone() == planes


@pytest.mark.parametrize(
    "statement",
    [
        "insert into flights.airlines values ('XX', 'Nobody')",
        "update flights.airlines set name = 'x'",
        "delete from flights.flights",
        "truncate flights.flights",
        "drop table flights.airlines",
        "create table flights.t (a int)",
        "create table public.t (a int)",
        "create temporary table t (a int)",
        "create schema s",
        "create role r",
        "copy flights.airlines to program 'true'",
        "select pg_read_file('/etc/hostname')",
        "set role stringx",
    ],
)
def test_the_reader_can_only_read_even_in_a_writing_transaction(
    server: EmbeddedPostgres, statement: str
) -> None:
    with psycopg.connect(server.url("demo", READER), autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


def test_the_reader_has_limits_and_no_other_database(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url("demo", READER)) as connection:
        limits = {
            name: connection.execute(f"show {name}".encode()).fetchone()
            for name in (
                "default_transaction_read_only",
                "statement_timeout",
                "lock_timeout",
                "temp_file_limit",
            )
        }
    assert limits == {
        "default_transaction_read_only": ("on",),
        "statement_timeout": ("1min",),
        "lock_timeout": ("3s",),
        "temp_file_limit": ("512MB",),
    }
    for database in ("stringx", "postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(server.url(database, READER))


def _as_known() -> dict[str, dict]:
    return {
        table: {
            "status": known["status"],
            "results": [
                {"rule": rule, "status": status, "failures": failures, "message": None}
                for rule, (status, failures) in known["rules"].items()
            ],
        }
        for table, known in expected()["tables"].items()
    }


def test_the_comparison_notices_everything() -> None:
    assert differences(_as_known()) == []
    assert any("8,255 flights have no dep_time" in line for line in findings(_as_known()))

    missing_table = _as_known()
    del missing_table["flights.planes"]
    assert differences(missing_table) == ["flights.planes: not checked"]

    other_count = _as_known()
    other_count["flights.flights"]["results"][1]["failures"] = 8254
    assert differences(other_count) == [
        "flights.flights: rule dep_time_known: fail with 8254 failures instead of fail with 8255"
    ]

    vanished = _as_known()
    vanished["flights.airlines"]["results"].pop()
    assert differences(vanished) == [
        "flights.airlines: rule carrier_flies: no result with 0 failures instead of pass with 0"
    ]

    broken = _as_known()
    broken["flights.airlines"]["results"][0] |= {"status": "error", "message": "no such table"}
    broken["flights.airlines"]["status"] = "error"
    assert differences(broken) == [
        "flights.airlines: error instead of pass",
        (
            "flights.airlines: rule all_airlines: "
            "error with 0 failures instead of pass with 0 (no such table)"
        ),
    ]
