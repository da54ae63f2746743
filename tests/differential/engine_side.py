"""The engine's side of the comparison: the one place that knows how it is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from decimal import Decimal

import psycopg

from quality.engine.plan.compiled import CompiledTest
from quality.engine.plan.finding import Finding


def run(
    environment: Mapping[str, str], tests: Sequence[CompiledTest], **settings: Any
) -> list[Finding]:
    """What the engine finds, all tests in one snapshot."""
    found = []
    with psycopg.connect(
        host=environment["STRINGX_TARGET_HOST"],
        port=environment["STRINGX_TARGET_PORT"],
        user=environment["STRINGX_TARGET_USER"],
        password=environment["DBT_ENV_SECRET_TARGET_PASSWORD"],
        dbname=environment["STRINGX_TARGET_DBNAME"],
        autocommit=True,
    ) as connection:
        for test in tests:
            limit = "" if test.limit is None else f"limit {test.limit}"
            try:
                rows = connection.execute(
                    f"select {test.fail_calc} as failures, {test.fail_calc} {test.warn_if}, "
                    f"{test.fail_calc} {test.error_if} from (\n{test.sql}\n{limit}\n) t".encode()
                ).fetchall()
            except psycopg.Error as error:
                found.append(Finding("error", message=str(error)))
                continue
            if len(rows) != 1 or len(rows[0]) != 3:
                found.append(Finding("error", message="not one row of three columns"))
                continue
            failures, warns, errs = rows[0]
            if not isinstance(failures, (int, float, Decimal)) or isinstance(failures, bool) or failures != failures or failures != int(failures):
                found.append(Finding("error", message="no number"))
            elif test.severity == "error" and errs:
                found.append(Finding("fail", int(failures)))
            elif warns:
                found.append(Finding("warn", int(failures)))
            else:
                found.append(Finding("pass", 0))
    return found
