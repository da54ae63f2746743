"""`upload`: files to a folder, or to a store that speaks S3."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from quality.tasks.task import Arguments, Context, Task, TaskFailed, path_of


class UploadArguments(Arguments):
    source: str = Field(min_length=1, description="the file, or a folder with all below it")
    destination: str = Field(min_length=1, description="a folder, or s3://bucket/prefix")
    endpoint_url: str | None = Field(
        default=None, pattern=r"^https?://[^\s@]+$", description="of a store that is not Amazon's"
    )
    region: str | None = Field(default=None, description="else as the environment says")

    @field_validator("destination")
    @classmethod
    def _known(cls, value: str) -> str:
        scheme = urlsplit(value).scheme if "://" in value else ""
        if scheme not in ("", "s3"):
            raise ValueError("must be a folder or s3://bucket/prefix")
        if scheme == "s3" and not urlsplit(value).netloc:
            raise ValueError("names no bucket; write s3://bucket/prefix")
        return value


class Upload(Task[UploadArguments]):
    """Copy a file or a folder, under its base name, to a folder or a store that speaks S3.

    Each file arrives whole or not at all. For S3 the package boto3 is needed; it finds the
    credentials as it always does (AWS_ACCESS_KEY_ID, a profile, a role).
    """

    task_name = "upload"
    takes = UploadArguments

    def run(self, arguments: UploadArguments, context: Context) -> str:
        source = path_of(arguments.source)
        if not source.exists():
            raise TaskFailed(f"{source}: there is nothing of that name", is_final=True)
        files = list(_files(source))
        if arguments.destination.startswith("s3://"):
            _to_s3(files, arguments, context)
        else:
            _to_folder(files, path_of(arguments.destination), context)
        size = sum(path.stat().st_size for path, _ in files)
        return f"{arguments.destination}: {len(files)} files, {size} bytes"


def _files(source: Path) -> Iterator[tuple[Path, str]]:
    """Files with the names that they have there; links are not followed."""
    base = source.resolve().name
    if source.is_file():
        yield source, base
        return
    for folder, folders, names in os.walk(source):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path, Path(base, path.relative_to(source)).as_posix()


def _to_folder(files: list[tuple[Path, str]], folder: Path, context: Context) -> None:
    for path, name in files:
        context.left_s()
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "wb") as into, path.open("rb") as source:
                shutil.copyfileobj(source, into, 1024 * 1024)
                into.flush()
                os.fsync(into.fileno())
            shutil.copystat(path, partial)
            Path(partial).replace(target)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise


def _to_s3(files: list[tuple[Path, str]], arguments: UploadArguments, context: Context) -> None:
    try:
        import boto3
        from boto3.exceptions import Boto3Error
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise TaskFailed(
            "uploading to S3 needs the package boto3: pip install 'stringx[s3]'", is_final=True
        ) from None
    parts = urlsplit(arguments.destination)
    prefix = parts.path.strip("/")
    timeout = context.left_s(60.0)
    config = Config(
        connect_timeout=timeout, read_timeout=timeout, retries={"total_max_attempts": 3}
    )
    try:
        client: Any = boto3.client(
            "s3",
            endpoint_url=arguments.endpoint_url,
            region_name=arguments.region,
            config=config,
        )
        for path, name in files:
            context.left_s()
            client.upload_file(str(path), parts.netloc, f"{prefix}/{name}" if prefix else name)
    except (BotoCoreError, ClientError, Boto3Error) as error:
        raise TaskFailed(f"s3://{parts.netloc}: {error}") from None
