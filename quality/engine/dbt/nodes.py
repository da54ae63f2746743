"""What a compiled test of dbt is, read from dbt's own node of it, in the words of `CompiledTest`.

dbt is not imported here: its nodes come from the worker.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

# What stands between the SQL of a test and dbt's answer.
_JUDGING = re.compile(
    r"(\w+__)?(get_test_sql|get_limit_subquery_sql|statement|should_store_failures)|"
    r"materialization_test_\w+"
)
_OF_DBT = re.compile(r"dbt(_postgres)?")


def overridden_judging(macros: Iterable[Any]) -> str | None:
    """The macro by which a project judges tests otherwise than dbt does, if it has one."""
    return next(
        (
            f"macro {macro.package_name}.{macro.name}"
            for macro in macros
            if not _OF_DBT.fullmatch(macro.package_name) and _JUDGING.fullmatch(macro.name)
        ),
        None,
    )


def compiled_test(node: Any, overridden: str | None) -> dict[str, Any]:
    """The fields of the node's `CompiledTest`; `overridden` as `overridden_judging` says."""
    config = node.config
    return {
        "name": node.name,
        "sql": node.compiled_code,
        "severity": str(config.severity).lower(),
        "warn_if": config.warn_if,
        "error_if": config.error_if,
        "fail_calc": config.fail_calc,
        "limit": config.limit,
        "dbt_only": _reason(config) or overridden,
    }


def _reason(config: Any) -> str | None:
    """Why the SQL of a test with this configuration does not say everything.

    Hooks are no reason, as dbt runs none for a test, nor is another materialization, which dbt
    refuses.
    """
    if config.store_failures:
        return "store_failures"
    if config.get("sql_header"):
        return "sql_header"
    return None
