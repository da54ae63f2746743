"""What a task is: a class with a name, the shape of its arguments, and `run`.

Deriving from `Task` is all that registering takes; the registry finds the modules.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from quality.errors import StringXError
from quality.tasks.settings import TaskSettings


class TaskFailed(StringXError):
    """The task could not do its work; `is_final` where trying again would change nothing.

    `output` is what is to be seen of it, if it said anything.
    """

    code = "task_failed"

    def __init__(self, message: str, *, output: str = "", is_final: bool = False) -> None:
        super().__init__(message)
        self.output = output
        self.is_final = is_final


class Arguments(BaseModel):
    """Base of the arguments of tasks: none that is not declared. A number will do for a text."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


@dataclass(frozen=True, slots=True)
class Context:
    """What a task is told about its run.

    `key` names this task of this run, and is the same in each attempt; `deadline` is a moment of
    `time.monotonic`.
    """

    settings: TaskSettings
    variables: Mapping[str, str]
    key: str
    deadline: float = field(default=float("inf"))

    def left_s(self, at_most: float = 3600.0) -> float:
        """Seconds that are left; TaskFailed where none are."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TaskFailed("its time limit is over")
        return min(left, at_most)


Given = TypeVar("Given", bound=BaseModel)


class Task(Generic[Given]):
    """Base of all tasks.

    A subclass is known by `task_name` or, without one, by its own name, in any case. `takes` is the
    pydantic model of its arguments; its docstring is its description.
    `run` does the work within `context.left_s()` and answers what is to be recorded as its output;
    TaskFailed says that it could not be done. Running it again must be safe.
    """

    task_name: ClassVar[str] = ""
    takes: ClassVar[type[BaseModel]] = Arguments
    found: ClassVar[list[type[Task[Any]]]] = []

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        Task.found.append(cls)

    @classmethod
    def known_as(cls) -> str:
        """The name in task files, in lower case."""
        return (cls.__dict__.get("task_name") or cls.__name__).lower()

    def run(self, arguments: Given, context: Context) -> str:
        """Do the work; answers its output."""
        raise NotImplementedError


def path_of(text: str) -> Path:
    """A path of a task file: `~` is the home folder, relative ones are below the current folder."""
    return Path(text).expanduser()
