"""Drafts: rules that are not stored, or not yet: validated, compared, tried, restored."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection

from api import access, audit
from api.differences import difference
from api.judging import foresee
from api.problems import Forbidden
from api.store import connections, tables, versions
from api.store import rules as stored_rules
from api.store.database import Database
from quality.custom_rules import FORBIDDEN, has_custom_sql
from quality.documents import strictly
from quality.engine import Engine, EngineBusy
from quality.errors import Conflict, Fault, InvalidInput, StringXError, Unavailable, invalid_input
from quality.predicates import Predicate, resolve
from quality.rules import Rule, RuleSet
from quality.settings import ApiSettings
from quality.suggestions import suggest

_NOTHING: dict[str, Any] = {
    "status": None,
    "score": None,
    "counts": {},
    "error_code": None,
    "error": None,
    "results": [],
}


@dataclass(frozen=True, slots=True)
class Drafts:
    """What routes call; one per process, safe to share between threads."""

    database: Database
    engine: Engine
    settings: ApiSettings
    slots: threading.BoundedSemaphore
    """Those of synchronous checks."""

    def validate(self, table_id: int, rules: Sequence[Rule], paths: list[str]) -> None:
        """Refuse rules that dbt or the target would: InvalidInput, its faults at `paths`."""
        self.permit(rules)
        with self.database.connect() as db:
            rule_set = tables.rule_set(db, table_id, list(rules))
        try:
            self.engine.compile(rule_set)
        except InvalidInput as error:
            faults = [_moved(fault, paths) for fault in error.faults]
            raise InvalidInput(str(error), code=error.code, faults=faults) from None

    def permit(self, rules: Sequence[Rule]) -> None:
        """Refuse rules with SQL of their author, unless the operator and the token allow them."""
        for rule in rules:
            if not has_custom_sql(rule):
                continue
            access.demand("custom_sql")
            if not self.settings.custom_sql:
                raise Forbidden(
                    f'rule "{rule.name}" is of type {rule.type}, which takes SQL; the operator has '
                    "to allow that (STRINGX_CUSTOM_SQL=true)",
                    code=FORBIDDEN,
                )

    def plan(self, table_id: int, rules: list[Rule]) -> dict[str, Any]:
        """What replacing the table's rules by these would change."""
        with self.database.connect() as db:
            stored = stored_rules.every(db, table_id)
        before = [stored_rules.definition(row) for row in stored]
        return difference(before, [rule.document() for rule in rules])

    def try_out(
        self,
        table_id: int,
        rules: Sequence[Rule] | None,
        scope: Sequence[Predicate],
        *,
        estimate_only: bool,
    ) -> dict[str, Any]:
        """Run these rules, or those of the table, without storing anything.

        Rules that are not in force are not run. Raises Unavailable while too many checks run or the
        target is away, InvalidInput for a scope that does not fit.
        """
        now = datetime.now(UTC)
        if rules is None:
            rules = self.rules(table_id)
            self.permit(rules)
        else:
            self.validate(table_id, rules, [f"rules[{place}]" for place in range(len(rules))])
        with self.database.connect() as db:
            rule_set = tables.rule_set(db, table_id, [r for r in rules if r.is_in_force(now)])
            budget = connections.budget_of(db, table_id)
        resolved = resolve(scope, now)
        with self._slot():
            estimate = self._estimate(rule_set, resolved, is_all=estimate_only)
            answer = {"estimate": estimate, "scope": [one.document() for one in resolved]}
            if estimate_only:
                return {**answer, **_NOTHING}
            limit_s = self.settings.sync_time_limit_s
            outcome = self.engine.run(rule_set, resolved, time_limit_s=limit_s, budget=budget)
        with self.database.connect() as db:
            outcome = foresee(db, table_id, rule_set.rules, scope, outcome)
        if outcome.error_code is not None:
            _raise_what_others_mend(outcome.error_code, outcome.error or "")
        return {
            **answer,
            "status": outcome.status,
            "score": outcome.score,
            "counts": outcome.counts,
            "error_code": outcome.error_code,
            "error": outcome.error,
            "results": [result.model_dump(mode="json") for result in outcome.results],
        }

    def suggest(self, table_id: int) -> list[dict[str, Any]]:
        """Rules that the table would keep as it is now, each with what speaks for it."""
        with self.database.connect() as db:
            subject = tables.rule_set(db, table_id, [])
        with self._slot():
            profile = self.engine.explore(subject.connection, subject.table)
        return [found.document() for found in suggest(profile, datetime.now(UTC))]

    def restore(
        self, table_id: int, number: int, author: str | None, reason: str | None
    ) -> dict[str, Any]:
        """Make the rules of that version the table's again; a newer version says so."""
        with self.database.connect() as db:
            version = versions.one(db, table_id, number)
        rules = _rules_of(version["rules"])
        self.validate(table_id, rules, [f"rules[{place}]" for place in range(len(rules))])
        with self.changing(table_id, author, reason or f"version {number} restored") as db:
            items = stored_rules.replace(db, table_id, rules)
            return {"items": items, "rules_version": versions.settle(db, table_id)}

    @contextmanager
    def changing(
        self, table_id: int, author: str | None, reason: str | None
    ) -> Iterator[Connection]:
        """A transaction that changes the rules of a table: who, why and what is kept with it."""
        with self.database.begin() as db:
            versions.sign(db, author or access.author(), reason)
            before = stored_rules.locked(db, table_id)
            yield db
            after = stored_rules.every(db, table_id)
            written = ([stored_rules.definition(row) for row in rows] for rows in (before, after))
            if any((changes := difference(*written)).values()):
                audit.record(
                    db, "rule_set.changed", f"table {table_id}", {"reason": reason, **changes}
                )

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self.slots.acquire(timeout=self.settings.sync_wait_s):
            raise busy()
        try:
            yield
        finally:
            self.slots.release()

    def _estimate(
        self, rule_set: RuleSet, scope: Sequence[Predicate], *, is_all: bool
    ) -> dict[str, float] | None:
        """None where there is none and it is not all that was asked for: the run says why."""
        try:
            return asdict(self.engine.estimate(rule_set, scope))
        except StringXError:
            if is_all:
                raise
            return None

    def rules(self, table_id: int) -> list[Rule]:
        """The table's rules, in force or not."""
        with self.database.connect() as db:
            stored = stored_rules.every(db, table_id)
        return _rules_of([stored_rules.definition(row) for row in stored])


def busy() -> Unavailable:
    """The refusal while all slots are taken."""
    return Unavailable(
        "too many synchronous checks run; try again, or use mode async", code=EngineBusy.code
    )


def _raise_what_others_mend(code: str, words: str) -> None:
    """A scope that does not fit is the caller's to mend; what is away is to be tried again."""
    if code in ("scope_column_not_found", "scope_rejected"):
        raise InvalidInput(words, code=code, faults=[Fault("scope", code, words)])
    if code in (EngineBusy.code, "target_unreachable"):
        raise Unavailable(words, code=code)


def _rules_of(documents: list[dict[str, Any]]) -> list[Rule]:
    """Stored rules, read; Conflict for one that this version of the service does not take."""
    rules = []
    for document in documents:
        try:
            rules.append(strictly(Rule, document))
        except ValidationError as error:
            words = str(invalid_input(error, f'the stored rule "{document["name"]}"'))
            raise Conflict(words, code="rule_outdated") from None
    return rules


def _moved(fault: Fault, paths: list[str]) -> Fault:
    """From `rules[2].column` of the compiled set to the place in the document that came in."""
    for place, path in enumerate(paths):
        prefix = f"rules[{place}]"
        if fault.path == prefix or fault.path.startswith(prefix + "."):
            return Fault((path + fault.path[len(prefix) :]).lstrip("."), fault.code, fault.message)
    return fault
