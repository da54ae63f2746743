"""A view with a column that nobody can read until it is let go: a slow rule without a clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from embedded.postgres import EmbeddedPostgres

_VIEW = """
create or replace function shop.{name}() returns integer language plpgsql stable as $$
begin
    while not pg_try_advisory_lock_shared({key}) loop perform pg_sleep(0.05); end loop;
    perform pg_advisory_unlock_shared({key});
    return 1;
end $$;
create or replace view shop.{name} as select 1 as id, shop.{name}() as slow;
grant select on shop.{name} to stringx_reader;
"""

RULES: list[dict[str, Any]] = [
    {"name": "slow_known", "type": "not_null", "column": "slow", "severity": "warn"},
    {"name": "id_known", "type": "not_null", "column": "id"},
]
"""Of the view: the second one is judged at once."""


class Held:
    """The view `shop.<name>`; while it is `held`, its column `slow` is not to be had."""

    def __init__(self, postgres: EmbeddedPostgres, name: str) -> None:
        self.table = f"shop.{name}"
        self._url = postgres.url("demo", "postgres")
        self._name = name
        self._key = sum(name.encode()) + 7_000_000
        with psycopg.connect(self._url) as connection:
            connection.execute(_VIEW.format(name=name, key=self._key))

    @contextmanager
    def held(self) -> Iterator[None]:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("select pg_advisory_lock(%s)", [self._key])
            yield

    def drop(self) -> None:
        with psycopg.connect(self._url) as connection:
            connection.execute(f"drop view shop.{self._name}; drop function shop.{self._name}()")
