"""The process that dbt lives in; only this module and `resident` import it.

Started by `process` as `python -m quality.engine.dbt.worker <requests> <answers> <lifeline>`
(numbers of inherited pipes). One job at a time, because dbt cannot do two at once; projects stay
parsed between jobs. When the lifeline closes, the parent is gone: queries are cancelled and the
process ends.
"""

from __future__ import annotations

import gc
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
from dbt.exceptions import DbtProfileError
from dbt_common.context import set_invocation_context

from quality.engine.dbt.frames import ClosedPipe, read_frame, write_frame
from quality.engine.dbt.resident import REJECTIONS, ResidentProject

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


class Worker:
    """Answers jobs; holds at most `manifests` parsed projects, and as many resident ones."""

    def __init__(self, profiles_dir: str, profile: str, threads: int, manifests: int) -> None:
        self._profiles_dir = profiles_dir
        self._profile = profile
        self._threads = threads
        self._limit = manifests
        self._manifests: OrderedDict[str, Any] = OrderedDict()
        self._residents: OrderedDict[str, ResidentProject] = OrderedDict()
        self._macros: dict[str, Any] = {}
        self._bases: set[Path] = set()

    def answer(self, job: dict[str, Any]) -> dict[str, Any]:
        """The answer to one job: {ok: true, …} or {ok: false, rejected, kind, message}.

        `rejected` where it is the rules that dbt cannot make sense of; `kind` is its exception.
        """
        try:
            answer: dict[str, Any] = getattr(self, f"_{job['job']}")(job)
            return {"ok": True} | answer
        except Exception as error:
            rejected, kind = isinstance(error, REJECTIONS), type(error).__name__
            return {"ok": False, "rejected": rejected, "kind": kind, "message": str(error)}

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
            raise DbtProfileError(f"its type is {output.get('type')}, not postgres")
        found = {_ALIASES.get(name, name): value for name, value in output.items()}
        return {"credentials": {name: found.get(name) for name in _CREDENTIALS}}

    def _load(self, job: dict[str, Any]) -> dict[str, Any]:
        self._manifest(job)
        return {}

    def _prepare(self, job: dict[str, Any]) -> dict[str, Any]:
        self._resident(job)
        return {}

    def _compile(self, job: dict[str, Any]) -> dict[str, Any]:
        marker = job["marker"]
        variables = {} if marker is None else {"stringx_scope_marker": marker}
        return {"results": self._resident(job).compile(job["sources"], variables)}

    def _resident(self, job: dict[str, Any]) -> ResidentProject:
        """The project without rules, made again when the profile has changed."""
        changed = Path(self._profiles_dir, "profiles.yml").stat().st_mtime_ns
        key = f"{job['base']} {job['target']} {changed}"
        if key not in self._residents:
            if not self._macros:
                self._base(job)
            options = {
                "project_dir": job["base"],
                "profiles_dir": self._profiles_dir,
                "profile": self._profile,
                "target": job["target"],
                "threads": self._threads,
                "use_colors": False,
                "send_anonymous_usage_stats": False,
            }
            self._residents[key] = ResidentProject(self._macros, options)
            # It stays, and so does most of dbt: a collection that looks at all of it takes a tenth
            # of a second.
            gc.collect()
            gc.freeze()
            if len(self._residents) > self._limit:
                self._residents.popitem(last=False)
        return self._residents[key]

    def _test(self, job: dict[str, Any]) -> dict[str, Any]:
        command = ["test", "--no-write-json"]
        if job["select"]:
            command += ["--select", *job["select"]]
        runner = dbtRunner(manifest=self._manifest(job))
        done = self._invoke(runner, command, job, vars={"stringx_scope": job["scope"]})
        results = [
            {
                "name": result.node.name,
                "status": str(result.status),
                "failures": result.failures,
                "message": result.message,
                "seconds": result.execution_time,
                "sql": result.node.compiled_code,
            }
            for result in (done.results if done is not None else ())
        ]
        return {"results": results}

    def _docs(self, job: dict[str, Any]) -> dict[str, Any]:
        more = ["--static"] + (["--empty-catalog"] if job["empty_catalog"] else [])
        self._invoke(dbtRunner(), ["docs", "generate", *more, "--write-json"], job)
        return {}

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
        if parsed not in self._bases or not parsed.is_file():
            for old in folder.glob("target-*"):  # of processes that are no more
                if not Path("/proc", old.name.split("-")[1]).exists():
                    shutil.rmtree(old, ignore_errors=True)
            base = {"project": job["base"], "target": job["target"], "target_folder": name}
            self._macros = self._invoke(dbtRunner(), ["parse", "--no-write-json"], base).macros
            self._bases.add(parsed)
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
            raise done.exception
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
            job = read_frame(requests)
            if job["job"] == "compile":  # somebody waits for a changed rule: cleared up afterwards
                gc.disable()
            write_frame(answers, worker.answer(job))
            gc.enable()
    except (ClosedPipe, KeyboardInterrupt):
        # Threads of dbt may still wait for the server: nobody waits for them.
        os._exit(0)


if __name__ == "__main__":
    main()
