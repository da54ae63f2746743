"""Names, tags and severities of other tools as ours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from quality.catalogue import Dimension

_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,62}")
_WARNINGS = {"warn", "warning", "info", "information", "low", "minor", "medium"}
_ERRORS = {"error", "high", "critical", "major", "fatal", "blocker", "blocking"}
_DIMENSIONS: dict[str, Dimension] = {
    "accuracy": "accuracy",
    "ac": "accuracy",
    "completeness": "completeness",
    "cp": "completeness",
    "coverage": "completeness",
    "cv": "completeness",
    "conformity": "validity",
    "cf": "validity",
    "validity": "validity",
    "consistency": "consistency",
    "cs": "consistency",
    "timeliness": "timeliness",
    "tm": "timeliness",
    "freshness": "timeliness",
    "uniqueness": "uniqueness",
    "uq": "uniqueness",
}
MAX_TAGS = 20


def rule_name(text: str) -> str:
    """A text as the name of a rule, or "" where nothing of it can stay."""
    found = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if found and not found[0].isalpha():
        found = f"rule_{found}"
    return found[:63].rstrip("_")


def unique(name: str, taken: Iterable[str]) -> str:
    """The name, with a number behind it where it is taken."""
    used = set(taken)
    found, number = name, 2
    while found in used:
        found = f"{name[: 62 - len(str(number))]}_{number}"
        number += 1
    return found


def severity(value: Any) -> str | None:
    """`error` or `warn`; None for a word that says neither."""
    word = str(value).strip().lower()
    return "warn" if word in _WARNINGS else "error" if word in _ERRORS else None


def dimension(value: Any) -> Dimension | None:
    """One of our dimensions, by any of its names; None for another word."""
    return _DIMENSIONS.get(str(value).strip().lower())


def tags(values: Any) -> tuple[list[str], list[str]]:
    """Tags that can stay, each once, and those that cannot."""
    texts = values if isinstance(values, list) else str(values).split(",") if values else []
    words = [str(text).strip() for text in texts]
    good = list(dict.fromkeys(word for word in words if _TAG.fullmatch(word)))
    bad = [word for word in words if word and not _TAG.fullmatch(word)]
    return good[:MAX_TAGS], bad + good[MAX_TAGS:]
