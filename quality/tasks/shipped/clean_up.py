"""`clean_up`: files and folders that are no longer needed."""

from __future__ import annotations

import glob
import shutil
from pathlib import Path

from pydantic import Field

from quality.tasks.task import Arguments, Context, Task, TaskFailed, path_of


class CleanUpArguments(Arguments):
    paths: list[str] = Field(min_length=1, description="files and folders; * and ? as in a shell")
    within: str = Field(
        default=".", description="nothing outside of this folder is deleted, nor itself"
    )


class CleanUp(Task[CleanUpArguments]):
    """Delete files and whole folders below a folder; what is not there counts as deleted.

    Links are deleted, and what they point to stays.
    """

    task_name = "clean_up"
    takes = CleanUpArguments

    def run(self, arguments: CleanUpArguments, context: Context) -> str:
        within = path_of(arguments.within).resolve()
        found = []
        for pattern in arguments.paths:
            path = path_of(pattern)
            for name in sorted(glob.glob(str(path if path.is_absolute() else within / path))):  # noqa: PTH207 any root
                found.append(inside(Path(name), within))
        for path in found:
            context.left_s()
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        return f"deleted {len(found)}: {', '.join(map(str, found))}" if found else "deleted none"


def inside(path: Path, folder: Path) -> Path:
    """The path itself with its folder's links resolved; TaskFailed where it is not below."""
    real = path.parent.resolve() / path.name
    if path.name == ".." or folder not in real.parents:
        raise TaskFailed(f"{path} is not below {folder}: nothing was deleted", is_final=True)
    return real
