"""The process in which plain dbt runs generated projects, one after the other.

`python -m tests.differential.plain_worker <requests> <answers>` (numbers of inherited pipes). An
answer has what dbt says of each test, and the test as it compiled it, which is read from its nodes
as the engine reads them.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from typing import Any

from dbt.cli.main import dbtRunner

from quality.engine.dbt.frames import ClosedPipe, read_frame, write_frame
from quality.engine.dbt.nodes import compiled_test, overridden_judging

_FLAGS = (
    *("--quiet", "--no-use-colors", "--log-level-file=none", "--no-version-check"),
    *("--no-send-anonymous-usage-stats", "--no-partial-parse", "--no-write-json"),
    "--single-threaded",
)


def run(project: str) -> list[dict[str, Any]]:
    """dbt's results of `dbt test`, in no order."""
    folders = (
        *(f"--project-dir={project}", f"--profiles-dir={project}"),
        *(f"--target-path={project}/target", f"--log-path={project}/logs"),
    )
    manifest = _invoke(dbtRunner(), "parse", *_FLAGS, *folders)
    overridden = overridden_judging(manifest.macros.values())
    return [
        {
            "name": result.node.name,
            "status": str(result.status),
            "failures": result.failures,
            "message": result.message,
            "test": compiled_test(result.node, overridden),
        }
        for result in _invoke(dbtRunner(manifest), "test", *_FLAGS, *folders).results
    ]


def _invoke(runner: dbtRunner, *arguments: str) -> Any:
    done = runner.invoke(list(arguments))
    if done.result is None:
        raise RuntimeError(f"dbt {arguments[0]} failed: {done.exception}")
    return done.result


def main() -> None:
    """Answer until the parent closes the pipe."""
    requests, answers = int(sys.argv[1]), int(sys.argv[2])
    # dbt's objects are many and live long: looking through them again and again takes a fifth of
    # its time.
    gc.set_threshold(100_000, 50, 100)
    with contextlib.suppress(ClosedPipe):
        while True:
            project = read_frame(requests)["project"]
            try:
                answer: dict[str, Any] = {"results": run(project)}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            write_frame(answers, answer)


if __name__ == "__main__":
    main()
