"""What the engine learnt of a table must not outlive a change of the table."""

from __future__ import annotations

from pathlib import Path

import psycopg

from quality.names import TableName
from quality.rules import Rule, RuleSet
from tests.differential.comparing import verdict
from tests.differential.engine_side import EngineSide
from tests.differential.rules import RuleText, rule

PARENT = {"to": "changing.parents", "field": "key"}
RULES: tuple[RuleText, ...] = (
    rule("not_null", "id"),
    rule("unique", "id"),
    rule("not_null", "name"),
    rule("unique", "name"),
    rule("accepted_values", "name", values=["a", "b", "c"]),
    rule("accepted_range", "amount", min_value=1),
    rule("relationships", "parent", **PARENT),
    rule("unique_combination_of_columns", columns=["id", "name"]),
    rule("column_greater_than", "amount", other_column="id", or_equal=True),
)
FILE = Path(__file__).parent / "changes.sql"


def test_no_change_of_a_table_goes_unseen(database: str, engine_side: EngineSide) -> None:
    rules = tuple(Rule.model_validate({"name": f"r{n}", **text}) for n, text in enumerate(RULES))
    rule_set = RuleSet("demo", TableName.parse("changing.rows"), rules)
    unseen = []
    with psycopg.connect(database, autocommit=True) as connection:
        for block in FILE.read_text().split("\n--- ")[1:]:
            step, statements = block.split("\n", 1)
            connection.execute(statements.encode())
            theirs = engine_side.verdicts_of_dbt(rule_set)
            for how in ("first", "again"):
                outcome = engine_side.check(rule_set)
                assert outcome.error_code is None, (step, outcome.error)
                unseen += [
                    f"{step}: {text}: dbt {said['status']} {said['failures']}, the engine "
                    f"{how} {found.status} {found.failures} by {found.path} {found.proof}"
                    for text, said, found in zip(RULES, theirs, outcome.results, strict=True)
                    if verdict(said["status"], said["failures"])
                    != verdict(found.status, found.failures)
                ]
    assert not unseen, "\n".join(unseen)
