"""Exit codes that a pipeline can obey; those of `python -m consumer.send` where it has them."""

from __future__ import annotations

from typing import Any

PASS = 0
FAIL = 1
USAGE = 2
NOT_CHECKED = 3
WARN = 4
LEFT_OUT = 5
INTERRUPTED = 130

MEANINGS = """\b
Exit codes:
  0  pass (or warn), or done
  1  fail: the data break a rule; or differences, where --exit-code asks
  2  wrong usage, or something was refused: nothing was done
  3  could not be checked: an error, no rules, no verdict, or no API
  4  warn, where --fail-on-warn asks
  5  done, but something could not be carried over (import, export)"""


def of_status(status: str | None, *, fail_on_warn: bool = False) -> int:
    """The exit code for the status of a check; None is a check without a verdict."""
    if status == "warn":
        return WARN if fail_on_warn else PASS
    return {"pass": PASS, "fail": FAIL}.get(str(status), NOT_CHECKED)


def of_check(check: dict[str, Any], *, fail_on_warn: bool = False) -> int:
    """The exit code for a check as the API shows it."""
    return of_status(check.get("status"), fail_on_warn=fail_on_warn)
