"""`archive`: a folder or a file packed into one file."""

from __future__ import annotations

import os
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from quality.tasks.task import Arguments, Context, Task, TaskFailed, path_of

_TAR: dict[str, Literal["w", "w:gz", "w:bz2", "w:xz"]] = {
    ".tar": "w",
    ".tar.gz": "w:gz",
    ".tgz": "w:gz",
    ".tar.bz2": "w:bz2",
    ".tar.xz": "w:xz",
}
_ENDINGS = (*_TAR, ".zip")


class ArchiveArguments(Arguments):
    source: str = Field(min_length=1, description="the folder or file")
    destination: str = Field(min_length=1, description=f"the archive: *{', *'.join(_ENDINGS)}")

    @field_validator("destination")
    @classmethod
    def _ending(cls, value: str) -> str:
        if not value.endswith(_ENDINGS):
            raise ValueError(f"must end with {', '.join(_ENDINGS)}")
        return value


class Archive(Task[ArchiveArguments]):
    """Pack a folder, under its base name, into one archive, which is written whole or not at all.

    Links are kept as links in tar files, and left out of zip files.
    """

    task_name = "archive"
    takes = ArchiveArguments

    def run(self, arguments: ArchiveArguments, context: Context) -> str:
        source, destination = path_of(arguments.source), path_of(arguments.destination)
        source = source.absolute() if source.name in ("", "..") else source
        if not source.exists():
            raise TaskFailed(f"{source}: there is nothing of that name", is_final=True)
        destination.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=destination.parent, prefix=f".{destination.name}.", delete=False
        ) as file:
            partial = Path(file.name)
        try:
            left_out = {destination.absolute(), partial.absolute()}
            files = _packed(source, _beside(source, left_out), partial, destination.name, context)
            with partial.open("rb") as file_:
                os.fsync(file_.fileno())
            partial.chmod(0o666 & ~_umask())
            partial.replace(destination)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        return f"{destination}: {files} files, {destination.stat().st_size} bytes"


def _beside(source: Path, left_out: set[Path]) -> Iterator[Path]:
    """The source and all below it, in a fixed order; links are not followed."""
    yield source
    if not source.is_dir() or source.is_symlink():
        return
    for folder, folders, names in os.walk(source):
        folders.sort()
        for name in sorted((*folders, *names)):
            found = Path(folder, name)
            if found.absolute() not in left_out:
                yield found


def _packed(source: Path, paths: Iterator[Path], into: Path, name: str, context: Context) -> int:
    base = source.resolve().name
    files = 0
    mode = next((_TAR[ending] for ending in _TAR if name.endswith(ending)), None)
    if mode is None:
        with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as packed:
            for path in paths:
                context.left_s()
                if not path.is_symlink():
                    packed.write(path, Path(base, path.relative_to(source)))
                    files += path.is_file()
        return files
    with tarfile.open(into, mode) as tar:
        for path in paths:
            context.left_s()
            tar.add(path, Path(base, path.relative_to(source)).as_posix(), recursive=False)
            files += path.is_file()
    return files


def _umask() -> int:
    before = os.umask(0o077)
    os.umask(before)
    return before
