"""The rule sets that checks run, kept in memory for as long as they stand.

A table's `rules_version` is renewed in the transaction of every change of its rules, so rules that
were read together with a version are the table's for as long as it shows that version.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from quality.checks import CheckRequest, Selection
from quality.documents import strictly
from quality.errors import Fault, InvalidInput, NotFound, StringXError
from quality.names import TableName
from quality.rules import Rule, RuleSet

Asked = tuple[str, str]
"""Connection and table, as a request names them."""

_SELECTIONS = 50
"""Narrowed rule sets that are kept of one table."""

_TABLES = text(
    """
    select asked.connection, asked.name, t.id, cast(t.rules_version as text) as version, c.target
    from unnest(cast(:connections as text[]), cast(:names as text[])) as asked (connection, name)
    left join connection c on c.name = asked.connection
    left join monitored_table t on t.connection = asked.connection and t.name = asked.name
    """
)
# One statement, so that rules and version are of one moment.
_RULES = text(
    """
    select t.id, cast(t.rules_version as text) as version, r.name, r.is_active, r.definition
    from monitored_table t left join rule r on r.table_id = t.id
    where t.id = any(cast(:ids as bigint[])) order by t.id, r.id
    """
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A monitored table as a check finds it, with the target that its connection names."""

    table_id: int
    version: str
    table: TableName
    target: str
    names: frozenset[str]
    """Of all its rules, active or not."""
    rules: tuple[Rule, ...]
    """The active ones, in the order in which they were written."""
    _chosen: dict[Selection, RuleSet] = field(default_factory=dict)

    def stands(self, seen: tuple[int, str, str]) -> bool:
        """Whether the database shows the same: table id, version and target."""
        return seen == (self.table_id, self.version, self.target)

    def rule_set(self, select: Selection) -> RuleSet:
        """What a check of that selection runs.

        InvalidInput (`rule_unknown`) for a rule that the table has not: it would be a check of
        nothing.
        """
        found = self._chosen.get(select)
        if found is None:
            for place, name in enumerate(select.rules):
                if name not in self.names:
                    words = f'the table has no rule "{name}"'
                    fault = Fault(f"select.rules[{place}]", "rule_unknown", words)
                    raise InvalidInput(words, code="rule_unknown", faults=[fault])
            rules = tuple(rule for rule in self.rules if select.takes(rule))
            found = RuleSet(self.target, self.table, rules)
            if len(self._chosen) >= _SELECTIONS:
                self._chosen.clear()
            self._chosen[select] = found
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
    ) -> dict[Asked, Subject | StringXError]:
        """What each request is about, by what it names; NotFound for what is not configured.

        One query, and a second one where rules changed or were not asked for before.
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
            if kept is not None and kept.stands((row.id, row.version, row.target)):
                found[key] = kept
            else:
                missing.append(row)
        if missing:
            found |= self._read(db, missing)
        return found

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
            subject = Subject(
                row.id,
                rules[0].version,
                TableName.parse(row.name),
                row.target,
                frozenset(rule.name for rule in rules if rule.name is not None),
                tuple(strictly(Rule, rule.definition) for rule in rules if rule.is_active),
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
