"""Which tasks there are: the shipped ones, those of other packages, and those of a folder.

Another package offers tasks by an entry point of the group `stringx.tasks` that names the module;
the operator's own are modules in STRINGX_TASKS_DIR.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from quality.errors import ConfigurationError
from quality.tasks import shipped
from quality.tasks.task import Task

GROUP = "stringx.tasks"

TaskClass = type[Task[Any]]


def registered(folder: Path | None = None) -> dict[str, TaskClass]:
    """Task classes by their names; ConfigurationError for a module that does not load, or a name
    that two of them have."""
    for module in pkgutil.iter_modules(shipped.__path__):
        importlib.import_module(f"{shipped.__name__}.{module.name}")
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:
            raise ConfigurationError(
                f"the entry point {point.name} of {GROUP} does not load: "
                f"{type(error).__name__}: {error}"
            ) from error
    for file in sorted(folder.glob("*.py")) if folder is not None else ():
        _load(file)
    return by_name(Task.found)


def by_name(classes: Iterable[TaskClass]) -> dict[str, TaskClass]:
    """The classes by name; a class that was loaded again counts once."""
    tasks: dict[str, TaskClass] = {}
    for one in classes:
        if one.run is Task.run:  # a base of further tasks
            continue
        other = tasks.setdefault(one.known_as(), one)
        if (other.__module__, other.__qualname__) != (one.__module__, one.__qualname__):
            raise ConfigurationError(
                f"two tasks are named {one.known_as()}: {other.__module__}.{other.__qualname__} "
                f"and {one.__module__}.{one.__qualname__}"
            )
        tasks[one.known_as()] = one
    return dict(sorted(tasks.items()))


def _load(file: Path) -> None:
    name = f"stringx_tasks_{file.stem}"
    known = sys.modules.get(name)
    if known is not None and known.__file__ == str(file):
        return
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{file} is no module of Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigurationError(
            f"STRINGX_TASKS_DIR: {file.name} does not load: {type(error).__name__}: {error}"
        ) from error
