"""Checks and gates: what is printed, and the exit code that a pipeline obeys."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from cli.gate import aged
from embedded.postgres import EmbeddedPostgres
from tests.cli.conftest import Ended, Run
from tests.held import Held


def add(run: Run, table: str, *rules: tuple[str, ...]) -> None:
    assert run("tables", "add", table).code == 0
    for rule in rules:
        ended = run("rules", "add", table, *rule)
        assert ended.code == 0, ended.err


def read_junit(ended: Ended) -> ElementTree.Element:
    [suite] = ElementTree.fromstring(ended.out)  # noqa: S314 our own text
    return suite


PASSES = ("--type", "not_null", "--column", "id")
FAILS = ("--type", "not_null", "--column", "amount")
WARNS = ("-t", "accepted_range", "--column", "amount", "-a", "min_value=0", "--severity", "warn")


def test_the_verdict_is_the_exit_code(run: Run) -> None:
    add(run, "shop.orders", PASSES)
    passed = run("check", "run", "shop.orders")
    assert passed.code == 0
    assert passed.out.startswith("pass demo shop.orders")
    add(run, "shop.orders", WARNS)
    assert run("check", "run", "shop.orders").code == 0
    assert run("check", "run", "shop.orders", "--fail-on-warn").code == 4
    add(run, "shop.orders", FAILS)
    failed = run("check", "run", "shop.orders")
    assert failed.code == 1
    assert "not_null_amount" in failed.out
    selected = run("check", "run", "shop.orders", "--select", "rules=not_null_id")
    assert selected.code == 0
    narrowed = run("check", "run", "shop.orders", "--scope", "id<2")
    assert narrowed.code == 0


def test_what_cannot_be_checked_is_neither_pass_nor_fail(run: Run) -> None:
    add(run, "shop.clean")
    assert run("check", "run", "shop.clean").code == 3  # no rules
    ended = run("check", "run", "shop.nowhere")
    assert ended.code == 2
    assert "shop.nowhere" in ended.err
    wrong = run("check", "run", "shop.clean", "--scope", "nonsense")
    assert wrong.code == 2
    assert "--scope" in wrong.err and len(wrong.err.splitlines()) == 1
    without_kafka = run("check", "run", "shop.clean", "--async")
    assert without_kafka.code == 3
    assert "Kafka" in without_kafka.err


def test_a_check_as_json_csv_and_junit(run: Run) -> None:
    add(run, "shop.orders", PASSES, WARNS, FAILS)
    shown = run("check", "run", "shop.orders", "--output", "json", "--id", "cli-check-1")
    assert shown.json["id"] == "cli-check-1"
    assert shown.json["status"] == "fail"
    rows = list(csv.DictReader(io.StringIO(run("check", "run", "shop.orders", "-o", "csv").out)))
    assert {row["rule"]: row["status"] for row in rows} == {
        "not_null_id": "pass",
        "accepted_range_amount": "warn",
        "not_null_amount": "fail",
    }
    suite = read_junit(run("check", "run", "shop.orders", "-o", "junit"))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "0")
    [failed] = [case for case in suite if case.find("failure") is not None]
    assert failed.get("name") == "not_null_amount"
    strict = run("check", "run", "shop.orders", "-o", "junit", "--fail-on-warn")
    assert read_junit(strict).get("failures") == "2"


def test_watching_ends_with_the_same_verdict(run: Run) -> None:
    add(run, "shop.orders", FAILS)
    ended = run("check", "run", "shop.orders", "--watch", "--output", "json")
    assert ended.code == 1
    assert ended.json["status"] == "fail"
    refused = run("check", "run", "shop.nowhere", "--watch")
    assert refused.code == 2
    assert "shop.nowhere" in refused.err


def test_a_gate_reads_the_stored_verdict(run: Run) -> None:
    unknown = run("gate", "shop.orders")
    assert unknown.code == 3
    assert "unknown demo shop.orders: the table is not registered" in unknown.out
    add(run, "shop.orders", PASSES)
    assert "the table has no decision" in run("gate", "shop.orders").out
    run("check", "run", "shop.orders")
    allowed = run("gate", "shop.orders", "--max-age", "1h")
    assert (allowed.code, allowed.out.split()[0]) == (0, "allow")
    add(run, "shop.orders", FAILS)
    run("check", "run", "shop.orders", "--select", "rules=not_null_id")
    assert run("gate", "shop.orders").code == 0  # a narrowed check is no verdict
    run("check", "run", "shop.orders")
    blocked = run("gate", "shop.orders", "--output", "json")
    assert (blocked.code, blocked.json["decision"]) == (1, "block")
    assert blocked.json["verdict"] == "fail"
    wrong = run("gate", "shop.orders", "--max-age", "soon")
    assert wrong.code == 2
    assert "15m" in wrong.err


@pytest.mark.parametrize(
    ("decision", "max_age_s", "gate"),
    [
        ("allow", None, "allow"),
        ("warn", 100, "warn"),
        ("block", 100, "block"),
        ("unknown", None, "unknown"),
        ("allow", 60, "allow"),
        ("allow", 59, "unknown"),
        ("block", 59, "unknown"),
    ],
)
def test_gates_by_age(decision: str, max_age_s: float | None, gate: str) -> None:
    answer = {
        "decision": decision,
        "verdict": "pass",
        "decided_at": "2026-01-01T12:00:00+00:00",
        "check_id": "check-17",
        "reasons": [],
    }
    found = aged(answer, max_age_s, datetime(2026, 1, 1, 12, 1, tzinfo=UTC))
    assert (found["decision"], found["age_s"]) == (gate, 60)


def test_a_deadline_is_answered_in_time_and_the_gate_waits_for_all(
    run: Run, postgres: EmbeddedPostgres
) -> None:
    view = Held(postgres, "tarrying")
    slow = ("--type", "not_null", "--column", "slow", "--severity", "warn")
    try:
        add(run, view.table, PASSES, slow)
        with view.held():
            early = run("check", "run", view.table, "--deadline-ms", "2000", "--id", "cli-late-1")
            assert early.code == 3, early.err
            assert "the deadline left rules" in early.out
            decided = run("gate", view.table, "--wait", "20s", "-o", "json")
            assert (decided.code, decided.json["is_partial"]) == (3, True)
        whole = run("gate", view.table, "--check-id", "cli-late-1", "--whole", "--wait", "60s")
        assert (whole.code, whole.out.split()[0]) == (0, "allow")
    finally:
        view.drop()
