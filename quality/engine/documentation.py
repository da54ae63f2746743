"""dbt's documentation of the tables that are checked."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from quality.engine.dbt.dbt import Dbt
from quality.rules import RuleSet


def write_documentation(dbt: Dbt, rule_sets: Sequence[RuleSet], output_dir: Path) -> Path:
    """Write `static_index.html`; with several targets, a page that links to each one's."""
    by_target: dict[str, list[RuleSet]] = {}
    for rule_set in rule_sets:
        by_target.setdefault(rule_set.connection, []).append(rule_set)
    output_dir.mkdir(parents=True, exist_ok=True)
    page = output_dir / "static_index.html"
    if len(by_target) == 1:
        (only,) = by_target.items()
        dbt.document(*only, page)
        return page
    for target, its_own in by_target.items():
        (output_dir / target).mkdir(exist_ok=True)
        dbt.document(target, its_own, output_dir / target / "index.html")
    links = "".join(
        f'<li><a href="{html.escape(target)}/index.html">{html.escape(target)}</a></li>'
        for target in sorted(by_target)
    )
    page.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Documentation</title>'
        f"<h1>Targets</h1><ul>{links}</ul></html>",
        encoding="utf-8",
    )
    return page
