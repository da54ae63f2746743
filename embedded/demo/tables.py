"""The demo's tables: columns in the order of the CSV files, keys, and how many rows there are."""

from dataclasses import dataclass

SCHEMA = "flights"


@dataclass(frozen=True)
class DemoTable:
    """One table; `columns` is what stands between the brackets of CREATE TABLE."""

    name: str
    rows: int
    columns: str


TABLES = (
    DemoTable("airlines", 16, "carrier text primary key, name text"),
    DemoTable(
        "airports",
        1458,
        "faa text primary key, name text, lat double precision, lon double precision, "
        "alt integer, tz integer, dst text, tzone text",
    ),
    DemoTable(
        "planes",
        3322,
        "tailnum text primary key, year integer, type text, manufacturer text, model text, "
        "engines integer, seats integer, speed integer, engine text",
    ),
    DemoTable(
        "weather",
        26115,
        "origin text, year integer, month integer, day integer, hour integer, "
        "temp double precision, dewp double precision, humid double precision, "
        "wind_dir integer, wind_speed double precision, wind_gust double precision, "
        "precip double precision, pressure double precision, visib double precision, "
        "time_hour timestamptz, primary key (origin, time_hour)",
    ),
    DemoTable(
        "flights",
        336776,
        "year integer, month integer, day integer, dep_time integer, sched_dep_time integer, "
        "dep_delay integer, arr_time integer, sched_arr_time integer, arr_delay integer, "
        "carrier text, flight integer, tailnum text, origin text, dest text, air_time integer, "
        "distance integer, hour integer, minute integer, time_hour timestamptz, "
        "primary key (time_hour, carrier, flight)",
    ),
)
