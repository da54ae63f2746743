"""What running one test found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from quality.checks import Group, Measure, RulePath, Sample


@dataclass(frozen=True, slots=True)
class Finding:
    """The status and count that dbt would give, and what was measured on the way.

    `failures` is dbt's: 0 where the test passes, whatever it counted; None where it could not be
    judged. `failing_rows` are rows of the table that violate the test, None where only a count of
    something else is known. `cause` is set for `error`: timeout, target_busy, permission_denied,
    table_missing, column_missing, regex_invalid, database, engine, or deadline where there was no
    time for it. `path` says how it was found.
    """

    status: Literal["pass", "warn", "fail", "error"]
    failures: int | None = None
    failing_rows: int | None = None
    rows_tested: int | None = None
    rows_estimated: bool = False
    measured: dict[str, Measure] = field(default_factory=dict)
    path: RulePath = "dbt_sql"
    proof: str | None = None
    cause: str | None = None
    message: str | None = None
    seconds: float = 0.0
    groups: tuple[Group, ...] = ()
    groups_left_out: int = 0
    sample: Sample | None = None
