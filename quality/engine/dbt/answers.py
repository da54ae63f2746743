"""From what dbt says of its tests to findings."""

from __future__ import annotations

import re
from typing import Any

from quality.engine.plan.finding import Finding
from quality.errors import EngineError

_FRAME = re.compile(
    r"^\s*((Database|Compilation|Runtime) Error( in test \S+( \([^)\n]*\))?)?|"
    r"compiled code at .*|> in macro .*|> called by .*)\s*$",
    re.M,
)
_CAUSES = (
    ("timeout", re.compile(r"canceling statement due to statement timeout")),
    ("target_busy", re.compile(r"canceling statement due to lock timeout|deadlock detected")),
    ("permission_denied", re.compile(r"permission denied for ")),
    ("table_missing", re.compile(r"relation .* does not exist")),
    ("column_missing", re.compile(r"column .* does not exist")),
    ("regex_invalid", re.compile(r"invalid regular expression")),
)
_LOST = re.compile(
    r"connection to server .* failed|could not connect to server|server closed the connection|"
    r"terminating connection|could not translate host name|the connection is closed|"
    r"connection already closed",
    re.S,
)


class Incomplete(EngineError):
    """dbt did not say something of every rule, or said it of others."""

    code = "engine_incomplete"


def finding_of(said: dict[str, Any]) -> Finding:
    """What dbt said of one test; its reasons are known by their words alone."""
    seconds = max(0.0, said["seconds"] or 0.0)
    status, failures = said["status"], said["failures"]
    message = plain_message(said["message"])
    if status in ("pass", "warn", "fail") and failures is not None:
        measured = {} if status == "pass" else {"failures": failures}
        return Finding(
            status, failures, measured=measured, path="dbt", message=message, seconds=seconds
        )
    cause = next((cause for cause, pattern in _CAUSES if pattern.search(message)), "database")
    words = message or "dbt gave no reason"
    return Finding("error", path="dbt", cause=cause, message=words, seconds=seconds)


def lost_connection(answer: list[dict[str, Any]]) -> str | None:
    """The database's words if the connection failed for some rule."""
    return next(
        (
            plain_message(result["message"])
            for result in answer
            if result["status"] == "error" and _LOST.search(result["message"] or "")
        ),
        None,
    )


def plain_message(message: str | None) -> str:
    """dbt's message without its frame and in characters that can be stored."""
    text = "\n".join(line for line in _FRAME.sub("", message or "").splitlines() if line.strip())
    return stored(text.strip(), 4000)


def stored(text: str, limit: int) -> str:
    """The text without NUL and lone surrogates, cut to the limit."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:limit]
