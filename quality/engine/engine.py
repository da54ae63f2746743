"""What an engine is, whatever it runs rules with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from quality.budgets import UNLIMITED, Budget
from quality.checks import CheckOutcome
from quality.engine.cancellation import Cancellation
from quality.engine.estimate import Estimate
from quality.engine.target.session import Relation
from quality.errors import EngineError
from quality.names import TableName
from quality.predicates import Predicate
from quality.profiles import TableProfile
from quality.rules import RuleSet


class EngineBusy(EngineError):
    """Other checks took all the time there was: this one never had its turn."""

    code = "engine_busy"


class Engine(Protocol):
    """Turns rule sets into verdicts. May be called from several threads at once.

    A connection is named by its target: an output of the dbt profile.
    """

    def compile(self, rule_set: RuleSet) -> None:
        """Raise InvalidInput for rules that could not run on their target.

        Its faults have paths from `rules[i]` on; codes: `column_not_found`, `table_not_found`,
        `regex_invalid`, `permission_denied`, `rule_rejected` with the words of dbt or the database.
        Raises Unavailable (`target_unreachable`) when the target cannot be asked.
        """

    def run(
        self,
        rule_set: RuleSet,
        scope: Sequence[Predicate] = (),
        time_limit_s: float | None = None,
        cancellation: Cancellation | None = None,
        *,
        deadline_s: float | None = None,
        budget: Budget = UNLIMITED,
    ) -> CheckOutcome:
        """Judge every rule of the set on one snapshot of the rows that `scope` leaves.

        `time_limit_s` ends the check; `deadline_s` (after the beginning as well) ends it with what
        is known by then: the rules that matter most come first, and those that there was no time
        for are `skipped` with a message that begins with `deadline`. `budget` is that of the
        connection and of who asked: the check stays within it, and within that of the settings.

        Never raises for what the data, the target or dbt do: a rule that cannot be judged is an
        `error` with a message; a check that cannot be made has an error_code: `target_unreachable`,
        `target_unknown`, `scope_column_not_found`, `scope_rejected`, `rule_rejected`, `timeout`,
        `cancelled`, `engine_incomplete`, `engine_busy`, `engine`. A set without rules is `no_rules`
        and touches nothing.
        """

    def complete(
        self,
        rule_set: RuleSet,
        scope: Sequence[Predicate],
        first: CheckOutcome,
        time_limit_s: float | None = None,
        cancellation: Cancellation | None = None,
        *,
        budget: Budget = UNLIMITED,
    ) -> CheckOutcome:
        """The whole of a check of these rules and rows that its deadline has cut short.

        What was late in `first` is judged now, on a snapshot of its own; the rest stays as it is.
        `time_limit_s` begins anew, a budget of time does not. Never raises, as `run`.
        """

    def estimate(self, rule_set: RuleSet, scope: Sequence[Predicate] = ()) -> Estimate:
        """What judging the set would cost, by the target's planner; no rows are read.

        Raises what `compile` and `run` have codes for, EngineError where a rule has no plan.
        """

    def explore(self, target: str, table: TableName) -> TableProfile:
        """A table's catalogue and a bounded look at its rows, for suggestions.

        Raises NotFound `table_not_found`, Unavailable, EngineError.
        """

    def describe(self, target: str, table: TableName) -> Relation:
        """The columns of a table; NotFound `table_not_found`, Unavailable `target_unreachable`."""

    def targets(self) -> list[str]:
        """The outputs of the dbt profile."""

    def generate_docs(self, rule_sets: Sequence[RuleSet], output_dir: Path) -> Path:
        """Make dbt's documentation of the tables; the page's path (`static_index.html`)."""

    def close(self) -> None:
        """Cancel what runs and end every process."""
