"""Whether a contender is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.work import Finding, Work


def differences(
    work: Work, findings: Sequence[Finding], truth: Mapping[str, Mapping[str, int]]
) -> list[str]:
    """Where verdicts or counts are not the truth, one line each."""
    found = {finding.check: finding for finding in findings}
    wrong = [f"{name} was not asked for" for name in found.keys() - {c.name for c in work.checks}]
    for check in work.checks:
        finding = found.get(check.name)
        if finding is None:
            wrong.append(f"{check.name} has no result")
            continue
        expected = "fail" if truth[check.name]["failures"] else "pass"
        if finding.status != expected:
            words = f" ({finding.message})" if finding.message else ""
            wrong.append(f"{check.name} is {finding.status}, not {expected}{words}")
        for count, number in truth[check.name].items():
            said = getattr(finding, count)
            if said is not None and said != number:
                wrong.append(f"{check.name} has {said} {count}, not {number}")
    return wrong
