"""Where the engine deliberately does not say what dbt says: each with its reason, and asserted.

Most are stricter: what dbt would let pass is an error. One trusts the database more than dbt does,
and one has a verdict where dbt has an error.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.differential.cases import Case, Relation, generic, singular

Verdict = tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class Difference:
    """A test on which both sides differ: status and failing rows of each."""

    case: Case
    reason: str
    dbt: Verdict
    engine: Verdict


DIFFERENCES = (
    Difference(
        singular("writing_while_looking", "select 1 where nextval('made.numbers') < 0"),
        "A check only reads: its transaction is read only, so a test that writes is an error.",
        ("pass", 0),
        ("error", None),
    ),
    Difference(
        generic(
            "relationships",
            Relation("bound", "retriggered"),
            "parent",
            arguments={"to": Relation("bound", "parents"), "field": "key"},
        ),
        "A validated constraint is trusted, though rows may have come in while its triggers were "
        "off (`disable trigger`, `session_replication_role`) and nothing says so any more.",
        ("fail", 2),
        ("pass", 0),
    ),
    Difference(
        singular(
            "guarded_by_a_dearer_condition",
            "select * from (select * from shop.divided where kind in ('a', 'b', 'c', 'd', 'e', 'f')"
            ") fine where not (10 / divisor > 1)",
        ),
        "PostgreSQL asks the cheapest condition of a query first; a scan asks them as they stand, "
        "and what a `where` keeps out breaks nothing behind it.",
        ("error", None),
        ("pass", 0),
    ),
)
# What no single test can show; each has a test of its own in test_differences.py.
OF_WHOLE_CHECKS = {
    "one_snapshot": (
        "All rules of a check see the table at one moment; dbt's tests each see it at their own."
    ),
    "nothing_is_no_pass": (
        "A check without rules is `no_rules`; `dbt test` with nothing to do succeeds."
    ),
    "time_is_limited": (
        "A statement, a lock and a whole check have time limits; what they end is an error. Rules "
        "that share a scan share its time: one that is too slow makes an error of those beside it."
    ),
}
