"""StringX's own engine, in process: `python -m benchmarks.contenders.stringx`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contenders.protocol import serve
from benchmarks.work import Finding, Target, Work
from quality import __version__
from quality.checks import CheckOutcome
from quality.engine import Engine, EngineSettings, open_engine
from quality.names import TableName
from quality.rules import Rule, RuleSet

CONNECTION = "demo"
RULES = Path(__file__).resolve().parents[2] / "stringx"


class StringX:
    """See `Contender`."""

    starts_processes = False

    def __init__(self) -> None:
        self._engine: Engine
        self._rule_sets: dict[str, RuleSet] = {}

    def open(self, target: Target, folder: Path) -> dict[str, str]:
        self._engine = engine_on(target, folder)
        return {"StringX": __version__}

    def prepare(self, work: Work) -> None:
        rule_set = rule_set_of(work)
        self._engine.compile(rule_set)
        self._rule_sets[work.name] = rule_set

    def run(self, work: Work) -> CheckOutcome:
        return self._engine.run(self._rule_sets[work.name])

    def findings(self, work: Work, found: CheckOutcome) -> Sequence[Finding]:
        if found.error_code:
            raise RuntimeError(f"{found.error_code}: {found.error}")
        return [
            Finding(
                result.rule,
                result.status if result.status in ("pass", "fail") else "error",  # type: ignore[arg-type]
                failures=result.failures,
                failing_rows=result.failing_rows,
                message=result.message,
            )
            for result in found.results
        ]

    def close(self) -> None:
        self._engine.close()


def engine_on(target: Target, folder: Path) -> Engine:
    """An engine with its data in a folder, and the rules of this checkout, wherever it is called
    from."""
    os.environ.update(target_variables(target))
    return open_engine(EngineSettings(data_dir=folder, project_dir=RULES, profiles_dir=None))


def target_variables(target: Target) -> dict[str, str]:
    """The environment by which the profile `stringx` finds the target."""
    return {
        "STRINGX_TARGET_HOST": target.host,
        "STRINGX_TARGET_PORT": str(target.port),
        "STRINGX_TARGET_USER": target.user,
        "STRINGX_TARGET_DBNAME": target.database,
        "STRINGX_TARGET_SSLMODE": "disable",
        "DBT_ENV_SECRET_TARGET_PASSWORD": target.password,
    }


def rule_set_of(work: Work) -> RuleSet:
    """The checks as rules; each bears its check's name."""
    return RuleSet(
        CONNECTION,
        TableName(work.schema, work.table),
        tuple(Rule.model_validate(document) for document in rule_documents(work)),
    )


def rule_documents(work: Work) -> list[dict[str, object]]:
    """The checks as the API takes rules."""
    return [
        {
            "name": check.name,
            "type": check.kind,
            "column": check.column,
            "arguments": {"values": list(check.values)} if check.values else {},
        }
        for check in work.checks
    ]


if __name__ == "__main__":
    serve(StringX())
