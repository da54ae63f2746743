"""The engine that runs every rule through dbt."""

from __future__ import annotations

import html
import re
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from quality.checks import CheckOutcome, RuleResult, failed_outcome
from quality.documents import canonical_json
from quality.engine.dbt.answers import Incomplete, connection_lost, plain_message, results_of
from quality.engine.dbt.process import DbtProcess, DbtTimeout
from quality.engine.dbt.project import ProjectFolder, rule_index, scope_document
from quality.engine.settings import EngineSettings
from quality.engine.target.session import Relation, Session, open_session
from quality.engine.target.validation import faults_of_names
from quality.errors import (
    EngineError,
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

_REJECTED = {"CompilationError", "ParsingError", "SchemaConfigError", "YamlParseDictError"}


class DbtEngine:
    """See `Engine`. One dbt process, started by the first call that needs it."""

    def __init__(self, settings: EngineSettings, environment: Mapping[str, str]) -> None:
        """`environment` is what dbt's profile may read; ConfigurationError names a wrong folder."""
        self._settings = settings
        self._projects = ProjectFolder(settings)
        self._dbt = DbtProcess(settings, environment)
        self._credentials: dict[tuple[str, int], dict[str, Any]] = {}
        self._credentials_lock = threading.Lock()
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
            for index, statement in self._compiled(rule_set, deadline):
                words = session.explain(statement)
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
        deadline = time.monotonic() + self._settings.check_time_limit_s
        return list(self._answer({"job": "targets"}, deadline, patient=True)["targets"])

    def generate_docs(self, rule_sets: Sequence[RuleSet], output_dir: Path) -> Path:
        """See `Engine.generate_docs`. With several targets, a page that links to each one's."""
        by_target: dict[str, list[RuleSet]] = {}
        for rule_set in rule_sets:
            by_target.setdefault(rule_set.connection, []).append(rule_set)
        output_dir.mkdir(parents=True, exist_ok=True)
        page = output_dir / "static_index.html"
        if len(by_target) == 1:
            (only,) = by_target.items()
            self._document(*only, page)
            return page
        for target, its_own in by_target.items():
            (output_dir / target).mkdir(exist_ok=True)
            self._document(target, its_own, output_dir / target / "index.html")
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
        answer = self._results("test", rule_set, scope, deadline)
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

    def _compiled(self, rule_set: RuleSet, deadline: float) -> Iterator[tuple[int, str]]:
        try:
            answer = self._results("compile", rule_set, (), deadline)
        except InvalidInput as error:
            match = re.search(r"\brule_(\d+)\b", str(error))
            path = f"rules[{match[1]}]" if match else "rules"
            words = self._dbt.redact(plain_message(str(error)))
            raise _refused([Fault(path, "rule_rejected", words)]) from None
        statements = {rule_index(result["name"]): result["sql"] for result in answer}
        for index in range(len(rule_set.rules)):
            if not statements.get(index):
                raise Incomplete(f"dbt compiled {len(answer)} of {len(rule_set.rules)} rules")
            yield index, statements[index]

    def _document(self, target: str, rule_sets: list[RuleSet], page: Path) -> None:
        deadline = time.monotonic() + self._settings.docs_time_limit_s
        project = self._projects.documentation_project(rule_sets)
        job = {"job": "docs", "project": str(project), "target": target, "empty_catalog": False}
        try:
            try:
                self._answer(job, deadline)
            except EngineError:  # the target is away: the rules can be shown all the same
                self._answer(job | {"empty_catalog": True}, deadline)
            made = (project / "target" / "static_index.html").read_text(encoding="utf-8")
            # Where this machine keeps its data is nobody's business.
            page.write_text(made.replace(f"{project}/", ""), encoding="utf-8")
        finally:
            shutil.rmtree(project, ignore_errors=True)

    def _results(
        self, what: str, rule_set: RuleSet, scope: tuple[Predicate, ...], deadline: float
    ) -> list[dict[str, Any]]:
        """dbt's results of `test` or `compile`, in no order."""
        job = {
            "project": str(self._projects.project_of(rule_set)),
            "base": str(self._projects.base_project()),
            "target": rule_set.connection,
            "scope": scope_document(scope),
        }
        self._answer(job | {"job": "load"}, deadline, patient=True)
        found: list[dict[str, Any]] = self._answer(job | {"job": what}, deadline)["results"]
        return found

    def _answer(
        self, job: dict[str, Any], deadline: float, *, patient: bool = False
    ) -> dict[str, Any]:
        """dbt's answer; a `patient` job is work that later callers find done."""
        at_least_s = self._settings.check_time_limit_s if patient else 0.0
        answer = self._dbt.ask(job, deadline, at_least_s=at_least_s)
        if answer["ok"]:
            return answer
        message = self._dbt.redact(plain_message(answer["message"]))
        if answer["kind"] in _REJECTED:
            raise InvalidInput(message, code="rule_rejected")
        raise EngineError(f"dbt: {message or answer['kind']}")

    @contextmanager
    def _session(self, target: str, deadline: float) -> Iterator[Session]:
        credentials = self._credentials_of(target, deadline)
        left = deadline - time.monotonic()
        if left <= 0:
            raise DbtTimeout("the check took longer than it may")
        with open_session(credentials, self._settings, left) as session:
            self._sessions.add(session)
            try:
                yield session
            finally:
                self._sessions.discard(session)

    def _credentials_of(self, target: str, deadline: float) -> dict[str, Any]:
        """From the profile, read again when the file has changed; kept in memory only."""
        profile = self._settings.profiles / "profiles.yml"
        try:
            key = (target, profile.stat().st_mtime_ns)
        except OSError as error:
            raise EngineError(f"cannot read {profile.name}: {error.strerror}") from None
        with self._credentials_lock:
            if key not in self._credentials:
                known = self._answer({"job": "targets"}, deadline, patient=True)["targets"]
                if target not in known:
                    raise NotFound(
                        f'the dbt profile has no output "{target}"', code="target_unknown"
                    )
                job = {"job": "credentials", "target": target}
                found = self._answer(job, deadline, patient=True)["credentials"]
                if found["search_path"]:
                    raise EngineError(
                        f"target {target} sets search_path in its profile, which would switch "
                        "StringX's limits off: use `alter role … set search_path` instead"
                    )
                self._credentials[key] = found
            return self._credentials[key]


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
