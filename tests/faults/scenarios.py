"""What goes wrong, on purpose, and what must be there afterwards.

A scenario sends requests to a running `Stage`, does harm meanwhile, heals what it broke, waits for
the results and counts. It raises AssertionError where more was promised than an exact count, and
NotHere where this machine cannot do the harm.
"""

from __future__ import annotations

from tests.faults import (
    of_groups,
    of_kafka,
    of_letters,
    of_machines,
    of_stores,
    of_targets,
    of_the_api,
    of_workers,
    soak,
)
from tests.faults.load import Scenario


def _named(*scenarios: Scenario) -> dict[str, Scenario]:
    return {scenario.__name__: scenario for scenario in scenarios}


IN_EVERY_BUILD: dict[str, Scenario] = _named(
    of_workers.killed_workers_and_store,
    of_workers.stopped_workers,
    of_workers.killed_dbt,
    of_workers.killed_before_the_commit,
    of_workers.killed_before_the_post,
    of_workers.killed_while_a_query_runs,
    of_the_api.killed_api,
    of_the_api.one_id_many_times,
    of_the_api.an_id_for_something_else,
    of_the_api.failing_api,
    of_the_api.lost_answers,
    of_the_api.rules_edited_meanwhile,
    of_stores.a_store_that_refuses,
    of_kafka.frozen_broker,
    of_targets.a_locked_table,
    of_targets.a_target_restarted,
    of_targets.planted_results,
    of_letters.poison_among_good,
    of_letters.redriven_letters,
    of_letters.a_poisoned_partition,
)
AT_LEISURE: dict[str, Scenario] = _named(
    of_workers.killed_workers,
    of_workers.a_frozen_worker,
    of_workers.a_worker_that_hangs,
    of_groups.a_long_check,
    of_groups.a_slow_table,
    of_groups.a_burst,
    of_the_api.a_token_that_changes,
    of_stores.no_connections_left,
    of_targets.a_target_behind_a_wall,
    of_machines.a_full_disk,
    of_machines.clocks_that_step,
    of_machines.names_gone,
    soak.soak,
)
"""Those that take long, or are part of another."""
ON_APACHE: dict[str, Scenario] = _named(
    of_kafka.told_to_stop_beside_a_still_broker,
    of_kafka.a_broker_killed,
    of_letters.a_letter_at_the_limit,
    of_letters.a_dead_letter_topic_that_refuses,
)
"""What needs a broker that keeps its data, and limits messages."""
ON_APACHE_AT_LEISURE: dict[str, Scenario] = _named(
    of_kafka.a_late_topic,
    of_groups.joining_and_leaving,
    of_groups.a_rolling_restart,
)
ON_EMBEDDED: dict[str, Scenario] = _named(
    of_kafka.a_broker_that_forgets,
    of_kafka.a_late_broker,
)
"""What is done to a broker in memory."""
