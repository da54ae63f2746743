"""The engine: dbt compiles when rules change, the database is asked when a check comes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from quality.budgets import UNLIMITED, Budget
from quality.checks import CheckOutcome, RuleResult, completed, failed_outcome
from quality.custom_rules import faults_of_custom_sql
from quality.engine.cancellation import Cancellation, CheckCancelled
from quality.engine.dbt.answers import finding_of, lost_connection, plain_message
from quality.engine.dbt.dbt import Dbt
from quality.engine.documentation import write_documentation
from quality.engine.estimate import Estimate
from quality.engine.judging import Asked, Judging
from quality.engine.plan.budgets import OVER
from quality.engine.plan.estimating import estimated
from quality.engine.plan.finding import Finding
from quality.engine.plan.grouping import values_query
from quality.engine.plan.groups import members_of
from quality.engine.plan.planning import PlannedTest
from quality.engine.plan.preparing import Entry, Planner, Prepared, scope_conditions
from quality.engine.plan.urgency import LATE, NOT_IN_TIME, End, first_end
from quality.engine.results import blank_of, result_of
from quality.engine.settings import EngineSettings
from quality.engine.target.connecting import Targets
from quality.engine.target.pool import Pool
from quality.engine.target.profile import profile
from quality.engine.target.scope import refuse_unfit, refuse_unknown_columns
from quality.engine.target.session import Relation
from quality.engine.target.snapshot import lost, open_snapshot
from quality.engine.target.validation import faults_of_names
from quality.errors import EngineError, Fault, InvalidInput, NotFound, StringXError, Unavailable
from quality.names import TableName
from quality.predicates import Predicate
from quality.profiles import TableProfile
from quality.rules import RuleSet


class PlannedEngine:
    """See `Engine`."""

    def __init__(self, settings: EngineSettings, environment: Mapping[str, str]) -> None:
        """`environment` is what dbt's profile may read; ConfigurationError names a wrong folder."""
        self._settings = settings
        self._dbt = Dbt(settings, environment)
        self._targets = Targets(self._dbt.credentials, settings)
        self._planner = Planner(self._dbt, settings)
        self._budgets: dict[str, Budget] = {}
        self._running: set[Cancellation] = set()
        self._closed = False

    def warm(self) -> None:
        """Have dbt get ready in the background, before the first rule set needs it."""
        self._dbt.warm()

    def compile(self, rule_set: RuleSet) -> None:
        """See `Engine.compile`."""
        if not rule_set.rules:
            return
        self._refuse_custom_sql(rule_set)
        deadline = time.monotonic() + self._settings.check_time_limit_s
        with self._targets.session(rule_set.connection, deadline) as session:
            relation = session.relation(rule_set.table)
            if relation is None:
                words = f"there is no table {rule_set.table} on the target"
                raise _refused([Fault("table", "table_not_found", words)])
            faults = faults_of_names(rule_set, relation, session)
        if faults:
            raise _refused(faults)
        entry = self._planner.entry(rule_set, deadline)
        pool = self._targets.pool(rule_set.connection, deadline)
        prepared = self._planner.prepare(entry, pool, deadline)
        for place, answer in sorted(prepared.refusals.items()):
            is_forbidden = answer.cause == "permission_denied"
            code = "permission_denied" if is_forbidden else "rule_rejected"
            words = self._dbt.redact(plain_message(answer.message))
            faults.append(Fault(f"rules[{place}]", code, words))
        faults = faults or self._faults_of_groups(rule_set, entry, prepared, pool, deadline)
        if faults:
            raise _refused(faults)

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
        """See `Engine.run`."""
        return self._checked(rule_set, tuple(scope), time_limit_s, cancellation, budget, deadline_s)

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
        """See `Engine.complete`."""
        if not first.late:
            return first
        spent_s = first.duration_ms / 1000
        rest = self._checked(
            rule_set,
            tuple(scope),
            time_limit_s,
            cancellation,
            budget,
            spent_s=spent_s,
            places=first.late,
        )
        return completed(first, rest)

    def _checked(
        self,
        rule_set: RuleSet,
        scope: tuple[Predicate, ...],
        time_limit_s: float | None,
        cancellation: Cancellation | None,
        limits: Budget,
        deadline_s: float | None = None,
        *,
        spent_s: float = 0.0,
        places: Sequence[int] | None = None,
    ) -> CheckOutcome:
        """The outcome of the rules at these places, or of all; `spent_s` of a budget is gone."""
        started_at, started = datetime.now(UTC), time.monotonic()
        limit = self._settings.check_time_limit_s if time_limit_s is None else time_limit_s
        budget = self._budget(rule_set.connection).within(limits)
        budget_s = None if budget.seconds is None else max(0.0, budget.seconds - spent_s)
        end = first_end(started, limit, deadline_s, budget_s)
        wanted = range(len(rule_set.rules)) if places is None else places
        results: list[RuleResult] = []
        if rule_set.rules:
            cancellation = cancellation or Cancellation()
            self._running.add(cancellation)
            try:
                if self._closed:
                    raise EngineError("the engine is closed")
                self._refuse_custom_sql(rule_set)
                results = self._judge(rule_set, scope, end, cancellation, budget, wanted)
            except StringXError as error:
                if _is_late(error, end):
                    late = [rule_set.rules[place] for place in wanted]
                    redact = self._dbt.redact
                    results = [
                        result_of(blank_of(rule), rule, NOT_IN_TIME, redact) for rule in late
                    ]
                else:
                    words = self._dbt.redact(plain_message(str(error)))
                    now = datetime.now(UTC)
                    return failed_outcome(rule_set.hash, error.code, words, started_at, now)
            finally:
                self._running.discard(cancellation)
        return CheckOutcome.model_construct(  # of what was validated one by one
            rule_set_hash=rule_set.hash,
            started_at=started_at,
            finished_at=datetime.now(UTC),
            duration_ms=(time.monotonic() - started) * 1000,
            results=tuple(results),
        )

    def estimate(self, rule_set: RuleSet, scope: Sequence[Predicate] = ()) -> Estimate:
        """See `Engine.estimate`."""
        if not rule_set.rules:
            return Estimate()
        self._refuse_custom_sql(rule_set)
        deadline = time.monotonic() + self._settings.check_time_limit_s
        pool = self._targets.pool(rule_set.connection, deadline)
        entry = self._planner.entry(rule_set, deadline)
        prepared = self._planner.prepare(entry, pool, deadline)
        conditions = scope_conditions(scope)
        tests = entry.plan.narrowed(conditions)
        with open_snapshot(pool, self._settings, deadline, Cancellation(), []) as opened:
            subject = entry.plan.subject
            facts = prepared.facts.get(subject.relation) if subject else None
            if subject is not None and facts is not None:
                refuse_unknown_columns(scope, subject.relation, facts)
                refuse_unfit(scope, subject.relation, opened.snapshot)
            return estimated(
                rule_set.rules,
                tests,
                prepared.readiness,
                conditions,
                opened.snapshot,
                self._settings.max_groups,
            )

    def explore(self, target: str, table: TableName) -> TableProfile:
        """See `Engine.explore`."""
        deadline = time.monotonic() + self._settings.check_time_limit_s
        pool = self._targets.pool(target, deadline)
        with open_snapshot(pool, self._settings, deadline, Cancellation(), []) as opened:
            return profile(table, opened.snapshot, self._settings.explored_rows)

    def describe(self, target: str, table: TableName) -> Relation:
        """See `Engine.describe`."""
        deadline = time.monotonic() + self._settings.check_time_limit_s
        with self._targets.session(target, deadline) as session:
            relation = session.relation(table)
        if relation is None:
            raise NotFound(f"there is no table {table} on target {target}", code="table_not_found")
        return relation

    def targets(self) -> list[str]:
        """See `Engine.targets`."""
        return self._dbt.targets()

    def generate_docs(self, rule_sets: Sequence[RuleSet], output_dir: Path) -> Path:
        """See `Engine.generate_docs`."""
        return write_documentation(self._dbt, rule_sets, output_dir)

    def close(self) -> None:
        """See `Engine.close`."""
        self._closed = True
        for cancellation in list(self._running):
            cancellation.cancel()
        self._targets.close()
        self._dbt.close()

    def _budget(self, connection: str) -> Budget:
        """That of the settings, made once for each connection."""
        found = self._budgets.get(connection)
        if found is None:
            found = self._budgets[connection] = self._settings.budget(connection)
        return found

    def _refuse_custom_sql(self, rule_set: RuleSet) -> None:
        """Also of rules that were stored when it was allowed; what has a plan was looked at."""
        if self._planner.known(rule_set):
            return
        faults = faults_of_custom_sql(
            rule_set.table,
            rule_set.rules,
            is_allowed=self._settings.custom_sql,
            schemas=set(self._settings.custom_sql_schemas.replace(",", " ").split()),
        )
        if faults:
            raise _refused(faults)

    def _judge(
        self,
        rule_set: RuleSet,
        scope: tuple[Predicate, ...],
        end: End,
        cancellation: Cancellation,
        budget: Budget,
        places: Sequence[int],
    ) -> list[RuleResult]:
        deadline = end.at
        # The target first: an unknown one, or one that is away, says more than dbt does.
        pool = self._targets.pool(rule_set.connection, deadline)
        entry = self._planner.entry(rule_set, deadline)
        rules = rule_set.rules
        asked = Asked(rules, scope, frozenset(places), end, budget, cancellation)
        judging = Judging(asked, entry, self._planner, pool, self._settings)
        findings, completing = judging.findings()
        tests = judging.tests
        try:
            left = [place for place in places if place not in findings]
            of_dbt = self._findings_of_dbt(rule_set, tests, scope, deadline, left)
            findings |= {place: completing.of_dbt(place, one) for place, one in of_dbt.items()}
        except EngineError:
            if not end.is_soft or time.monotonic() < deadline:
                raise
            findings = {place: findings.get(place, NOT_IN_TIME) for place in places}
        if end.is_soft and not end.is_deadline:
            words = f"its {budget.seconds:g} s were over before this rule was judged"
            late = Finding("error", cause=OVER, message=words)
            findings = {
                place: late if finding.cause == LATE else finding
                for place, finding in findings.items()
            }
        blanks, redact = entry.blanks, self._dbt.redact
        sql = [tests[place].test.sql if scope else None for place in places]
        return [
            result_of(blanks[place], rules[place], findings[place], redact, narrowed)
            for place, narrowed in zip(places, sql, strict=True)
        ]

    def _faults_of_groups(
        self, rule_set: RuleSet, entry: Entry, prepared: Prepared, pool: Pool, deadline: float
    ) -> list[Fault]:
        """Columns by which the database cannot group."""
        members = members_of(rule_set.rules, entry.plan.narrowed())
        if not members:
            return []
        questions = [f"explain {values_query(member, 1)}" for member in members]
        opened = open_snapshot(pool, self._settings, deadline, Cancellation(), [], questions)
        with opened as found:
            return [
                Fault(f"rules[{member.place}].group_by", "group_by_rejected", answer.message or "")
                for member, answer in zip(members, found.then, strict=True)
                if answer.failed
            ]

    def _findings_of_dbt(
        self,
        rule_set: RuleSet,
        tests: Sequence[PlannedTest],
        scope: tuple[Predicate, ...],
        deadline: float,
        places: Sequence[int],
    ) -> dict[int, Finding]:
        only = [place for place in places if tests[place].test.dbt_only is not None]
        if not only:
            return {}
        answers = self._dbt.test(rule_set, scope, deadline, only)
        words = lost_connection(answers)
        if words is not None:
            raise lost(words)
        return {place: finding_of(said) for place, said in zip(only, answers, strict=True)}


def _is_late(error: StringXError, end: End) -> bool:
    """Whether it only says that the deadline came while something was waited for."""
    may_pass = isinstance(error, (EngineError, Unavailable))
    is_ended = isinstance(error, CheckCancelled)
    return end.is_deadline and may_pass and not is_ended and end.has_come(time.monotonic())


def _refused(faults: list[Fault]) -> InvalidInput:
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return InvalidInput(
        f"the rules cannot run on their target: {faults[0]}{more}",
        code=faults[0].code,
        faults=faults,
    )
