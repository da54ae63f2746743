"""The fault suite at a small size, on Apache Kafka where this machine can run it.

Each fault is done to one running service, one after the other; what was counted is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.brokers.apache_kafka import apache_kafka_available
from tests.conftest import require
from tests.faults.counting import HEAD, Tally
from tests.faults.load import SMALL, Scenario
from tests.faults.scenarios import IN_EVERY_BUILD, ON_APACHE, ON_EMBEDDED
from tests.faults.stage import Stage

pytestmark = pytest.mark.timeout(240)

Record = Callable[[str, object], None]
CHOSEN = {**IN_EVERY_BUILD, **ON_APACHE}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    require("kafka", apache_kafka_available())
    with Stage("apache") as stage:
        yield stage


@pytest.fixture(scope="module")
def memory_stage(stage: Stage) -> Iterator[Stage]:
    with stage.on_a_broker_in_memory():
        yield stage


def exact(scenario: Scenario, stage: Stage, record_property: Record) -> None:
    try:
        tally = scenario(stage, SMALL)
    finally:
        stage.proxy.heal()
    record_property("tally", tally.line())
    assert tally.is_exact, f"{HEAD}\n{tally.line()}"


@pytest.mark.parametrize("name", CHOSEN)
def test_nothing_is_lost_and_nothing_is_there_twice(
    stage: Stage, record_property: Record, name: str
) -> None:
    exact(CHOSEN[name], stage, record_property)


@pytest.mark.parametrize("name", ON_EMBEDDED)
def test_a_broker_in_memory_may_forget(
    memory_stage: Stage, record_property: Record, name: str
) -> None:
    exact(ON_EMBEDDED[name], memory_stage, record_property)


def test_the_count_tells_a_loss_and_a_duplicate() -> None:
    """Else nothing above says anything."""
    good = {"again": 0, "stored": 5, "duplicates": 0, "lost": 0}
    assert Tally("x", 5, **good).is_exact
    for wrong in ({"stored": 4}, {"duplicates": 1}, {"lost": 1}, {"wrong": 1}):
        assert not Tally("x", 5, **{**good, **wrong}).is_exact
