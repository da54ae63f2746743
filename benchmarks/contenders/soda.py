"""Soda Core 4 in process, its connection kept open: `python -m benchmarks.contenders.soda`.

Runs in the environment of benchmarks/requirements.txt.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from soda_core.common.data_source_impl import DataSourceImpl
from soda_core.common.yaml import ContractYamlSource, DataSourceYamlSource
from soda_core.contracts.contract_verification import ContractVerificationSession

from benchmarks.contenders.protocol import serve
from benchmarks.work import Check, Finding, Target, Work

SOURCE = "target"
_KINDS = {"not_null": "missing", "accepted_values": "invalid", "unique": "duplicate"}
_STATUSES = {"PASSED": "pass", "FAILED": "fail"}


class Soda:
    """See `Contender`."""

    starts_processes = False

    def __init__(self) -> None:
        self._source: Any
        self._database = ""
        self._contracts: dict[str, str] = {}

    def open(self, target: Target, folder: Path) -> dict[str, str]:
        # It writes a table of its results to the log at each run, for nobody to read here.
        logging.getLogger("soda").setLevel(logging.ERROR)
        connection = {
            "host": target.host,
            "port": target.port,
            "user": target.user,
            "password": target.password,
            "database": target.database,
            "sslmode": "disable",
        }
        document = {"type": "postgres", "name": SOURCE, "connection": connection}
        self._source = DataSourceImpl.from_yaml_source(
            DataSourceYamlSource.from_str(json.dumps(document))
        )
        self._source.open_connection()
        self._database = target.database
        return {name: version(name) for name in ("soda-core", "soda-postgres")}

    def prepare(self, work: Work) -> None:
        columns: dict[str, list[dict[str, Any]]] = {}
        for check in work.checks:
            columns.setdefault(check.column, []).append(_contract_check(check))
        contract = {
            "dataset": f"{SOURCE}/{self._database}/{work.schema}/{work.table}",
            "columns": [{"name": name, "checks": checks} for name, checks in columns.items()],
        }
        self._contracts[work.name] = json.dumps(contract)

    def run(self, work: Work) -> Any:
        return ContractVerificationSession.execute(
            contract_yaml_sources=[ContractYamlSource.from_str(self._contracts[work.name])],
            data_source_impls=[self._source],
        )

    def findings(self, work: Work, found: Any) -> Sequence[Finding]:
        # It leaves its transaction open, which the database ends after a while.
        self._source.data_source_connection.connection.rollback()
        if found.has_errors:
            raise RuntimeError(found.get_errors_str())
        kinds = {check.name: check.kind for check in work.checks}
        return [
            _finding(result, kinds[result.check.name])
            for contract in found.contract_verification_results
            for result in contract.check_results
        ]

    def close(self) -> None:
        self._source.close_connection()


def _contract_check(check: Check) -> dict[str, Any]:
    config: dict[str, Any] = {"name": check.name}
    if check.values:
        config["valid_values"] = list(check.values)
    return {_KINDS[check.kind]: config}


def _finding(result: Any, kind: str) -> Finding:
    count = int(result.threshold_value)
    status: Any = _STATUSES.get(result.outcome.value, "error")
    if kind == "unique":  # it counts rows less distinct values
        return Finding(result.check.name, status, surplus_rows=count)
    return Finding(result.check.name, status, failing_rows=count)


if __name__ == "__main__":
    serve(Soda())
