"""The engine: rules in, verdicts out. dbt lives in `dbt/`, in a process of its own."""

from __future__ import annotations

from quality.engine.cancellation import Cancellation, CheckCancelled
from quality.engine.engine import Engine, EngineBusy
from quality.engine.planned import PlannedEngine
from quality.engine.settings import EngineSettings, environment
from quality.engine.target.session import Relation

__all__ = [
    "Cancellation",
    "CheckCancelled",
    "Engine",
    "EngineBusy",
    "EngineSettings",
    "Relation",
    "open_engine",
]


def open_engine(settings: EngineSettings) -> Engine:
    """An engine that is getting ready, to be closed; ConfigurationError names a bad folder.

    The variables that a dbt profile may use are taken from this process's environment.
    """
    engine = PlannedEngine(settings, environment())
    engine.warm()
    return engine
