"""A target whose encoding is not UTF-8: what it cannot spell is no silent question mark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from embedded.postgres import EmbeddedPostgres
from quality.names import TableName
from quality.rules import Rule, RuleSet
from tests.differential.comparing import verdict
from tests.differential.engine_side import EngineSide
from tests.differential.rules import rule

DATABASE = "differential_latin"
RULES = (
    rule("accepted_values", "mot", values=["été", "hiver"]),
    rule("accepted_values", "mot", values=["été", "hiver", "?"]),
    rule("accepted_values", "mot", values=["été", "hiver", "日"]),
    rule("not_accepted_values", "mot", values=["€"]),
    rule("match_regex", "mot", regex="^[a-zé?]+$"),
    rule("match_regex", "mot", regex="日"),
    rule("not_null", "année"),
    rule("unique", "année"),
)


@pytest.fixture
def latin(
    postgres: EmbeddedPostgres, environment: dict[str, str], tmp_path: Path
) -> Iterator[EngineSide]:
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(
            f"create database {DATABASE} encoding 'LATIN1' locale_provider libc locale 'C' "
            "template template0"
        )
    with psycopg.connect(postgres.url(DATABASE, "postgres")) as connection:
        connection.execute('create table public.mots (mot text, "année" integer)')
        connection.execute("insert into public.mots values ('été', 1), ('?', 2), ('hiver', null)")
        connection.execute("grant select on public.mots to stringx_reader")
    opened = EngineSide({**environment, "STRINGX_TARGET_DBNAME": DATABASE}, tmp_path)
    yield opened
    opened.close()


def test_other_encodings_get_the_verdicts_of_dbt(latin: EngineSide) -> None:
    rules = tuple(Rule.model_validate({"name": f"r{n}", **text}) for n, text in enumerate(RULES))
    rule_set = RuleSet("demo", TableName.parse("public.mots"), rules)
    outcome = latin.check(rule_set)
    assert outcome.error_code is None, outcome.error
    theirs = [verdict(said["status"], said["failures"]) for said in latin.verdicts_of_dbt(rule_set)]
    assert [verdict(found.status, found.failures) for found in outcome.results] == theirs
    assert {status for status, _ in theirs} == {"pass", "fail", "error"}
