"""The process that dbt lives in: the one module that imports it.

Started by `dbt_process` as `python -m quality.engine.dbt.worker <requests> <answers> <lifeline>`
(numbers of inherited pipes). One job at a time, because dbt cannot do two at once; projects stay
parsed between jobs. When the lifeline closes, the parent is gone: queries are cancelled and the
process ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

from dbt.cli.main import cli, dbtRunner
from dbt.config.profile import Profile, read_profile
from dbt.config.renderer import ProfileRenderer
from dbt_common.context import set_invocation_context

from quality.engine.dbt.frames import ClosedPipe, read_frame, write_frame
from quality.engine.dbt.nodes import compiled_test, overridden_judging

_FLAGS = [
    "--quiet",
    "--no-use-colors",
    "--log-level-file=none",
    "--no-version-check",
    "--no-send-anonymous-usage-stats",
    "--no-populate-cache",
    "--no-fail-fast",
]
_CREDENTIALS = (
    *("host", "port", "user", "password", "database", "connect_timeout", "role", "search_path"),
    *("keepalives_idle", "sslmode", "sslcert", "sslkey", "sslrootcert"),
)

_ALIASES = {"dbname": "database", "pass": "password"}


class Refused(Exception):
    """dbt said no; `kind` is the name of its exception."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Worker:
    """Answers jobs; holds at most `manifests` parsed projects."""

    def __init__(self, profiles_dir: str, profile: str, threads: int, manifests: int) -> None:
        self._profiles_dir = profiles_dir
        self._profile = profile
        self._threads = threads
        self._limit = manifests
        self._manifests: OrderedDict[str, Any] = OrderedDict()

    def answer(self, job: dict[str, Any]) -> dict[str, Any]:
        """The answer to one job: {ok: true, …} or {ok: false, kind, message}."""
        try:
            answer: dict[str, Any] = getattr(self, f"_{job['job']}")(job)
            return {"ok": True} | answer
        except Refused as refusal:
            return {"ok": False, "kind": refusal.kind, "message": str(refusal)}
        except Exception as error:
            return {"ok": False, "kind": type(error).__name__, "message": str(error)}

    def _targets(self, job: dict[str, Any]) -> dict[str, Any]:
        profile = read_profile(self._profiles_dir).get(self._profile) or {}
        return {"targets": list(profile.get("outputs") or {})}

    def _credentials(self, job: dict[str, Any]) -> dict[str, Any]:
        set_invocation_context(os.environ)  # for env_var(); dbt's commands do so themselves
        profile = read_profile(self._profiles_dir)[self._profile]
        _, output = Profile.render_profile(
            profile, self._profile, job["target"], ProfileRenderer({})
        )
        if output.get("type") != "postgres":
            raise Refused("DbtProfileError", f"its type is {output.get('type')}, not postgres")
        found = {_ALIASES.get(name, name): value for name, value in output.items()}
        return {"credentials": {name: found.get(name) for name in _CREDENTIALS}}

    def _load(self, job: dict[str, Any]) -> dict[str, Any]:
        self._manifest(job)
        return {}

    def _compile(self, job: dict[str, Any]) -> dict[str, Any]:
        manifest = self._manifest(job)
        variables = {"stringx_scope_marker": job["marker"]} if job["marker"] is not None else {}
        results = self._run("compile", job, [], variables)
        overridden = overridden_judging(manifest.macros.values())
        return {"results": [compiled_test(result.node, overridden) for result in results]}

    def _test(self, job: dict[str, Any]) -> dict[str, Any]:
        selection = ["--select", *job["select"]] if job["select"] else []
        results = [
            {
                "name": result.node.name,
                "status": str(result.status),
                "failures": result.failures,
                "message": result.message,
                "seconds": result.execution_time,
                "sql": result.node.compiled_code,
            }
            for result in self._run("test", job, selection, {"stringx_scope": job["scope"]})
        ]
        return {"results": results}

    def _docs(self, job: dict[str, Any]) -> dict[str, Any]:
        more = ["--static"] + (["--empty-catalog"] if job["empty_catalog"] else [])
        self._invoke(dbtRunner(), ["docs", "generate", *more, "--write-json"], job)
        return {}

    def _run(
        self, command: str, job: dict[str, Any], more: list[str], variables: dict[str, Any]
    ) -> list[Any]:
        """dbt's results of the nodes of the job's project."""
        runner = dbtRunner(manifest=self._manifest(job))
        done = self._invoke(runner, [command, "--no-write-json", *more], job, vars=variables)
        return list(done.results) if done is not None else []

    def _manifest(self, job: dict[str, Any]) -> Any:
        project = job["project"]
        if project not in self._manifests:
            flags = ["--no-write-json", f"--partial-parse-file-path={self._base(job)}"]
            self._manifests[project] = self._invoke(dbtRunner(), ["parse", *flags], job)
            # A megabyte each, and never read again.
            (Path(project) / "target" / "partial_parse.msgpack").unlink(missing_ok=True)
            if len(self._manifests) > self._limit:
                self._manifests.popitem(last=False)
        self._manifests.move_to_end(project)
        return self._manifests[project]

    def _base(self, job: dict[str, Any]) -> Path:
        """A parsed project without any rule, from which dbt takes what does not change: macros.

        A rule set is parsed in a tenth of the time then.
        """
        folder = Path(job["base"])
        name = f"target-{os.getpid()}-{job['target']}"
        parsed = folder / name / "partial_parse.msgpack"
        if not parsed.is_file():
            for old in folder.glob("target-*"):  # of processes that are no more
                if not Path("/proc", old.name.split("-")[1]).exists():
                    shutil.rmtree(old, ignore_errors=True)
            base = {"project": job["base"], "target": job["target"], "target_folder": name}
            self._invoke(dbtRunner(), ["parse", "--no-write-json"], base)
        return parsed

    def _invoke(
        self, runner: dbtRunner, command: list[str], job: dict[str, Any], **more: Any
    ) -> Any:
        project = Path(job["project"])
        arguments = [
            *command,
            *_FLAGS,
            f"--project-dir={project}",
            f"--profiles-dir={self._profiles_dir}",
            f"--profile={self._profile}",
            f"--target={job['target']}",
            f"--target-path={project / job.get('target_folder', 'target')}",
            f"--log-path={project / 'logs'}",
            f"--threads={self._threads}",
        ]
        if command[0] in ("parse", "docs"):
            arguments = [part for part in arguments if part != "--no-fail-fast"]
        done = runner.invoke(arguments, **more)
        if done.exception is not None:
            if isinstance(done.exception, KeyboardInterrupt):
                raise done.exception
            raise Refused(type(done.exception).__name__, str(done.exception))
        return done.result


def _forget_flags() -> None:
    """Remove dbt's own switches (DBT_STORE_FAILURES …) from the environment: ours must stand."""
    commands = [cli]
    while commands:
        command = commands.pop()
        commands += getattr(command, "commands", {}).values()
        for parameter in command.params:
            names = parameter.envvar or []
            for name in [names] if isinstance(names, str) else names:
                os.environ.pop(name, None)


def _end_with_parent(lifeline: int) -> None:
    while os.read(lifeline, 1):
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(2)
    os._exit(1)


def main() -> None:
    """Answer jobs until the parent closes the pipe or interrupts."""
    requests, answers, lifeline = (int(number) for number in sys.argv[1:4])
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
    _forget_flags()
    try:
        worker = Worker(**read_frame(requests))
        while True:
            write_frame(answers, worker.answer(read_frame(requests)))
    except (ClosedPipe, KeyboardInterrupt):
        # Threads of dbt may still wait for the server: nobody waits for them.
        os._exit(0)


if __name__ == "__main__":
    main()
