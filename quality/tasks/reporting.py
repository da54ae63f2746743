"""Telling the API of runs; what it could not be told waits in a folder for the next run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from quality.client import ApiClient
from quality.errors import Conflict, InvalidInput, StringXError
from quality.settings import ClientSettings
from quality.tasks.record import RunRecord
from quality.tasks.settings import TaskSettings

FOLDER = "task-runs"


def keep(record: RunRecord, settings: TaskSettings) -> Path:
    """Write a record into the data folder, whole or not at all; the oldest beyond those kept go."""
    folder = settings.data_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".partial", delete=False) as file:
        file.write(record.model_dump_json())
    target = folder / f"{record.started_at:%Y%m%dT%H%M%S}-{record.id.replace(':', '_')}.json"
    Path(file.name).replace(target)
    kept = sorted(folder.glob("*.json"))
    for old in kept[: -settings.task_runs_kept]:
        old.unlink(missing_ok=True)
    return target


def report(settings: TaskSettings) -> str | None:
    """Tell the API of all that is kept, if there is an API; what went wrong, if something did."""
    if settings.api_url is None:
        return None
    given: dict[str, Any] = {"api_url": settings.api_url, "api_timeout_s": settings.api_timeout_s}
    client = ApiClient(ClientSettings(**given, api_token=settings.api_token))
    try:
        for file in sorted((settings.data_dir / FOLDER).glob("*.json")):
            try:
                record = RunRecord.model_validate_json(file.read_bytes())
                client.post("/task-runs", record.model_dump(mode="json"))
            except (ValidationError, InvalidInput, Conflict) as error:
                file.rename(file.with_suffix(".refused"))
                return f"{file.name} is refused: {type(error).__name__}"
            file.unlink(missing_ok=True)
    except StringXError as error:
        return f"the run is kept and will be told later: {error}"
    finally:
        client.close()
    return None
