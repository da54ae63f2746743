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
    wrong: int = 0
    """Verdicts on the data that it does not deserve, and errors that the fault does not explain."""
    dead: int = 0
    seconds: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def is_exact(self) -> bool:
        """As many results as requests, each once and each right."""
        return self.stored == self.sent and not (self.duplicates or self.lost or self.wrong)

    def line(self) -> str:
        notes = ", ".join(f"{name} {value}" for name, value in self.notes.items())
        return (
            f"{self.scenario:<28} {self.sent:>6} {self.again:>6} {self.stored:>7} "
            f"{self.duplicates:>10} {self.lost:>5} {self.wrong:>5} {self.errors:>6} {self.dead:>5} "
            f"{self.seconds:>7.1f}  {notes}"
        )


HEAD = (
    f"{'scenario':<28} {'sent':>6} {'again':>6} {'stored':>7} {'duplicates':>10} {'lost':>5} "
    f"{'wrong':>5} {'errors':>6} {'dead':>5} {'seconds':>7}"
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


def count(
    scenario: str, store: str, ids: list[str], again: int, rules: int, may_end: set[str]
) -> Tally:
    """The tally of requests, each of which is to have the results of one run of `rules` rules.

    All rules of the suite hold, so a verdict is `pass`, or an error with one of the codes
    `may_end`; `rules` among them stands for errors of single rules.
    """
    query = """
        with asked as (select unnest(%s::text[]) as id), found as (
            select a.id, c.state, c.status, c.attempts, coalesce(c.error_code, 'rules') as code,
                (select count(*) from rule_result r where r.check_id = a.id) as results
            from asked a left join check_run c on c.id = a.id
        )
        select count(*) filter (where state = 'finished'),
            count(*) filter (where results > %s),
            count(*) filter (where state is distinct from 'finished'
                or (results < %s and status <> 'error')),
            count(*) filter (where status = 'error'), coalesce(max(attempts), 0),
            count(*) filter (where status not in ('pass', 'error')
                or (status = 'error' and not code = any(%s))),
            array_agg(distinct code) filter (where status = 'error')
        from found
    """
    row = _row(store, query, ids, rules, rules, list(may_end))
    stored, doubled, lost, errors, attempts, wrong, codes = row
    notes: dict[str, Any] = {"attempts": f"<= {attempts}"}
    if codes:
        notes["errors"] = "|".join(codes)
    return Tally(scenario, len(ids), again, stored, doubled, lost, errors, wrong, notes=notes)


def statuses(store: str, ids: list[str]) -> dict[str, str]:
    """By id: the status of a finished check, or its error code."""
    query = """
        select id, coalesce(error_code, status) from check_run
        where id = any(%s) and state = 'finished'
    """
    with psycopg.connect(store) as db:
        return dict(db.execute(query, [ids]).fetchall())


def number(store: str, query: str, *values: Any) -> float:
    """The one number that a query of the service's own database answers."""
    return float(_row(store, query, *values)[0])


def longest_wait_s(store: str, ids: list[str]) -> float:
    """The longest time for which a table had none of these checks finished, in seconds."""
    query = """
        select max(extract(epoch from gap)) from (
            select finished_at - lag(finished_at) over (partition by table_name
                order by finished_at) as gap
            from check_run where id = any(%s)
        ) gaps
    """
    return number(store, query, ids)


def delays_s(store: str, sent: dict[str, float]) -> list[float]:
    """From when each request was sent (seconds since the epoch) until it was finished."""
    query = "select id, extract(epoch from finished_at)::float8 from check_run where id = any(%s)"
    with psycopg.connect(store) as db:
        return [end - sent[check_id] for check_id, end in db.execute(query, [list(sent)])]


def overtaken(store: str, ids: list[str]) -> int:
    """Checks whose run began before that of an earlier request for the same table."""
    query = """
        select count(*) from (
            select started_at < max(started_at) over (partition by table_name order by place
                rows between unbounded preceding and 1 preceding) as is_early
            from check_run c
            join unnest(%s::text[]) with ordinality as asked (id, place) on asked.id = c.id
        ) ordered where is_early
    """
    return int(number(store, query, ids))


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
