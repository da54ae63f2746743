"""What is counted: requests sent, results stored, duplicates and losses."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

import psycopg

MARK = "x-fault-message"
"""Header by which a message of the suite is found among the dead letters."""


@dataclass
class Tally:
    """The end of one scenario. `sent` are distinct requests, `again` further messages for them."""

    scenario: str
    sent: int
    again: int
    stored: int
    duplicates: int
    lost: int
    errors: int = 0
    """Results of status `error`: stored, but about the service instead of the data."""
    dead: int = 0
    seconds: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def is_exact(self) -> bool:
        """As many results as requests, each once."""
        return self.stored == self.sent and not self.duplicates and not self.lost

    def line(self) -> str:
        notes = ", ".join(f"{name} {value}" for name, value in self.notes.items())
        return (
            f"{self.scenario:<28} {self.sent:>6} {self.again:>6} {self.stored:>7} "
            f"{self.duplicates:>10} {self.lost:>5} {self.errors:>6} {self.dead:>5} "
            f"{self.seconds:>7.1f}  {notes}"
        )


HEAD = (
    f"{'scenario':<28} {'sent':>6} {'again':>6} {'stored':>7} {'duplicates':>10} {'lost':>5} "
    f"{'errors':>6} {'dead':>5} {'seconds':>7}"
)


def show(terminalreporter: Any) -> None:
    """The lines of all scenarios of a run of pytest."""
    lines = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "tally" and report.when == "call"
    ]
    if lines:
        terminalreporter.section("faults")
        for line in [HEAD, *lines]:
            terminalreporter.write_line(line)


def finished(store: str, ids: list[str]) -> int:
    """How many of these requests are finished."""
    query = "select count(*) from check_run where id = any(%s) and state = 'finished'"
    return int(_row(store, query, ids)[0])


def count(scenario: str, store: str, ids: list[str], again: int, rules: int) -> Tally:
    """The tally of requests, each of which is to have the results of one run of `rules` rules."""
    query = """
        with asked as (select unnest(%s::text[]) as id), found as (
            select a.id, c.state, c.status, c.attempts,
                (select count(*) from rule_result r where r.check_id = a.id) as results
            from asked a left join check_run c on c.id = a.id
        )
        select count(*) filter (where state = 'finished'),
            count(*) filter (where results > %s),
            count(*) filter (where state is distinct from 'finished'
                or (results < %s and status <> 'error')),
            count(*) filter (where status = 'error'), coalesce(max(attempts), 0)
        from found
    """
    stored, doubled, lost, errors, attempts = _row(store, query, ids, rules, rules)
    notes = {"attempts": f"<= {attempts}"}
    return Tally(scenario, len(ids), again, stored, doubled, lost, errors, notes=notes)


def dead_letters(store: str, mark: str) -> dict[str, list[str]]:
    """Of the dead letters whose mark begins so: codes by mark."""
    found: dict[str, list[str]] = {}
    with psycopg.connect(store) as db:
        for code, headers in db.execute("select code, headers from dead_letter"):
            for name, raw in headers:
                text = base64.b64decode(raw or "").decode("utf-8", "replace")
                if name == MARK and text.startswith(mark):
                    found.setdefault(text, []).append(code)
    return found


def _row(store: str, query: str, *values: Any) -> tuple[Any, ...]:
    with psycopg.connect(store) as db:
        row = db.execute(query, values).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row
