"""What one API process is made of, and how routes reach it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from flask import current_app

from api.access import Access
from api.actions import Actions
from api.bodies import Bodies
from api.checking import Checking
from api.dead_letters import Redrives
from api.drafts import Drafts
from api.gate import AtTheGate
from api.metrics import Metrics
from api.pipelines.executing import Executing
from api.pipelines.watching import Watching
from api.retention import Retention
from api.store.database import Database
from quality.engine import Engine
from quality.settings import ApiSettings

_KEY = "stringx"


@dataclass(frozen=True, slots=True)
class Services:
    """Opened once per process."""

    settings: ApiSettings
    database: Database
    engine: Engine
    metrics: Metrics
    checking: Checking
    drafts: Drafts
    executing: Executing
    access: Access
    gate: AtTheGate
    redrives: Redrives
    watching: Watching
    retention: Retention
    bodies: Bodies
    actions: Actions


def attach(app: Any, attached: Services) -> None:
    app.extensions[_KEY] = attached


def services() -> Services:
    """The services of the running app."""
    return cast(Services, current_app.extensions[_KEY])
