"""Versions of a table's rules, and what changed its verdict."""

from __future__ import annotations

from typing import Any

from api import rule_views as views
from api.differences import complete, difference, in_force
from api.operations import Answer, Operations, PageQuery, paged
from api.routes.rules import Signature
from api.routes.tables import known_id
from api.services import services
from api.store import verdicts, versions

operations = Operations("versions", __name__)
add = operations.add


@add("GET", "/tables/<int:table_id>/versions", query=PageQuery, answers={200: views.VersionPage})
def list_versions(table_id: int, query: PageQuery) -> Answer:
    """List the versions of a table's rules, newest first."""
    with services().database.connect() as db:
        page = versions.page(db, known_id(table_id), limit=query.limit, cursor=query.cursor)
    return paged(page)


@add("GET", "/tables/<int:table_id>/versions/<int:number>", answers={200: views.VersionView})
def get_version(table_id: int, number: int) -> Answer:
    """Read a version with its whole rule set."""
    with services().database.connect() as db:
        version = versions.one(db, known_id(table_id), number)
    return Answer({**version, "rules": [complete(rule) for rule in version["rules"]]})


@add(
    "GET",
    "/tables/<int:table_id>/versions/<int:number>/diff/<int:other>",
    answers={200: views.RuleDifference},
)
def compare_versions(table_id: int, number: int, other: int) -> Answer:
    """What changed from one version to another, rule by rule and field by field."""
    with services().database.connect() as db:
        before = versions.one(db, known_id(table_id), number)
        after = versions.one(db, table_id, other)
    return Answer(difference(before["rules"], after["rules"]))


@add(
    "POST",
    "/tables/<int:table_id>/versions/<int:number>/restore",
    query=Signature,
    answers={200: views.RuleSetView},
    problems=(409,),
)
def restore_version(table_id: int, number: int, query: Signature) -> Answer:
    """Make the rules of a version the table's again; that is a new version, if it changes any."""
    drafts = services().drafts
    return Answer(drafts.restore(known_id(table_id), number, query.author, query.reason))


@add(
    "GET",
    "/tables/<int:table_id>/verdict-changes",
    query=PageQuery,
    answers={200: views.VerdictChangePage},
)
def list_verdict_changes(table_id: int, query: PageQuery) -> Answer:
    """List when the table's verdict changed, newest first: from what to what, and why."""
    with services().database.connect() as db:
        page = verdicts.page(db, known_id(table_id), limit=query.limit, cursor=query.cursor)
        by_rules = [row for row in page.items if row["cause"] in ("rules", "scope")]
        numbers = {row[side] for row in by_rules for side in ("before_version", "after_version")}
        known = versions.rules_of(db, table_id, numbers)
    items = [{**row, "diff": _explained(row, known)} for row in page.items]
    return Answer({"items": items, "next_cursor": page.next_cursor})


def _explained(row: dict[str, Any], known: dict[int | None, list[Any]]) -> dict[str, Any] | None:
    """The difference of the rules in force then and before; None where they were not the cause."""
    if row["cause"] not in ("rules", "scope"):
        return None
    before = in_force(known.get(row["before_version"], []), row["before_at"])
    return difference(before, in_force(known.get(row["after_version"], []), row["at"]))
