"""A task file as a plan: everything in it is validated before anything runs."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quality.errors import Fault, InvalidInput
from quality.tasks import hocon
from quality.tasks.durations import Duration
from quality.tasks.record import MAX_TASKS
from quality.tasks.registry import TaskClass

_CODES = {
    "extra_forbidden": ("unknown_argument", "is not known here"),
    "missing": ("missing", "is required"),
}

_OF_FORM = {"unknown_argument", "missing", "unknown_task", "unknown_field", "too_many_tasks"}
"""Codes of faults that no value has to do with."""


class Options(BaseModel):
    """What every item of `tasks` takes beside the arguments of its task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    args: dict[str, Any] = Field(default_factory=dict)
    retries: Annotated[int, Field(ge=0, le=100)] = 0
    retry_wait: Duration | None = None
    time_limit: Annotated[Duration, Field(gt=0)] | None = None
    continue_on_error: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One task of a plan, ready to run."""

    position: int
    place: str
    task: TaskClass
    arguments: BaseModel
    options: Options


@dataclass(frozen=True, slots=True)
class Plan:
    """A valid task file. `warnings` are what is allowed and probably not meant."""

    file: Path
    steps: tuple[Step, ...]
    variables: Mapping[str, str]
    warnings: tuple[Fault, ...]


def variables_of(now: datetime, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """What `${…}` in a task file can name: CWD, TODAY, PLATFORM, the environment, then `given`."""
    return {
        "CWD": str(Path.cwd()),
        "TODAY": now.astimezone(UTC).date().isoformat(),
        "PLATFORM": platform.system().lower(),
        **os.environ,
        **(given or {}),
    }


def read_plan(file: Path, tasks: Mapping[str, TaskClass], variables: Mapping[str, str]) -> Plan:
    """Read and validate; InvalidInput has all faults at once, each path being `file:line:column`
    and the field."""
    document = hocon.read(file, variables)
    faults: list[Fault] = []
    unknown = [name for name in document.values if name != "tasks" and _looks_misspelt(name)]
    faults += [
        Fault(str(hocon.Place(file)), "unknown_field", f'"{name}": did you mean tasks?')
        for name in unknown
    ]
    items = document.values.get("tasks")
    if not isinstance(items, list) or not items:
        message = "needs a list `tasks` with at least one {name, args}"
        faults.append(Fault(str(hocon.Place(file)), "no_tasks", message))
        items = []
    if len(items) > MAX_TASKS:
        message = f"has more than {MAX_TASKS} tasks"
        faults.append(Fault(str(hocon.Place(file)), "too_many_tasks", message))
        items = []
    steps = [_step(document, position, item, tasks, faults) for position, item in enumerate(items)]
    if document.unresolved:  # values that are not known cannot be judged
        faults = [*document.unresolved, *(one for one in faults if one.code in _OF_FORM)]
    if faults:
        raise InvalidInput(
            f"{file} is not valid: {len(faults)} fault{'s' * (len(faults) > 1)}; nothing was run",
            code="task_file",
            faults=faults,
        )
    valid = tuple(step for step in steps if step is not None)
    return Plan(file, valid, variables, tuple(document.missing))


def _step(
    document: hocon.Document,
    position: int,
    item: Any,
    tasks: Mapping[str, TaskClass],
    faults: list[Fault],
) -> Step | None:
    def fault(path: tuple[str | int, ...], code: str, message: str) -> None:
        where = document.place("tasks", position, path)
        field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
        faults.append(Fault(f"{where}: tasks[{position}]{field}", code, message))

    before = len(faults)
    if not isinstance(item, dict):
        fault((), "no_object", "must be an object with `name` and `args`")
        return None
    options = None
    try:
        options = Options.model_validate(item)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            fault(tuple(found["loc"]), *_said(found))
    name = item.get("name")
    task = tasks.get(name.lower()) if isinstance(name, str) else None
    if isinstance(name, str) and task is None:
        near = get_close_matches(name.lower(), tasks, n=1)
        hint = (
            f"; did you mean {near[0]}?" if near else "; `stringx tasks list` shows those there are"
        )
        fault(("name",), "unknown_task", f'there is no task "{name[:100]}"{hint}')
    if task is None:
        return None
    given = item.get("args", {})
    arguments = None
    if isinstance(given, dict):
        try:
            arguments = task.takes.model_validate(given)
        except ValidationError as error:
            for found in error.errors(include_url=False):
                fault(("args", *_named(found["loc"], given)), *_said(found))
    if options is None or arguments is None or len(faults) > before:
        return None
    where = document.place("tasks", position)
    return Step(position, str(where), task, arguments, options)


def _named(location: tuple[Any, ...], given: Any) -> tuple[str | int, ...]:
    """Without the names of the branches of a union, which pydantic puts in between."""
    path: list[Any] = []
    for part in location:
        if (isinstance(given, dict) and part in given) or (
            isinstance(given, list) and isinstance(part, int) and part < len(given)
        ):
            given = given[part]
        elif path or not isinstance(part, str):
            continue
        path.append(part)
    return tuple(path)


def _said(found: Any) -> tuple[str, str]:
    code, message = _CODES.get(found["type"], (found["type"], found["msg"]))
    return code, message.removeprefix("Value error, ")


def _looks_misspelt(name: str) -> bool:
    return bool(get_close_matches(name.lower(), ["tasks"], cutoff=0.75))
