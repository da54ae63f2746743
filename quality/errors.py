"""The one error tree. A class exists only where some caller acts differently on it.

A failing rule is a result, never an exception: an exception says that something could not be done.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input: where (`rules[3].column`), a stable code, a sentence."""

    path: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class StringXError(Exception):
    """Base of all errors of this project. `code` is stable and meant for machines."""

    code = "internal"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class ConfigurationError(StringXError):
    """The operator's settings cannot work: the process ends with a line that names the one."""

    code = "configuration"


class InvalidInput(StringXError):
    """What came in cannot be taken as it is; sending it again unchanged will not help."""

    code = "invalid"

    def __init__(self, message: str, *, code: str | None = None, faults: list[Fault] | None = None):
        super().__init__(message, code=code)
        self.faults = faults or []


class MalformedDocument(InvalidInput):
    """Not readable as JSON or YAML at all (as opposed to readable, but with wrong fields)."""


class NotFound(StringXError):
    """The thing named does not exist."""

    code = "not_found"


class Conflict(StringXError):
    """True at another time or for another caller: a name is taken, an id was used otherwise."""

    code = "conflict"


class Unavailable(StringXError):
    """Something this needs is away and may come back: retry later."""

    code = "unavailable"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after_s: float = 5.0
    ) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s


class EngineError(StringXError):
    """A check could not be made (never: the data are bad)."""

    code = "engine"


def faults_of(error: ValidationError, prefix: str = "") -> list[Fault]:
    """Pydantic's findings as faults with readable paths and stable codes."""
    return [_fault(item, prefix) for item in error.errors(include_url=False, include_context=True)]


def invalid_input(
    error: ValidationError, what: str, prefix: str = "", *, code: str | None = None
) -> InvalidInput:
    """An `InvalidInput` whose message names the first wrong field of `what`."""
    faults = faults_of(error, prefix)
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return InvalidInput(f"{what} is not valid: {faults[0]}{more}", code=code, faults=faults)


_CODES = {
    "extra_forbidden": ("unknown_field", "is not a known field"),
    "missing": ("missing", "is required"),
}


def _fault(item: ErrorDetails, prefix: str) -> Fault:
    path = prefix
    for part in item["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    code, message = _CODES.get(item["type"], (item["type"], item["msg"]))
    return Fault(path, code, message.removeprefix("Value error, "))
