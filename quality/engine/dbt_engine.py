"""The engine that runs every rule through dbt."""

from __future__ import annotations

import html
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from quality.checks import CheckOutcome, RuleResult, failed_outcome
from quality.documents import canonical_json
from quality.engine.dbt.answers import connection_lost, plain_message, results_of
from quality.engine.dbt.dbt import Dbt
from quality.engine.dbt.process import DbtTimeout
from quality.engine.settings import EngineSettings
from quality.engine.target.session import Relation, Session, open_session
from quality.engine.target.validation import faults_of_names
from quality.errors import (
    Fault,
    InvalidInput,
    NotFound,
    StringXError,
    Unavailable,
)
from quality.logs import get_logger
from quality.names import TableName
from quality.predicates import Predicate
from quality.rules import RuleSet

log = get_logger(__name__)


class DbtEngine:
    """See `Engine`. One dbt process, started by the first call that needs it."""

    def __init__(self, settings: EngineSettings, environment: Mapping[str, str]) -> None:
        """`environment` is what dbt's profile may read; ConfigurationError names a wrong folder."""
        self._settings = settings
        self._dbt = Dbt(settings, environment)
        self._sessions: set[Session] = set()

    def compile(self, rule_set: RuleSet) -> None:
        """See `Engine.compile`."""
        if not rule_set.rules:
            return
        deadline = time.monotonic() + self._settings.check_time_limit_s
        with self._session(rule_set.connection, deadline) as session:
            relation = session.relation(rule_set.table)
            if relation is None:
                raise _refused([_no_table(rule_set.table)])
            faults = faults_of_names(rule_set, relation, session)
            if faults:
                raise _refused(faults)
            for index, test in enumerate(self._dbt.compile(rule_set, None, deadline)):
                words = session.explain(test.sql)
                if words is not None:
                    code = "permission_denied" if "permission denied" in words else "rule_rejected"
                    faults.append(Fault(f"rules[{index}]", code, self._dbt.redact(words)))
        if faults:
            raise _refused(faults)

    def run(
        self,
        rule_set: RuleSet,
        scope: Sequence[Predicate] = (),
        time_limit_s: float | None = None,
    ) -> CheckOutcome:
        """See `Engine.run`."""
        started_at, started = datetime.now(UTC), time.monotonic()
        limit = self._settings.check_time_limit_s if time_limit_s is None else time_limit_s
        results: list[RuleResult] = []
        if rule_set.rules:
            try:
                results = self._judge(rule_set, tuple(scope), started + limit)
            except StringXError as error:
                words = self._dbt.redact(plain_message(str(error)))
                return failed_outcome(
                    rule_set.hash, error.code, words, started_at, datetime.now(UTC)
                )
        return CheckOutcome(
            rule_set_hash=rule_set.hash,
            started_at=started_at,
            finished_at=datetime.now(UTC),
            duration_ms=(time.monotonic() - started) * 1000,
            results=tuple(results),
        )

    def describe(self, target: str, table: TableName) -> Relation:
        """See `Engine.describe`."""
        deadline = time.monotonic() + self._settings.check_time_limit_s
        with self._session(target, deadline) as session:
            relation = session.relation(table)
        if relation is None:
            raise NotFound(f"there is no table {table} on target {target}", code="table_not_found")
        return relation

    def targets(self) -> list[str]:
        """See `Engine.targets`."""
        return self._dbt.targets()

    def generate_docs(self, rule_sets: Sequence[RuleSet], output_dir: Path) -> Path:
        """See `Engine.generate_docs`. With several targets, a page that links to each one's."""
        by_target: dict[str, list[RuleSet]] = {}
        for rule_set in rule_sets:
            by_target.setdefault(rule_set.connection, []).append(rule_set)
        output_dir.mkdir(parents=True, exist_ok=True)
        page = output_dir / "static_index.html"
        if len(by_target) == 1:
            (only,) = by_target.items()
            self._dbt.document(*only, page)
            return page
        for target, its_own in by_target.items():
            (output_dir / target).mkdir(exist_ok=True)
            self._dbt.document(target, its_own, output_dir / target / "index.html")
        links = "".join(
            f'<li><a href="{html.escape(target)}/index.html">{html.escape(target)}</a></li>'
            for target in sorted(by_target)
        )
        page.write_text(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Documentation</title>'
            f"<h1>Targets</h1><ul>{links}</ul></html>",
            encoding="utf-8",
        )
        return page

    def close(self) -> None:
        """See `Engine.close`."""
        self._dbt.close()
        for session in list(self._sessions):
            session.cancel()

    def _judge(
        self, rule_set: RuleSet, scope: tuple[Predicate, ...], deadline: float
    ) -> list[RuleResult]:
        with self._session(rule_set.connection, deadline) as session:
            relation = session.relation(rule_set.table)
        if relation is not None:
            _check_scope(scope, relation, rule_set.table)
        answer = self._dbt.test(rule_set, scope, deadline)
        lost = connection_lost(answer)
        if lost is not None:
            raise Unavailable(f"the target cannot be reached: {lost}", code="target_unreachable")
        results = results_of(rule_set, answer, relation, self._dbt.redact)
        if relation is None:
            return results
        deadline = min(deadline, time.monotonic() + self._settings.count_time_limit_s)
        try:
            with self._session(rule_set.connection, deadline) as session:
                return _with_rows_tested(rule_set, scope, relation, results, session)
        except StringXError:
            return results  # the verdicts stand; how many rows they are of remains unknown

    @contextmanager
    def _session(self, target: str, deadline: float) -> Iterator[Session]:
        credentials = self._dbt.credentials(target, deadline)
        left = deadline - time.monotonic()
        if left <= 0:
            raise DbtTimeout("the check took longer than it may")
        with open_session(credentials, self._settings, left) as session:
            self._sessions.add(session)
            try:
                yield session
            finally:
                self._sessions.discard(session)


def _check_scope(scope: tuple[Predicate, ...], relation: Relation, table: TableName) -> None:
    for predicate in scope:
        if predicate.column not in relation.columns:
            raise InvalidInput(
                f'the scope names the column "{predicate.column}", which {table} has not',
                code="scope_column_not_found",
            )


def _with_rows_tested(
    rule_set: RuleSet,
    scope: tuple[Predicate, ...],
    relation: Relation,
    results: list[RuleResult],
    session: Session,
) -> list[RuleResult]:
    """The results with the number of rows, or values, that each looked at.

    One query for each distinct `where`, with a count of each column that a rule needs.
    """
    columns: dict[bytes, set[str]] = {}
    where: dict[bytes, tuple[Predicate, ...]] = {}
    keys = [_key(rule.where) for rule in rule_set.rules]
    for rule, key in zip(rule_set.rules, keys, strict=True):
        where[key] = rule.where
        needed = columns.setdefault(key, set())
        if rule.rule_type.tested == "values" and rule.column in relation.columns:
            needed.add(rule.column)
    counts = {
        key: session.count(rule_set.table, (*where[key], *scope), sorted(needed))
        for key, needed in columns.items()
    }
    completed = []
    for rule, key, result in zip(rule_set.rules, keys, results, strict=True):
        counted = counts[key]
        tested = None
        if counted is not None and result.status in ("pass", "warn", "fail"):
            rows, values = counted
            is_values = rule.rule_type.tested == "values"
            tested = values.get(rule.column or "") if is_values else rows
        completed.append(result.model_copy(update={"rows_tested": tested}))
    return completed


def _key(predicates: tuple[Predicate, ...]) -> bytes:
    return canonical_json([predicate.document() for predicate in predicates])


def _no_table(table: TableName) -> Fault:
    return Fault("table", "table_not_found", f"there is no table {table} on the target")


def _refused(faults: list[Fault]) -> InvalidInput:
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return InvalidInput(
        f"the rules cannot run on their target: {faults[0]}{more}",
        code=faults[0].code,
        faults=faults,
    )
