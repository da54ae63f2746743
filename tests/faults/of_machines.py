"""The machine: a full disk, clocks that step, names that cannot be resolved."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from tests.faults import counting
from tests.faults.counting import Tally
from tests.faults.load import Size, counted, load, start_anew, wait_committed
from tests.faults.machine import Machine
from tests.faults.process import eventually
from tests.faults.stage import NUMBERS, Stage

HOUR_S = 3600.0


def a_full_disk(stage: Stage, size: Size) -> Tally:
    """The worker's disk is full when it needs it for rules that are new to it: an error or a
    verdict, and all is well when there is room again."""
    worker = stage.workers[0]
    for other in stage.workers:
        other.stop()
    disk = stage.folder / "worker0-data"
    worker.start(Machine(stage.folder / "levers", disk=disk, disk_mb=64))
    worker.wait_ready()
    ballast = Path(f"/proc/{worker.pid}/root") / disk.relative_to("/") / "ballast"
    began = time.monotonic()
    with stage.view("roomy", NUMBERS) as new, stage.view("roomier", NUMBERS) as newer:
        before = stage.requests("room", size.few, new)
        stage.send(*before.values())
        stage.wait_stored(list(before))
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(b"x" * 65_536):
                pass
        full = {**stage.requests("no-room", size.few, newer), **stage.requests("no-room", size.few)}
        stage.send(*full.values())
        stage.wait_stored(list(full))
        ballast.unlink()
        after = stage.requests("room-again", 1, newer)
        stage.send(*after.values())
        stage.wait_stored(list(after))
        assert worker.is_running
        wait_committed(stage)
        wanted = {**before, **full, **after}
        tally = counted(stage, "a full disk", wanted, 0, began, "engine", "rule_rejected")
    assert counting.statuses(stage.store_url, list(after)) == dict.fromkeys(after, "pass")
    start_anew(stage)
    return tally


def clocks_that_step(stage: Stage, size: Size) -> Tally:
    """The clocks of API and worker step by an hour, forth and back: leases are PostgreSQL's, so
    nobody takes what another has, and nothing lasts less than no time."""
    worker, away = stage.workers[0], stage.apis[1]
    machines = [Machine(stage.folder / name) for name in ("worker-clock", "api-clock")]
    away.stop()  # so that the one whose clock steps leads
    for process, machine in zip((worker, stage.api), machines, strict=True):
        process.stop()
        process.start(machine)
    stage.api.wait_ready()
    worker.wait_ready()
    steps = [(HOUR_S, 0.0), (-HOUR_S, HOUR_S), (0.0, -HOUR_S)]

    def harm(stage: Stage, number: int) -> None:
        for machine, seconds in zip(machines, steps[number % len(steps)], strict=True):
            machine.step_clock(seconds)
        time.sleep(0.3)  # longer than the lever takes

    tally = load(stage, "clocks that step", size, len(steps), harm)
    assert tally.notes["attempts"] == "<= 1", "a check was begun twice"
    negative = "select count(*) from check_run where duration_ms < 0 or finished_at < received_at"
    assert counting.number(stage.store_url, negative) == 0, "something lasted less than no time"
    for process in (worker, stage.api):
        process.stop()
        process.start()
    away.start()
    stage.api.wait_ready()
    worker.wait_ready()
    return tally


def names_gone(stage: Stage, size: Size) -> Tally:
    """No name can be resolved for a while, and connections break: nothing is given up."""
    worker = stage.workers[0]
    machine = Machine(stage.folder / "names", names=True)
    names = ("localhost", "target.stringx.test", "kafka.stringx.test")
    machine.know(*names)
    for other in stage.workers:
        other.stop()
    worker.start(
        machine,
        STRINGX_API_URL=f"http://localhost:{stage.api.port}",
        STRINGX_TARGET_HOST="target.stringx.test",
        STRINGX_KAFKA_BOOTSTRAP_SERVERS=f"kafka.stringx.test:{stage.kafka_port}",
    )
    worker.wait_ready()
    dead = len(stage.dead(""))
    wanted = stage.requests("names", size.requests)
    documents = list(wanted.values())
    began = time.monotonic()
    stage.send(*documents[: len(documents) // 2])
    stage.wait_stored(list(wanted), 1)
    machine.know()
    stage.api.kill()
    stage.api.start()
    stage.api.wait_ready()
    stage.restart_target()
    stage.send(*documents[len(documents) // 2 :])
    eventually(lambda: worker.health()["api"]["status"] == "down", "the worker to notice")
    time.sleep(size.seconds)
    machine.know(*names)
    stage.wait_stored(list(wanted))
    wait_committed(stage)
    assert len(stage.dead("")) == dead, "a message was given up because of a name"
    tally = counted(stage, "names gone", wanted, 0, began, "target_unreachable", "rules")
    start_anew(stage)
    return tally
