"""dbt as the engine knows it: rules in, compiled tests or dbt's own verdicts out."""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from quality.catalogue import RULE_TYPES
from quality.engine.dbt.answers import Incomplete, plain_message
from quality.engine.dbt.compiled_rules import CompiledRules
from quality.engine.dbt.process import DbtProcess
from quality.engine.dbt.project import ProjectFolder, definition, rule_index, scope_document
from quality.engine.plan.compiled import CompiledTest
from quality.engine.settings import EngineSettings
from quality.errors import EngineError, Fault, InvalidInput, NotFound, StringXError
from quality.logs import get_logger
from quality.names import TableName
from quality.predicates import Predicate
from quality.rules import Rule, RuleSet

log = get_logger(__name__)

_MARKER = re.compile(r"[A-Za-z0-9_]+")
_RULE = re.compile(r"\brule_(\d+)\b")
RENEW_AGAIN_S = 60.0
"""After which it is tried again to replace an old process by one that would not get ready."""
RENEW_ATTEMPTS = 3
"""So many, and the old one is ended all the same."""
_PACKAGES = ("dbt-core", "dbt-adapters", "dbt-common", "dbt-postgres")


class Dbt:
    """One dbt process, started by the first call that needs it; callers take turns.

    Every `deadline` is a time.monotonic(). Calls raise DbtTimeout, EngineBusy when their turn did
    not come by then, and EngineError when dbt cannot go on.
    """

    def __init__(self, settings: EngineSettings, environment: Mapping[str, str]) -> None:
        """`environment` is what dbt's profile may read; ConfigurationError names a wrong folder."""
        self._settings = settings
        self.projects = ProjectFolder(settings)
        self._process = DbtProcess(settings, environment)
        self._profile = settings.profiles / "profiles.yml"
        self._credentials: dict[tuple[str, int], dict[str, Any]] = {}
        self._credentials_lock = threading.Lock()
        self._compiled = CompiledRules(settings.compiled_rules)
        self._marker = f"sx_scope_{uuid.uuid4().hex}"
        self._renewing = threading.Lock()
        self._renew_from = 0.0
        self._in_vain = 0
        self._used: set[str] = set()
        said = [f"{package} {version(package)}" for package in _PACKAGES]
        self.version = hashlib.sha256(
            "\n".join([*said, self.projects.version]).encode()
        ).hexdigest()
        """Changes with everything that could make an equal rule set compile to something else."""

    def warm(self) -> threading.Thread:
        """Get ready in the background; a process that is old is replaced by one that is ready.

        The first change of a rule then finds everything read: dbt itself, the project, the macros.
        The thread ends when that is done, or cannot be.
        """
        self._process.has_heirs = True
        return _in_background(self._warm, self._process)

    @property
    def pid(self) -> int | None:
        """The process id of dbt, None while it is not started."""
        return self._process.pid

    def compile(
        self, rule_set: RuleSet, scope_marker: str | None, deadline: float
    ) -> list[CompiledTest]:
        """A test for each rule, in their order, named `rule_<index>`.

        `scope_marker` is a name of letters, digits and underscores: as a quoted identifier it
        stands where a scope's conditions would, in every test. InvalidInput has the faults of the
        rules that dbt refuses (`rules[i]`, `rule_rejected`); Incomplete when a rule is missing.
        """
        if scope_marker is not None and not _MARKER.fullmatch(scope_marker):
            raise InvalidInput("scope_marker: must be letters, digits and underscores")
        profile = self._profile_changed()
        origins = [
            (rule_set.connection, profile, scope_marker is None, definition(rule, rule_set.table))
            for rule in rule_set.rules
        ]
        found = {
            place: test
            for place, origin in enumerate(origins)
            if (test := self._compiled.find(origin, f"rule_{place}")) is not None
        }
        new = [place for place in range(len(origins)) if place not in found]
        if new:
            marker = None if scope_marker is None else self._marker
            made = self._compile(self._process, rule_set, new, marker, deadline)
            for place, test in zip(new, made, strict=True):
                self._compiled.keep(origins[place], test)
                found[place] = test
        tests = [found[place] for place in range(len(origins))]
        if scope_marker is None:
            return tests
        return [
            replace(test, sql=test.sql.replace(f'"{self._marker}"', f'"{scope_marker}"'))
            for test in tests
        ]

    def test(
        self,
        rule_set: RuleSet,
        scope: tuple[Predicate, ...],
        deadline: float,
        only: Collection[int] | None = None,
    ) -> list[dict[str, Any]]:
        """dbt's own answer for each rule, or for those whose indexes are in `only`, in order.

        Each has name, status, failures, message, seconds, and the sql that it compiled. Raises
        InvalidInput when dbt refuses the rules, Incomplete when an answer is missing.
        """
        wanted = sorted(set(range(len(rule_set.rules)) if only is None else only))
        if not wanted:
            return []
        names = None if only is None else [f"rule_{index}" for index in wanted]
        job: dict[str, Any] = {"scope": scope_document(scope), "select": names}
        job |= {
            "project": str(self.projects.project_of(rule_set)),
            "base": str(self.projects.base_project()),
            "target": rule_set.connection,
        }
        self._answer(job | {"job": "load"}, deadline, patient=True)
        return _in_order(self._answer(job | {"job": "test"}, deadline)["results"], wanted)

    def targets(self) -> list[str]:
        """The outputs of the dbt profile."""
        deadline = time.monotonic() + self._settings.check_time_limit_s
        return list(self._answer({"job": "targets"}, deadline, patient=True)["targets"])

    def credentials(self, target: str, deadline: float) -> dict[str, Any]:
        """From the profile, read again when the file has changed; kept in memory only.

        Raises NotFound `target_unknown`, and EngineError for an output that cannot be used.
        """
        key = (target, self._profile_changed())
        with self._credentials_lock:
            if key not in self._credentials:
                known = self._answer({"job": "targets"}, deadline, patient=True)["targets"]
                if target not in known:
                    raise NotFound(
                        f'the dbt profile has no output "{target}"', code="target_unknown"
                    )
                job = {"job": "credentials", "target": target}
                found = self._answer(job, deadline, patient=True)["credentials"]
                if found["search_path"]:
                    raise EngineError(
                        f"target {target} sets search_path in its profile, which would switch "
                        "StringX's limits off: use `alter role … set search_path` instead"
                    )
                self._credentials[key] = found
            return self._credentials[key]

    def document(self, target: str, rule_sets: Sequence[RuleSet], page: Path) -> None:
        """Write dbt's documentation of the tables of one target to `page`, one HTML file."""
        deadline = time.monotonic() + self._settings.docs_time_limit_s
        project = self.projects.documentation_project(rule_sets)
        job = {"job": "docs", "project": str(project), "target": target, "empty_catalog": False}
        try:
            try:
                self._answer(job, deadline)
            except EngineError:  # the target is away: the rules can be shown all the same
                self._answer(job | {"empty_catalog": True}, deadline)
            made = (project / "target" / "static_index.html").read_text(encoding="utf-8")
            # Where this machine keeps its data is nobody's business.
            page.write_text(made.replace(f"{project}/", ""), encoding="utf-8")
        finally:
            shutil.rmtree(project, ignore_errors=True)

    def redact(self, text: str) -> str:
        """The text without any secret that dbt's environment holds."""
        return self._process.redact(text)

    def close(self) -> None:
        """Cancel what runs and end the process."""
        self._process.close()

    def _compile(
        self,
        process: DbtProcess,
        rule_set: RuleSet,
        only: Sequence[int],
        marker: str | None,
        deadline: float,
    ) -> list[CompiledTest]:
        """What dbt makes of the rules at these places."""
        self._used.add(rule_set.connection)
        job: dict[str, Any] = {
            "base": str(self.projects.base_project()),
            "target": rule_set.connection,
        }
        self._answer(job | {"job": "prepare"}, deadline, patient=True, process=process)
        job |= {"sources": self.projects.sources_of(rule_set, only), "marker": marker}
        answer = self._answer(job | {"job": "compile"}, deadline, process=process)["results"]
        faults = [
            self._fault(said["name"], said["rejected"]) for said in answer if "rejected" in said
        ]
        if faults:
            raise _refused(faults)
        tests = [CompiledTest(**said) for said in _in_order(answer, only)]
        if not all(test.sql for test in tests):
            raise Incomplete("dbt left a rule without SQL")
        return tests

    def _warm(self, process: DbtProcess) -> None:
        rules = tuple(Rule.model_validate(entry.example) for entry in RULE_TYPES.values())
        try:
            known = self._answer({"job": "targets"}, self._soon(), patient=True, process=process)
            targets = known["targets"]
        except StringXError as error:
            self._not_warm(error)
            return
        for target in sorted(self._used.intersection(targets)) or targets[:1]:
            every_type = RuleSet(target, TableName("public", "example"), rules)
            try:
                self._compile(process, every_type, range(len(rules)), self._marker, self._soon())
            except StringXError as error:
                self._not_warm(error)

    def _not_warm(self, error: StringXError) -> None:
        # Whoever needs dbt is told what is wrong.
        log.info("dbt_not_warm", reason=self.redact(str(error)))

    def _soon(self) -> float:
        return time.monotonic() + self._settings.check_time_limit_s

    def _stay_young(self) -> None:
        """Where the process is old, have another one get ready beside it and take its place."""
        is_due = time.monotonic() >= self._renew_from and self._process.is_old
        if not is_due or not self._renewing.acquire(blocking=False):
            return
        try:
            _in_background(self._renew)
        except RuntimeError as error:  # no thread can be started now
            self._renewing.release()
            log.warning("dbt_process_not_recycled", reason=str(error))

    def _renew(self) -> None:
        successor = self._process.successor()
        is_renewed = False
        try:
            self._warm(successor)
            # Perhaps there is no room for two: then the old one must go before another begins.
            is_last = self._in_vain >= RENEW_ATTEMPTS - 1
            is_renewed = self._process.replace(successor, at_any_rate=is_last)
        finally:
            successor.close()  # which has nothing more, unless anything went wrong
            self._in_vain = 0 if is_renewed else self._in_vain + 1
            if not is_renewed:
                log.warning("dbt_process_not_recycled", retry_s=RENEW_AGAIN_S)
            if not is_renewed or self._process.is_old:
                self._renew_from = time.monotonic() + RENEW_AGAIN_S
            self._renewing.release()

    def _profile_changed(self) -> int:
        try:
            return self._profile.stat().st_mtime_ns
        except OSError as error:
            raise EngineError(f"cannot read profiles.yml: {error.strerror}") from None

    def _answer(
        self,
        job: dict[str, Any],
        deadline: float,
        *,
        patient: bool = False,
        process: DbtProcess | None = None,
    ) -> dict[str, Any]:
        """dbt's answer; a `patient` job is work that later callers find done."""
        at_least_s = self._settings.check_time_limit_s if patient else 0.0
        try:
            answer = (process or self._process).ask(job, deadline, at_least_s=at_least_s)
        finally:
            if process in (None, self._process):
                self._stay_young()
        if answer["ok"]:
            return answer
        fault = self._fault(answer["message"], answer["message"])
        if answer["rejected"]:
            raise _refused([fault])
        raise EngineError(f"dbt: {fault.message or answer['kind']}")

    def _fault(self, place: str, message: str) -> Fault:
        """`place` is a text that names the rule, if any does."""
        match = _RULE.search(place)
        path = f"rules[{match[1]}]" if match else "rules"
        return Fault(path, "rule_rejected", self.redact(plain_message(message)))


def _in_background(work: Callable[..., None], *given: DbtProcess) -> threading.Thread:
    thread = threading.Thread(target=work, args=given, name="dbt-warm", daemon=True)
    thread.start()
    return thread


def _refused(faults: list[Fault]) -> InvalidInput:
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return InvalidInput(
        f"dbt refuses the rules: {faults[0]}{more}", code="rule_rejected", faults=faults
    )


def _in_order(answer: list[dict[str, Any]], wanted: Sequence[int]) -> list[dict[str, Any]]:
    found = {rule_index(said["name"]): said for said in answer}
    if set(found) != set(wanted) or len(answer) != len(wanted):
        raise Incomplete(f"dbt judged {len(answer)} of {len(wanted)} rules")
    return [found[index] for index in wanted]
