"""The rule sets that checks run, kept in memory for as long as they stand.

A table's `rules_version` is renewed in the transaction of every change of its rules, so rules that
were read together with a version are the table's for as long as it shows that version. What is in
force changes with time as well, where rules have a validity: each set says from when to when it is
the right one.
"""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, text

from quality.budgets import UNLIMITED, Budget
from quality.checks import CheckRequest, Selection
from quality.documents import canonical_json, strictly
from quality.errors import Fault, InvalidInput, NotFound, StringXError, invalid_input
from quality.names import TableName
from quality.rules import Rule, RuleSet

Asked = tuple[str, str]
"""Connection and table, as a request names them."""

_SELECTIONS = 50
"""Narrowed rule sets that are kept of one table."""

_TABLES = text(
    """
    select asked.connection, asked.name, t.id, cast(t.rules_version as text) as version, c.target,
        c.budget, now() as moment
    from unnest(cast(:connections as text[]), cast(:names as text[])) as asked (connection, name)
    left join connection c on c.name = asked.connection
    left join monitored_table t on t.connection = asked.connection and t.name = asked.name
    """
)
# One statement, so that rules and version are of one moment.
_RULES = text(
    """
    select t.id, cast(t.rules_version as text) as version, t.version_number, r.name, r.is_active,
        r.definition
    from monitored_table t left join rule r on r.table_id = t.id
    where t.id = any(cast(:ids as bigint[])) order by t.id, r.id
    """
)


_JUDGING = {
    *("type", "column", "arguments", "severity", "warn_if", "error_if", "group_by"),
}
"""Fields of a rule that decide, with `where` and the data, what comes out."""


@dataclass(frozen=True)
class Chosen:
    """What a check runs, the version of the table's rules that it is of, and for how long it holds.

    `begins` and `ends` are None where it has held, or will hold, for as long as the version does.
    """

    rule_set: RuleSet
    version: int
    begins: datetime | None = None
    ends: datetime | None = None

    @cached_property
    def rules_hash(self) -> str:
        """Of what decides the verdict, but for the rows that the rules look at."""
        return _hash(rule.model_dump(mode="json", include=_JUDGING) for rule in self._judging())

    @cached_property
    def where_hash(self) -> str:
        """Of the rows that the rules look at."""
        return _hash(
            {
                **rule.model_dump(mode="json", include=_JUDGING),
                "where": [predicate.document() for predicate in rule.where],
            }
            for rule in self._judging()
        )

    def _judging(self) -> Iterable[Rule]:
        return (rule for rule in self.rule_set.rules if not rule.is_shadow)


@dataclass(frozen=True, slots=True)
class Subject:
    """A monitored table as a check finds it, with the target that its connection names."""

    table_id: int
    version: str
    number: int
    """Of the version of its rules, for people."""
    table: TableName
    target: str
    names: frozenset[str]
    """Of all its rules, active or not."""
    rules: tuple[Rule, ...]
    """The active ones, in the order in which they were written."""
    moments: tuple[datetime, ...] = ()
    """When a rule comes into force or goes out of it, in order."""
    budget: Budget = UNLIMITED
    """Of one check, as its connection has it."""
    odd: tuple[tuple[str, InvalidInput], ...] = ()
    """Active rules that this version does not understand, by name, and why."""
    _chosen: dict[tuple[Selection, int], Chosen] = field(default_factory=dict)

    def stands(self, seen: tuple[int, str, str, dict[str, Any] | None]) -> bool:
        """Whether the database shows the same: table id, version, target and budget."""
        return seen == (self.table_id, self.version, self.target, self.budget.document() or None)

    def chosen(self, select: Selection, now: datetime) -> Chosen:
        """What a check of that selection runs at `now`.

        InvalidInput (`rule_unknown`) for a rule that the table has not: it would be a check of
        nothing; and for one that is not understood, unless others are selected by name.
        """
        place = bisect_right(self.moments, now)
        found = self._chosen.get((select, place))
        if found is None:
            for number, name in enumerate(select.rules):
                if name not in self.names:
                    words = f'the table has no rule "{name}"'
                    fault = Fault(f"select.rules[{number}]", "rule_unknown", words)
                    raise InvalidInput(words, code="rule_unknown", faults=[fault])
            for name, error in self.odd:
                if not select.rules or name in select.rules:
                    raise error
            rules = tuple(r for r in self.rules if select.takes(r) and r.is_in_force(now))
            begins = self.moments[place - 1] if place else None
            ends = self.moments[place] if place < len(self.moments) else None
            rule_set = RuleSet(self.target, self.table, rules)
            found = Chosen(rule_set, self.number, begins, ends)
            if len(self._chosen) >= _SELECTIONS:
                self._chosen.clear()
            self._chosen[select, place] = found
        return found


class RuleSets:
    """Subjects by table, those used last kept. Safe to share between threads."""

    def __init__(self, capacity: int) -> None:
        """`capacity` is how many tables are kept."""
        self._capacity = capacity
        self._kept: OrderedDict[Asked, Subject] = OrderedDict()
        self._lock = threading.Lock()

    def kept(self, request: CheckRequest) -> Subject | None:
        """What was last seen of the request's table, without asking whether it still stands so."""
        key = request.connection, request.table
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def subjects(
        self, db: Connection, requests: Iterable[CheckRequest]
    ) -> tuple[dict[Asked, Subject | StringXError], datetime]:
        """What each request is about, by what it names, and the database's time.

        NotFound stands for what is not configured. One query, and a second one where rules changed
        or were not asked for before.
        """
        asked = sorted({(request.connection, request.table) for request in requests})
        connections, names = [one[0] for one in asked], [one[1] for one in asked]
        rows = db.execute(_TABLES, {"connections": connections, "names": names}).all()
        found: dict[Asked, Subject | StringXError] = {}
        missing = []
        for row in rows:
            key = row.connection, row.name
            if row.id is None or row.target is None:
                found[key] = _unknown(row)
                continue
            with self._lock:
                kept = self._kept.get(key)
            if kept is not None and kept.stands((row.id, row.version, row.target, row.budget)):
                found[key] = kept
            else:
                missing.append(row)
        if missing:
            found |= self._read(db, missing)
        return found, rows[0].moment

    def _read(self, db: Connection, rows: list[Any]) -> dict[Asked, Subject | StringXError]:
        stored: dict[int, list[Any]] = {}
        for rule in db.execute(_RULES, {"ids": [row.id for row in rows]}):
            stored.setdefault(rule.id, []).append(rule)
        found: dict[Asked, Subject | StringXError] = {}
        for row in rows:
            rules = stored.get(row.id)
            if rules is None:  # deleted a moment ago
                found[row.connection, row.name] = _no_table(row)
                continue
            read = {rule.name: _understood(rule) for rule in rules if rule.is_active}
            active = tuple(rule for rule in read.values() if isinstance(rule, Rule))
            limits = {moment for rule in active for moment in (rule.valid_from, rule.valid_to)}
            subject = Subject(
                row.id,
                rules[0].version,
                rules[0].version_number,
                TableName.parse(row.name),
                row.target,
                frozenset(rule.name for rule in rules if rule.name is not None),
                active,
                tuple(sorted(moment for moment in limits if moment is not None)),
                Budget.model_validate(row.budget or {}),
                tuple((name, why) for name, why in read.items() if isinstance(why, InvalidInput)),
            )
            self._keep((row.connection, row.name), subject)
            found[row.connection, row.name] = subject
        return found

    def _keep(self, key: Asked, subject: Subject) -> None:
        with self._lock:
            self._kept[key] = subject
            self._kept.move_to_end(key)
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)


def _unknown(row: Any) -> NotFound:
    if row.target is None:
        return NotFound(
            f'connection "{row.connection}" is not configured', code="connection_unknown"
        )
    return _no_table(row)


def _no_table(row: Any) -> NotFound:
    return NotFound(
        f"table {row.name} is not configured on connection {row.connection}",
        code="table_not_configured",
    )


def _understood(stored: Any) -> Rule | InvalidInput:
    """A rule as it is stored; by another version perhaps, which took what this one does not."""
    try:
        return strictly(Rule, {**stored.definition, "is_active": True})
    except ValidationError as error:
        what = f'rule "{stored.name}", as it is stored,'
        return invalid_input(error, what, code="rule_not_understood")


def _hash(documents: Iterable[dict[str, Any]]) -> str:
    """The same for the same documents in whatever order."""
    return hashlib.sha256(b",".join(sorted(map(canonical_json, documents)))).hexdigest()
