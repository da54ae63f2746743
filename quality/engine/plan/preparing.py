"""From a rule set to what can be run at once, as long as the target's catalogue stays as it is."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from psycopg import sql

from quality.checks import RuleResult
from quality.engine.cancellation import Cancellation
from quality.engine.dbt.dbt import Dbt
from quality.engine.engine import EngineBusy
from quality.engine.plan.compiled import CompiledTest
from quality.engine.plan.experience import Experience
from quality.engine.plan.planning import Plan, PlannedTest, plan_test
from quality.engine.plan.shapes import Orphans, RelationName, Subject
from quality.engine.plan.shares import is_by_share
from quality.engine.plan.store import CompiledStore, Recent
from quality.engine.results import blank_of
from quality.engine.settings import EngineSettings
from quality.engine.target.catalogue import (
    Facts,
    Signature,
    facts_of,
    facts_query,
    lock_statement,
    signature_of,
    signature_query,
)
from quality.engine.target.pool import Pool
from quality.engine.target.proofs import Readiness, questions_of, readiness
from quality.engine.target.session import condition
from quality.engine.target.snapshot import open_snapshot
from quality.engine.target.wire import Answer
from quality.errors import Unavailable
from quality.predicates import Predicate
from quality.rules import Rule, RuleSet


@dataclass(slots=True)
class Prepared:
    """A plan together with what holds for the catalogue that has these digests.

    `signatures` are the newest that were seen with those digests. `locks` keep the tables as they
    are while they are looked at. `refusals` are the database's
    answers to tests that it would not run.
    """

    signatures: list[Signature]
    readiness: tuple[Readiness, ...]
    facts: dict[RelationName, Facts]
    refusals: dict[int, Answer]
    locks: tuple[str, ...] = ()
    experience: Experience = field(default_factory=Experience)

    @property
    def is_plain(self) -> bool:
        """Whether all columns are of types of PostgreSQL's own that look no names up: then what a
        text means as a value of theirs is known for good. An enum's labels can be renamed."""
        return all(
            facts.types.keys() == facts.columns.keys()
            and not any(name.startswith("reg") for name in facts.types.values())
            for facts in self.facts.values()
        )

    def holds_for(self, signatures: list[Signature]) -> bool:
        """Whether nothing of the catalogue has changed; then these are the newest."""
        mine = [signature.digest for signature in self.signatures]
        if mine != [signature.digest for signature in signatures]:
            return False
        self.signatures = signatures
        return True


@dataclass(slots=True)
class Entry:
    """A plan, the relations that it reads and how to ask for them, and its newest preparation.

    `blanks` are the results of its rules, as far as they are always the same.
    """

    plan: Plan
    relations: tuple[RelationName, ...]
    questions: tuple[str, ...]
    blanks: tuple[RuleResult, ...] = ()
    prepared: Prepared | None = None


class Planner:
    """Makes and keeps plans; safe for several threads."""

    def __init__(self, dbt: Dbt, settings: EngineSettings) -> None:
        self._dbt = dbt
        self._settings = settings
        self._entries: Recent[Entry] = Recent(settings.plans)
        self._store = CompiledStore(settings.data_dir.absolute() / "plans", settings.projects)
        self._compiling = threading.Lock()

    def known(self, rule_set: RuleSet) -> bool:
        """Whether somebody has the plan of this rule set already."""
        return self._entries.get(self._key(rule_set)) is not None

    def entry(self, rule_set: RuleSet, deadline: float) -> Entry:
        """The plan of a rule set, compiled by dbt where nobody has it yet.

        Raises InvalidInput when dbt refuses the rules, EngineBusy, and what dbt's process raises.
        """
        key = self._key(rule_set)
        found = self._entries.get(key)
        if found is not None:
            return found
        if not self._compiling.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise EngineBusy("waited too long for other rule sets to be compiled")
        try:
            found = self._entries.get(key)
            if found is None:
                found = self._entries.put(key, self._made(key, rule_set, deadline))
            return found
        finally:
            self._compiling.release()

    def prepare(self, entry: Entry, pool: Pool, deadline: float) -> Prepared:
        """Ask the target what it says of the plan, and keep that. Raises what Snapshot does."""
        first = ["set local constraint_exclusion = on", *entry.questions]
        opened_snapshot = open_snapshot(pool, self._settings, deadline, Cancellation(), first)
        with opened_snapshot as opened:
            snapshot = opened.snapshot
            signatures = [signature_of(answer) for answer in opened.first[1:]]
            known = [
                (relation, signature.oid)
                for relation, signature in zip(entry.relations, signatures, strict=True)
                if signature.oid is not None
            ]
            said = snapshot.ask([facts_query(oid) for _, oid in known])
            facts = {
                relation: facts_of(answer)
                for (relation, _), answer in zip(known, said, strict=True)
                if not answer.failed and answer.rows
            }
            tests = entry.plan.narrowed()
            questions = [questions_of(test) for test in tests]
            answers = snapshot.ask([question for asked in questions for question in asked])
            busy = next((answer for answer in answers if answer.stops_all), None)
            if busy is not None:
                words = f"the target is too busy to say whether rules can run: {busy.message}"
                raise Unavailable(words, code=busy.cause)
        grouped = _regrouped(answers, [len(asked) for asked in questions])
        entry.prepared = Prepared(
            signatures=signatures,
            readiness=tuple(
                readiness(test, own, facts) for test, own in zip(tests, grouped, strict=True)
            ),
            facts=facts,
            locks=tuple(
                lock_statement(relation)
                for relation, signature in zip(entry.relations, signatures, strict=True)
                if signature.kind in ("r", "p", "v")
            ),
            refusals={place: own[0] for place, own in enumerate(grouped) if own[0].failed},
        )
        return entry.prepared

    def _made(self, key: str, rule_set: RuleSet, deadline: float) -> Entry:
        saved = self._store.load(key)
        if saved is None or len(saved[1]) != len(rule_set.rules):
            marker = f"sx_scope_{secrets.token_hex(16)}"
            saved = (marker, self._dbt.compile(rule_set, marker, deadline))
            self._store.save(key, *saved)
        marker, tests = saved
        planned = tuple(_planned(rule_set, place, test, marker) for place, test in enumerate(tests))
        is_complete = not any(_wants_more(rule) for rule in rule_set.rules)
        plan = Plan(planned, marker, is_complete)
        both = zip(rule_set.rules, plan.narrowed(), strict=True)
        return entry_of(plan, [blank_of(rule, test.test.sql) for rule, test in both])

    def _key(self, rule_set: RuleSet) -> str:
        return _hashed(self._dbt.version, rule_set.hash)


@lru_cache(maxsize=10_000)
def _hashed(version: str, rule_set: str) -> str:
    return hashlib.sha256(f"{version}{rule_set}".encode()).hexdigest()


def entry_of(plan: Plan, blanks: Sequence[RuleResult] = ()) -> Entry:
    """A plan with the relations whose catalogue decides how it runs."""
    relations: dict[RelationName, None] = {}
    for planned in plan.tests:
        if planned.subject is not None:
            relations[planned.subject.relation] = None
        if isinstance(planned.shape, Orphans):
            relations[planned.shape.parent] = None
    questions = tuple(signature_query(name) for name in relations)
    return Entry(plan, tuple(relations), questions, tuple(blanks))


def scope_conditions(scope: Sequence[Predicate]) -> list[str]:
    """A scope as SQL, quoted."""
    return [condition(predicate).as_string(None) for predicate in scope]


def _planned(rule_set: RuleSet, place: int, test: CompiledTest, marker: str) -> PlannedTest:
    rule = rule_set.rules[place]
    table = rule_set.table
    name = sql.Identifier(table.schema, table.table).as_string(None)
    conditions = [*scope_conditions(rule.where), f'"{marker}"']
    subject = Subject(RelationName(None, table.schema, table.table, name), tuple(conditions))
    by_values = rule.rule_type.tested == "values" and rule.column is not None
    tested = sql.Identifier(rule.column or "").as_string(None) if by_values else None
    only_measures = rule.rule_type.category == "H"
    counts_rows = rule.rule_type.tested != "none"
    reads_rows = counts_rows or f'"{marker}"' in test.sql
    planned = plan_test(test, subject, tested)
    return replace(
        planned,
        subject=planned.subject if reads_rows else None,
        only_measures=only_measures,
        counts_rows=counts_rows,
    )


def _wants_more(rule: Rule) -> bool:
    """Whether it may want more than a count, by its own words: groups, a sample, a percentage."""
    return bool(rule.group_by) or rule.sample_limit is not None or is_by_share(rule)


def _regrouped(answers: list[Answer], sizes: list[int]) -> list[list[Answer]]:
    parts = iter(answers)
    return [[next(parts) for _ in range(size)] for size in sizes]
