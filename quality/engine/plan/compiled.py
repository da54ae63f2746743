"""What dbt made of one test: the SQL of its failing rows, and how they are judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CompiledTest:
    """A dbt test after compilation; `sql` is without dbt's own wrapping.

    `dbt_only` says why no one but dbt can run it (`store_failures`, `sql_header`, …), None where
    its SQL says everything. `limit`, `fail_calc`, `warn_if` and `error_if` are dbt's configuration
    of the same names, verbatim.
    """

    name: str
    sql: str
    severity: Literal["error", "warn"] = "error"
    warn_if: str = "!= 0"
    error_if: str = "!= 0"
    fail_calc: str = "count(*)"
    limit: int | None = None
    dbt_only: str | None = None
