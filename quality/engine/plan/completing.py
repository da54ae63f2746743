"""What comes to a finding once its test has run: percentages, groups, a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quality.engine.plan.finding import Finding
from quality.engine.plan.groups import grouped, members_of, with_groups
from quality.engine.plan.planning import Plan, PlannedTest
from quality.engine.plan.preparing import Prepared
from quality.engine.plan.samples import samples
from quality.engine.plan.shares import Share, judged_by_share, shares
from quality.engine.settings import EngineSettings
from quality.engine.target.snapshot import Snapshot
from quality.rules import Rule


class Completing:
    """Completes the findings of one check, by the places of its rules."""

    def __init__(
        self,
        rules: Sequence[Rule],
        tests: Sequence[PlannedTest],
        prepared: Prepared,
        settings: EngineSettings,
    ) -> None:
        self._rules = rules
        self._tests = tests
        self._prepared = prepared
        self._settings = settings
        self._shares: dict[int, Share] = {}

    def of_all(
        self, found: dict[int, Finding], plan: Plan, scope: Sequence[str], snapshot: Snapshot
    ) -> dict[int, Finding]:
        """The findings, completed on the snapshot that they are of. Raises what Snapshot does."""
        if plan.is_complete and not self._settings.sample_limit:
            return found
        rules, readiness = self._rules, self._prepared.readiness
        self._shares = shares(rules, self._tests, found, snapshot)
        whole = dict(found)
        for place in self._shares.keys() & whole.keys():
            whole[place] = judged_by_share(rules[place], whole[place], self._shares[place])
        members = [
            member
            for member in members_of(rules, self._tests)
            if member.place in whole and whole[member.place].status != "error"
        ]
        if members:
            most = self._settings.max_groups
            known = grouped(members, readiness, plan, scope, snapshot, most)
            for place, groups in known.items():
                whole[place] = with_groups(rules[place], whole[place], groups)
        taken = samples(
            rules, self._tests, readiness, self._prepared.facts, whole, snapshot, self._settings
        )
        for place, sample in taken.items():
            whole[place] = replace(whole[place], sample=sample)
        return whole

    def of_dbt(self, place: int, finding: Finding) -> Finding:
        """What dbt itself found, judged by percentages where the rule has any."""
        rule, share = self._rules[place], self._shares.get(place)
        if rule.group_by and finding.status != "error":
            reason = self._tests[place].test.dbt_only
            words = f"group_by cannot be judged where dbt runs the test ({reason})"
            return replace(finding, status="error", failures=None, cause="engine", message=words)
        return finding if share is None else judged_by_share(rule, finding, share)
