"""`python -m quality.tasks FILE --id RUN [--from POSITION]`: a run as a process of its own.

For the service, which runs actions on verdicts by it; people have `stringx tasks run`. The record
goes to standard output as JSON, faults to standard error, one a line. It ends when its parent does,
and at SIGTERM, in good order. With --validate nothing is run.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from quality.errors import InvalidInput, StringXError
from quality.logs import configure
from quality.settings import load
from quality.tasks.plan import Plan, read_plan, variables_of
from quality.tasks.registry import registered
from quality.tasks.running import Ended, run
from quality.tasks.settings import TaskSettings
from quality.tasks.stopping import end_with_parent, obeying_sigterm

SUCCEEDED = 0
FAILED = 1
REFUSED = 2
"""The file is not valid: nothing was run."""
PARTIAL = 3
"""Tasks failed that let the run go on."""
FAILED_FOR_GOOD = 4
"""It failed, and another attempt would fail too."""
BROKEN_OFF = 5


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m quality.tasks", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--id")
    parser.add_argument("--from", dest="begin_at", type=int, default=0)
    parser.add_argument("--validate", action="store_true")
    given = parser.parse_args(words)
    end_with_parent()
    try:
        settings = load(TaskSettings)
        configure("stringx-tasks", level=settings.log_level)
        plan = _plan(given.file, settings)
    except StringXError as error:
        faults = error.faults if isinstance(error, InvalidInput) else []
        print("\n".join(map(str, faults)) or error, file=sys.stderr)
        return REFUSED
    if given.validate:
        return SUCCEEDED
    with obeying_sigterm():
        ended = run(plan, settings, key=given.id, begin_at=given.begin_at)
    print(ended.record.model_dump_json())
    return exit_code(ended)


def exit_code(ended: Ended) -> int:
    """What the process ends with."""
    if ended.is_broken_off:
        return BROKEN_OFF
    if ended.is_final:
        return FAILED_FOR_GOOD
    return {"succeeded": SUCCEEDED, "partial": PARTIAL}.get(ended.record.status, FAILED)


def _plan(file: Path, settings: TaskSettings) -> Plan:
    return read_plan(file, registered(settings.tasks_dir), variables_of(datetime.now(UTC)))


if __name__ == "__main__":
    sys.exit(main())
