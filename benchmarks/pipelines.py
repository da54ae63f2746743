"""Starts and ends of executions: how many a second, how late the slowest, and whether many
executions make them slower; and the tree of a large execution."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import psycopg

from benchmarks import figures
from benchmarks.database import open_database
from benchmarks.framework import Source, open_framework
from benchmarks.http_load import Request, Served, serve
from benchmarks.processes import processor_s
from benchmarks.report import Report, machine, say
from benchmarks.service import Refused, Service, open_service

HEADS = ("what", "requests", "requests/s", "p50 ms", "p95 ms", "p99 ms", "max ms")
PIPELINES = 50
FAN_OUT = 10
REST_S = 2.0
REST_SHARE = 0.2
"""Of one core, in so many seconds, is rest."""
REST_LIMIT_S = 60.0


@dataclass(frozen=True)
class Plan:
    """`executions` by so many connections; `stored` are there before the second round."""

    executions: int = 3_000
    connections: int = 16
    stored: int = 100_000
    tree: int = 10_000


SIZES = {
    "small": Plan(),
    "medium": Plan(executions=10_000, stored=1_000_000),
    "full": Plan(executions=50_000, stored=5_000_000),
}


def measure(plan: Plan, framework: Source | None = None) -> Report:
    """Run the plan, what the framework's service has too side by side with it where its source is
    given; a refused request or a tree that is not whole is a fault."""
    report = Report("Pipelines and executions")
    with open_database() as database:
        say("starting the service")
        with open_service(database) as service:
            here = machine()
            report.add(
                "One API process, its PostgreSQL, the broker, a consumer and whoever asks on "
                f"{here['cores']} cores; {plan.connections} connections, {PIPELINES} pipelines; "
                "every end has rows, so that it moves its pipeline on.",
                f"{database.described()}; Python {here['python']}; load before {report.load}.",
            )
            say("waiting until the service has nothing to do")
            _await_rest(service)
            phases = _Phases(plan, report, service)
            with ExitStack() as beside:
                asked = [_Asked("", service.api.port, service.api.token)]
                if framework:
                    say("starting the framework's service")
                    port = beside.enter_context(open_framework(framework, database))
                    asked.append(_Asked("Watcher: ", port))
                    _await_rest(service)
                for one in asked:
                    phases.report_pipelines(one)
                for one in asked:
                    phases.run(one, "start and end, empty store")
            ours = asked[0]
            phases.tree(ours)
            phases.fill(ours)
            phases.run(ours, f"start and end, {figures.count(plan.stored)} executions stored")
            report.add(figures.markdown(HEADS, phases.rows))
            report.document["phases"] = phases.document
    return report


def _await_rest(service: Service) -> None:
    """A process that was just started has dbt get ready for the first rule set, which takes what
    there is of the machine for a while and is not what is measured here."""
    deadline = time.monotonic() + REST_LIMIT_S
    pids = (service.api_process.pid, service.consumer.pid)
    while time.monotonic() < deadline:
        before = sum(map(processor_s, pids))
        time.sleep(REST_S)
        if sum(map(processor_s, pids)) - before < REST_SHARE * REST_S:
            return


@dataclass
class _Asked:
    """A service that is asked, and the ids that it gave its pipelines."""

    title: str
    port: int
    token: str = ""
    ids: list[int] = field(default_factory=list)


class _Phases:
    def __init__(self, plan: Plan, report: Report, service: Service) -> None:
        self.rows: list[list[str]] = []
        self.document: dict[str, Any] = {}
        self._plan, self._report, self._service = plan, report, service

    def report_pipelines(self, asked: _Asked) -> None:
        """`POST /pipeline`: new ones, and then the same again and again."""
        say(f"{asked.title}reports of pipelines")
        documents = [
            {"name": f"pipeline {number}", "pipeline_type_name": "benchmark"}
            for number in range(PIPELINES)
        ]
        new = [Request("/pipeline", document) for document in documents]
        # The first one by itself: the framework makes their type once for each that comes with it.
        made = [*self._serve(asked, new[:1]), *self._serve(asked, new[1:])]
        asked.ids = [json.loads(one.body)["id"] for one in made if one.status == 201]
        if len(asked.ids) != PIPELINES:
            raise Refused(f"{asked.title}POST /pipeline: {made[-1].status} {made[-1].body[:200]!r}")
        count = self._plan.executions
        again = [Request("/pipeline", documents[i % PIPELINES]) for i in range(count)]
        served = self._serve(asked, again)
        self._note(f"{asked.title}POST /pipeline, unchanged", served, {200})

    def run(self, asked: _Asked, what: str) -> None:
        """Each connection starts an execution, ends it, and goes on with the next."""
        name = f"{asked.title}{what}"
        say(name)
        began = datetime.now(UTC) - timedelta(hours=1)
        ended = (began + timedelta(minutes=5)).isoformat()

        def end(answer: Served) -> Request | None:
            if answer.request.path != "/start_pipeline_execution":
                return None
            return Request(
                "/end_pipeline_execution",
                {
                    "id": json.loads(answer.body)["id"],
                    "end_date": ended,
                    "completed_successfully": True,
                    "inserts": 10,
                    "total_rows": 10,
                },
            )

        starts = [
            Request(
                "/start_pipeline_execution",
                {"pipeline_id": asked.ids[i % PIPELINES], "start_date": began.isoformat()},
            )
            for i in range(self._plan.executions)
        ]
        served = self._serve(asked, starts, end)
        self._note(name, served, {201, 204})
        for path, status in (("start", 201), ("end", 204)):
            part = [one for one in served if one.request.path.startswith(f"/{path}_")]
            self._note(f"… the {path}s of it", part, {status}, rated=False)

    def tree(self, asked: _Asked) -> None:
        """An execution with thousands below it, read at once."""
        say(f"a tree of {self._plan.tree} executions")
        root = self._grow(asked)
        seconds: list[float] = []
        size = 0
        for _ in range(10):
            started = time.perf_counter()
            text = self._service.api.text(f"/api/v1/executions/{root}/tree")
            seconds.append(time.perf_counter() - started)
            size = json.loads(text)["executions"]
        if size != self._plan.tree:
            self._report.faults.append(f"the tree has {size} executions of {self._plan.tree}")
        with psycopg.connect(self._service.database_url) as connection:
            started = time.perf_counter()
            connection.execute(_DOWNSTREAM, {"id": root}).fetchall()
            by_sql = time.perf_counter() - started
        self._report.add(
            f"A tree of {figures.count(size)} executions: {figures.milliseconds(median(seconds))} "
            f"ms from GET /api/v1/executions/…/tree to its {len(text) / 1e6:.1f} MB (median of "
            f"{len(seconds)}, the fastest {figures.milliseconds(min(seconds))}); "
            f"all downstream by SQL: {figures.milliseconds(by_sql)} ms."
        )
        self.document["tree"] = {"executions": size, "seconds": seconds, "sql_s": by_sql}

    def fill(self, asked: _Asked) -> None:
        """Store many executions."""
        say(f"{self._plan.stored} executions stored")
        with psycopg.connect(self._service.database_url) as connection:
            values = {"count": self._plan.stored, "ids": asked.ids}
            connection.execute(_FILL, values)
        with psycopg.connect(self._service.database_url, autocommit=True) as connection:
            connection.execute("vacuum analyze pipeline_execution, pipeline_execution_closure")

    def _grow(self, asked: _Asked) -> int:
        with psycopg.connect(self._service.database_url) as connection:
            values = {"pipeline": asked.ids[0], "count": self._plan.tree, "fan_out": FAN_OUT}
            row = connection.execute(_GROW, values).fetchone()
        assert row is not None
        return int(row[0])

    def _serve(
        self,
        asked: _Asked,
        requests: list[Request],
        following: Callable[[Served], Request | None] = lambda answer: None,
    ) -> list[Served]:
        return serve(asked.port, asked.token, requests, self._plan.connections, following)

    def _note(
        self, name: str, served: list[Served], wanted: set[int], *, rated: bool = True
    ) -> None:
        wrong = [one for one in served if one.status not in wanted]
        if wrong:
            words = wrong[0].body[:200]
            self._report.faults.append(f"{name}: {len(wrong)} refused, such as {words!r}")
        seconds = max(one.ended for one in served) - min(one.began for one in served)
        times = [one.ended - one.began for one in served]
        percents = {str(p): figures.at_percent(times, p) for p in (50, 95, 99, 100)}
        rate = len(served) / seconds
        shown = [str(len(served)), str(round(rate)) if rated else ""]
        self.rows.append([name, *shown, *map(figures.milliseconds, percents.values())])
        self.document[name] = {"requests": len(served), "per_s": rate, "seconds": percents}


_FILL = """
with made as (
    insert into pipeline_execution (pipeline_id, start_date, hour_recorded, end_date,
        duration_seconds, completed_successfully, total_rows, throughput)
    select (%(ids)s::bigint[])[1 + n %% cardinality(%(ids)s::bigint[])],
        now() - make_interval(mins => n), extract(hour from now())::integer,
        now() - make_interval(mins => n) + interval '30 s', 30, true, 100, 3.3333
    from generate_series(1, %(count)s) as n returning id
)
insert into pipeline_execution_closure select id, id, 0 from made
"""
_GROW = """
with numbered as (
    select nextval(pg_get_serial_sequence('pipeline_execution', 'id')) as id, n
    from generate_series(0, %(count)s - 1) as n
), made as (
    insert into pipeline_execution (id, parent_id, pipeline_id, start_date, hour_recorded)
    select c.id, p.id, %(pipeline)s, now(), 0
    from numbered c left join numbered p on c.n > 0 and p.n = (c.n - 1) / %(fan_out)s
    order by c.n returning id, parent_id
), closed as (
    insert into pipeline_execution_closure
    with recursive up (ancestor, child, depth) as (
        select id, id, 0 from made
        union all
        select m.parent_id, up.child, up.depth + 1 from up join made m on m.id = up.ancestor
        where m.parent_id is not null
    )
    select ancestor, child, depth from up
)
select min(id) from made
"""
_DOWNSTREAM = """
select e.* from pipeline_execution_closure c
join pipeline_execution e on e.id = c.child_execution_id
where c.parent_execution_id = %(id)s and c.depth > 0
"""
