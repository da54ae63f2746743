"""The places where the engine and dbt are meant to differ, shown one by one."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from quality.engine.plan.compiled import CompiledTest
from quality.errors import StringXError
from quality.names import TableName
from quality.rules import RuleSet
from tests.differential.cases import Case, Relation
from tests.differential.comparing import verdict
from tests.differential.differences import DIFFERENCES, OF_WHOLE_CHECKS
from tests.differential.engine_side import EngineSide
from tests.differential.plain_dbt import PlainDbt

ORDERS = Relation("shop", "orders")
STORED = (
    {"store_failures": True},
    {"store_failures_as": "view"},
    {"store_failures_as": "table", "limit": 1},
    {"store_failures_as": "ephemeral"},
    {"sql_header": "set statement_timeout = 0;"},
)


@pytest.fixture(scope="module")
def hurried(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineSide]:
    """An engine that waits for nobody."""
    folder = tmp_path_factory.mktemp("hurried")
    opened = EngineSide(environment, folder, statement_timeout_s=1.0, lock_timeout_s=0.3)
    yield opened
    opened.close()


def test_every_deliberate_difference_is_as_written_down(
    plain_dbt: PlainDbt, engine_side: EngineSide
) -> None:
    said = plain_dbt.test([difference.case for difference in DIFFERENCES])
    for difference in DIFFERENCES:
        theirs = said[difference.case.name]
        ((ours,),) = engine_side.run([theirs.test])
        assert verdict(theirs.status, theirs.failures) == difference.dbt, theirs.message
        assert verdict(ours.status, ours.failures) == difference.engine, difference.reason


def test_all_tests_of_a_check_see_one_snapshot(database: str, engine_side: EngineSide) -> None:
    assert "one_snapshot" in OF_WHOLE_CHECKS
    # Another session sets all of `a` and none of `b`, then the other way round, at one stroke each.
    stop = threading.Event()

    def flip() -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            while not stop.is_set():
                connection.execute("update shop.flipping set a = b, b = a")

    columns = [
        CompiledTest("a", "select a from shop.flipping where a is null"),
        CompiledTest("b", "select b from shop.flipping where b is null"),
        CompiledTest("c", "select 1 from shop.flipping group by a having a is null"),
    ]
    writer = threading.Thread(target=flip)
    writer.start()
    try:
        seen = engine_side.run(columns, times=60)
    finally:
        stop.set()
        writer.join()
    for a, b, c in seen:
        assert {a.status, b.status} == {"pass", "fail"}
        assert a.status == c.status


def test_a_check_of_nothing_is_no_pass(engine_side: EngineSide) -> None:
    assert "nothing_is_no_pass" in OF_WHOLE_CHECKS
    nothing = RuleSet("demo", TableName.parse("shop.orders"), ())
    assert engine_side.rules.run(nothing).status == "no_rules"


def test_what_takes_too_long_is_an_error_and_never_a_pass(hurried: EngineSide) -> None:
    assert "time_is_limited" in OF_WHOLE_CHECKS
    ((slow, beside, other),) = hurried.run(
        [
            CompiledTest("slow", "select id from shop.orders where shop.slow(id)"),
            CompiledTest("beside", "select id from shop.orders where customer is null"),
            CompiledTest("other", "select id from shop.fine where id is null"),
        ]
    )
    assert (slow.status, slow.cause) == ("error", "timeout")
    assert verdict(beside.status, beside.failures) in (("fail", 1), ("error", None))
    assert verdict(other.status, other.failures) == ("pass", 0)


def test_a_locked_table_is_an_error_and_never_a_pass(database: str, hurried: EngineSide) -> None:
    test = CompiledTest("locked", "select id from shop.fine where id is null")
    assert hurried.run([test])[0][0].status == "pass"
    with psycopg.connect(database) as connection:
        connection.execute("lock table shop.fine in access exclusive mode")
        with pytest.raises(StringXError, match="lock timeout"):
            pytest.fail(f"was judged: {hurried.run([test])}")


def test_what_only_dbt_can_run_is_left_to_dbt(plain_dbt: PlainDbt) -> None:
    cases = [
        Case(f"stored_{number}", ORDERS, "not_null", "customer", config=config)
        for number, config in enumerate(STORED)
    ]
    said = plain_dbt.test(cases, {"require_sql_header_in_test_configs": True})
    reasons = [said[case.name].test.dbt_only for case in cases]
    assert reasons == ["store_failures", "store_failures", "store_failures", None, "sql_header"]
    messages = [said[case.name].message for case in cases]
    assert {said[case.name].failures for case in cases} == {1}, messages
