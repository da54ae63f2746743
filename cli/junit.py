"""A check as a JUnit report, which CI systems show rule by rule."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

# What XML 1.0 cannot hold (section 2.2).
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def report(check: dict[str, Any], *, fail_on_warn: bool = False) -> str:
    """One suite for the check, one case for each rule; a check without results is one error.

    A warning passes, with what was found as its output, unless `fail_on_warn`.
    """
    suite = ElementTree.Element("testsuite", name=_text(f"{check['connection']}.{check['table']}"))
    counts = {"failure": 0, "error": 0, "skipped": 0}
    results = check.get("results") or []
    for result in results:
        case = _case(suite, check, result["rule"], result["duration_ms"])
        kind = _kind(result["status"], fail_on_warn)
        if kind is None:
            if result["status"] == "warn":
                ElementTree.SubElement(case, "system-out").text = _text(f"warn: {_said(result)}")
            continue
        counts[kind] += 1
        ElementTree.SubElement(
            case, kind, type=_text(result["status"]), message=_text(_said(result))
        )
    if not results or check.get("error_code"):
        case = _case(suite, check, "check", check.get("duration_ms"))
        counts["error"] += 1
        why = check.get("error") or f"the check is {check.get('status') or check.get('state')}"
        ElementTree.SubElement(case, "error", type=str(check.get("error_code")), message=_text(why))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(counts["failure"]))
    suite.set("errors", str(counts["error"]))
    suite.set("skipped", str(counts["skipped"]))
    suite.set("time", _seconds(check.get("duration_ms")))
    if check.get("finished_at"):
        suite.set("timestamp", str(check["finished_at"]))
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    body = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'


def _kind(status: str, fail_on_warn: bool) -> str | None:
    if status == "warn":
        return "failure" if fail_on_warn else None
    return {"fail": "failure", "error": "error", "skipped": "skipped"}.get(status)


def _case(
    suite: ElementTree.Element, check: dict[str, Any], name: str, duration_ms: float | None
) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite,
        "testcase",
        classname=_text(f"{check['connection']}.{check['table']}"),
        name=_text(name),
        time=_seconds(duration_ms),
    )


def _said(result: dict[str, Any]) -> str:
    if result["message"]:
        return str(result["message"])
    what = f"{result['type']} {result['column'] or ''}".strip()
    return f"{what}: {result['failures']} failing of {result['rows_tested']} tested"


def _seconds(milliseconds: float | None) -> str:
    return f"{(milliseconds or 0) / 1000:.3f}"


def _text(value: str) -> str:
    return _NOT_XML.sub("?", value)
