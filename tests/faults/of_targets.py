"""Targets: locked, unreachable, restarted, and results that nobody made."""

from __future__ import annotations

import json
import time
from typing import Any

import psycopg

from tests.faults import counting
from tests.faults.counting import Tally
from tests.faults.load import Size, counted, load, wait_committed
from tests.faults.stage import NUMBERS, Stage

AWAY = ("target_unreachable", "rules")
"""How a check may end whose target goes away: at once, or in the middle."""

MOST_LOCKED = 10
"""They wait for the lock one after the other, 3 s each."""


def a_locked_table(stage: Stage, size: Size) -> Tally:
    """Somebody holds a table for himself: its checks end as errors, the others are made, and the
    holder is not held up."""
    asked = stage.requests("locked", size.few * 2)
    of_it = [check_id for check_id, one in asked.items() if one["table"] == "load.t0"]
    of_it, surplus = of_it[:MOST_LOCKED], set(of_it[MOST_LOCKED:])
    wanted = {check_id: one for check_id, one in asked.items() if check_id not in surplus}
    began = time.monotonic()
    with psycopg.connect(stage.target.url("demo", "postgres")) as db:
        db.execute("set lock_timeout = '10s'")
        db.execute("lock table load.t0 in access exclusive mode")
        stage.send(*wanted.values())
        stage.wait_stored(list(wanted))
        db.execute("alter table load.t0 alter column x set not null")
    found = counting.statuses(stage.store_url, list(wanted))
    assert {found[check_id] for check_id in of_it} == {"target_busy"}, found
    stage.in_target("alter table load.t0 alter column x drop not null")
    again = stage.requests("unlocked", 1)
    stage.send(*again.values())
    stage.wait_stored(list(again))
    tally = counted(stage, "a locked table", {**wanted, **again}, 0, began, "target_busy")
    assert tally.errors == len(of_it), "a check of another table is an error"
    return tally


def a_target_behind_a_wall(stage: Stage, size: Size) -> Tally:
    """A target answers no packet: its checks end as errors, and those of other targets do not wait
    for them."""
    tables = [f"load.t{number}" for number in range(4)]
    numbers = [stage.configure_table(table, connection="beyond") for table in tables]
    away: dict[str, dict[str, Any]] = {}
    for table in tables:
        away |= stage.requests("walled", 5 if size.is_full else 1, table)
    for document in away.values():
        document["connection"] = "beyond"
    beside = stage.requests("beside-wall", size.requests)
    stage.passage.vanish()
    began = time.monotonic()
    try:
        stage.send(*away.values())
        time.sleep(1)  # they are in hand
        stage.send(*beside.values())
        stage.wait_stored(list(beside))
        beside_s = time.monotonic() - began
        left = len(away) - stage.stored(list(away))
        stage.wait_stored(list(away))
    finally:
        stage.passage.come_back()
    found = counting.statuses(stage.store_url, list(away))
    assert set(found.values()) == {"target_unreachable"}, found
    back = stage.requests("no-wall", 1, tables[0])
    for document in back.values():
        document["connection"] = "beyond"
    stage.send(*back.values())
    stage.wait_stored(list(back))
    everything = {**away, **beside, **back}
    tally = counted(stage, "a target behind a wall", everything, 0, began, "target_unreachable")
    assert tally.errors == len(away), "a check of another target is an error"
    for number in numbers:
        stage.forget_table(number)
    tally.notes |= {"others after": f"{beside_s:.1f} s", "still walled then": left}
    return tally


def a_target_restarted(stage: Stage, size: Size) -> Tally:
    """The target dies and comes back while its checks run: each has a verdict on all its rules, or
    is an error."""

    def harm(stage: Stage, number: int) -> None:
        stage.restart_target()

    return load(stage, "a target restarted", size, size.crashes, harm, may_end=AWAY)


def planted_results(stage: Stage, size: Size) -> Tally:
    """Results that say `pass` lie wherever dbt keeps its own, and the target cannot be reached:
    each check is an error."""
    with stage.view("planted", NUMBERS) as table:
        _plant(stage)
        stage.target.stop()
        wanted = {**stage.requests("planted", 2, table), **stage.requests("planted", 4)}
        began = time.monotonic()
        try:
            stage.send(*wanted.values())
            stage.wait_stored(list(wanted))
        finally:
            stage.target.start()
        tally = counted(stage, "planted results", wanted, 0, began, "target_unreachable")
        assert tally.errors == len(wanted), "a verdict without a target"
        again = stage.requests("replanted", 1, table)
        stage.send(*again.values())
        stage.wait_stored(list(again))
    wait_committed(stage)
    assert counting.statuses(stage.store_url, list(again)) == dict.fromkeys(again, "pass")
    return tally


def _plant(stage: Stage) -> None:
    good = [
        {"status": "pass", "unique_id": f"test.stringx.{name}", "failures": 0, "message": None}
        for name in ("id_known", "second", "rule_0", "rule_1")
    ]
    text = json.dumps({"metadata": {"invocation_id": "planted"}, "results": good})
    data = stage.folder / "worker0-data"
    below = [found for found in data.rglob("*") if found.is_dir() and not found.is_symlink()]
    for folder in [data, *below]:  # what is linked there is the project's own
        (folder / "run_results.json").write_text(text)
        if folder.name != "target":
            (folder / "target").mkdir(exist_ok=True)
            (folder / "target" / "run_results.json").write_text(text)
