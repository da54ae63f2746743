"""`delete_older_than`: the oldest files of a folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from pydantic import Field

from quality.tasks.durations import Duration
from quality.tasks.task import Arguments, Context, Task, TaskFailed, path_of


class DeleteOlderThanArguments(Arguments):
    folder: str = Field(min_length=1, description="where to look")
    age: Duration = Field(description="files that were not changed for so long: 7 days")
    pattern: str = Field(default="*", min_length=1, description="only names like this")
    recursive: bool = Field(default=False, description="in the folders below as well")
    keep: Annotated[int, Field(ge=0)] = Field(
        default=0, description="the newest so many stay, however old they are"
    )


class DeleteOlderThan(Task[DeleteOlderThanArguments]):
    """Delete files that were not changed for some time. Folders and links stay."""

    task_name = "delete_older_than"
    takes = DeleteOlderThanArguments

    def run(self, arguments: DeleteOlderThanArguments, context: Context) -> str:
        folder = path_of(arguments.folder)
        if not folder.is_dir():
            raise TaskFailed(f"{folder} is no folder", is_final=True)
        if "/" in arguments.pattern or ".." in arguments.pattern:
            raise TaskFailed("pattern is of names, without folders", is_final=True)
        found = folder.rglob if arguments.recursive else folder.glob
        files = [
            (path.stat().st_mtime, path)
            for path in found(arguments.pattern)
            if path.is_file() and not path.is_symlink()
        ]
        files.sort(key=lambda one: (one[0], str(one[1])), reverse=True)
        oldest = time.time() - arguments.age
        old: list[Path] = [path for at, path in files[arguments.keep :] if at < oldest]
        for path in old:
            context.left_s()
            path.unlink(missing_ok=True)
        return f"deleted {len(old)} of {len(files)} files"
