"""`python -m quality.tasks FILE --id RUN [--from POSITION]`: a run as a process of its own.

For the service, which runs actions on verdicts by it; people have `stringx tasks run`. The record
goes to standard output as JSON, faults to standard error, one a line. Exit codes: 0 all, 1 a task
failed, 2 the file is refused, 3 tasks failed that let the run go on.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from quality.errors import InvalidInput, StringXError
from quality.logs import configure
from quality.settings import load
from quality.tasks.plan import read_plan, variables_of
from quality.tasks.registry import registered
from quality.tasks.running import run
from quality.tasks.settings import TaskSettings

EXIT_CODES = {"succeeded": 0, "failed": 1, "partial": 3}
REFUSED = 2


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m quality.tasks", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--id", required=True)
    parser.add_argument("--from", dest="begin_at", type=int, default=0)
    given = parser.parse_args(words)
    try:
        settings = load(TaskSettings)
        configure("stringx-tasks", level=settings.log_level)
        tasks = registered(settings.tasks_dir)
        plan = read_plan(given.file, tasks, variables_of(datetime.now(UTC)))
    except StringXError as error:
        faults = error.faults if isinstance(error, InvalidInput) else []
        print("\n".join(map(str, faults)) or error, file=sys.stderr)
        return REFUSED
    record = run(plan, settings, key=given.id, begin_at=given.begin_at)
    print(record.model_dump_json())
    return EXIT_CODES[record.status]


if __name__ == "__main__":
    sys.exit(main())
