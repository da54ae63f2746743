"""`stringx tasks`: run what a task file lists."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cli import exits
from cli.printing import as_json, coloured, output_option, plain, show
from cli.task_runs import list_runs, show_run
from quality.errors import InvalidInput
from quality.settings import load
from quality.tasks import Plan, read_plan, reporting, run
from quality.tasks.events import EVENTS, Event, example
from quality.tasks.plan import Step, variables_of
from quality.tasks.record import TaskRecord
from quality.tasks.registry import TaskClass, registered
from quality.tasks.settings import TaskSettings
from quality.tasks.stopping import obeying_sigterm

_EXIT_CODES = {"succeeded": exits.PASS, "failed": exits.FAIL, "partial": exits.NOT_CHECKED}
_CODES = """\b
Exit codes:
  0  all tasks succeeded, or the file is valid
  1  a task failed, and those after it were not run
  2  wrong usage, or the file is not valid: nothing was run
  3  tasks failed that let the run go on (continue_on_error)
  130  broken off by Ctrl-C or SIGTERM; the run is recorded"""

_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_set = click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=TEXT",
    help="What ${NAME} is in the file, before the environment; may be repeated.",
)
_verdict = click.option(
    "--verdict",
    type=click.Choice(EVENTS),
    help="As an action: with a made-up verdict of this kind as VERDICT_… variables.",
)


@click.group()
def tasks() -> None:
    """Run lists of tasks from HOCON files.

    What is run when a verdict changes is the subject of `stringx actions`.

    \b
    Examples:
      stringx tasks run nightly.conf --set DAY=2026-01-31
      stringx tasks runs --status failed
    """


@tasks.command("run", epilog=_CODES)
@_file
@_set
@_verdict
@output_option("table", "json")
def run_file(file: Path, given: tuple[str, ...], verdict: Event | None, output: str) -> int:
    """Validate a task file as a whole, and run its tasks in their order.

    The record of the run is sent to the API if STRINGX_API_URL is set; while it is away, records
    wait below STRINGX_DATA_DIR.

    \b
    Example: stringx tasks run nightly.conf
    """
    settings = load(TaskSettings)
    plan = _plan(file, given, verdict, settings)
    progress = _Progress(len(plan.steps))
    with obeying_sigterm():
        ended = run(plan, settings, told=progress.tell)
    record = ended.record
    try:
        reporting.keep(record, settings)
        trouble = reporting.report(settings)
    except OSError as error:
        trouble = f"the run is not recorded: {error.filename}: {error.strerror}"
    if trouble is not None:
        click.echo(f"stringx: {trouble}", err=True)
    if output == "json":
        as_json(record.model_dump(mode="json"))
    else:
        click.echo(f"{coloured(record.status)} {file} ({record.duration_ms:.0f} ms)")
        columns = ("position", "name", "status", "attempts", "duration_ms", "error")
        rows = [task.model_dump(mode="json") for task in record.tasks]
        show([{**row, "duration_ms": round(row["duration_ms"])} for row in rows], columns, "table")
    return exits.INTERRUPTED if ended.is_broken_off else _EXIT_CODES[record.status]


@tasks.command("validate", epilog=_CODES)
@_file
@_set
@_verdict
def validate(file: Path, given: tuple[str, ...], verdict: Event | None) -> None:
    """Say everything that is wrong with a task file, with its place, and run nothing.

    \b
    Examples:
      stringx tasks validate nightly.conf
      stringx tasks validate tell-ops.conf --verdict fail
    """
    plan = _plan(file, given, verdict, load(TaskSettings))
    click.echo(f"valid: {file}, {len(plan.steps)} tasks")


@tasks.command("list")
@output_option("table", "json", "csv")
def list_tasks(output: str) -> None:
    """List the tasks that there are with their arguments, those of other packages included.

    Beside its `args`, each item of a file may have `retries` (0), `retry_wait`
    (STRINGX_TASK_RETRY_WAIT_S), `time_limit` (STRINGX_TASK_TIME_LIMIT_S) and `continue_on_error`
    (false).

    \b
    Example: stringx tasks list --output json
    """
    known = registered(load(TaskSettings).tasks_dir)
    if output == "json":
        as_json([_described(name, task) for name, task in known.items()])
        return
    rows = []
    for name, task in known.items():
        fields = _arguments(task)
        for field in fields or [{}]:
            rows.append({"task": name, **field})
    show(rows, ("task", "argument", "required", "default", "description"), output)


def _described(name: str, task: TaskClass) -> dict[str, Any]:
    words = " ".join((task.__doc__ or "").split())
    return {"task": name, "description": words, "arguments": _arguments(task)}


def _arguments(task: TaskClass) -> list[dict[str, Any]]:
    found = []
    for name, field in task.takes.model_fields.items():
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        found.append(
            {
                "argument": name,
                "required": field.is_required(),
                "default": default,
                "description": field.description,
            }
        )
    return found


def _plan(
    file: Path, given: tuple[str, ...], verdict: Event | None, settings: TaskSettings
) -> Plan:
    pairs = {} if verdict is None else example(verdict)
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidInput(f'--set "{text}" is not NAME=TEXT')
        pairs[name] = value
    tasks_ = registered(settings.tasks_dir)
    plan = read_plan(file, tasks_, variables_of(datetime.now(UTC), pairs))
    for warning in plan.warnings:
        click.echo(f"stringx: {warning}", err=True)
    return plan


for command in (list_runs, show_run):
    tasks.add_command(command)


class _Progress:
    """One line for each task, on standard error; its output where it failed."""

    def __init__(self, tasks_: int) -> None:
        self._tasks = tasks_

    def tell(self, step: Step, record: TaskRecord | None) -> None:
        place = f"[{step.position + 1}/{self._tasks}] {step.task.known_as()}"
        if record is None:
            if sys.stderr.isatty():
                click.echo(f"{place} …", nl=False, err=True)
            return
        fresh = "\r" if sys.stderr.isatty() else ""
        click.echo(
            f"{fresh}{place}: {record.status} ({record.duration_ms:.0f} ms)"
            + (f": {plain(record.error)}" if record.error else ""),
            err=True,
        )
        for line in record.output.splitlines() if record.output else ():
            click.echo(f"    {plain(line)}", err=True)
