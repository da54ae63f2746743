"""`stringx tasks runs` and `stringx tasks show`: what was run, as the API has it."""

from __future__ import annotations

from urllib.parse import quote

import click

from cli.options import pass_service
from cli.printing import as_json, coloured, output_option, plain, show
from cli.service import Service

_RUNS = ("started_at", "id", "file", "host", "status", "task_count", "duration_ms", "reported_by")
_TASKS = ("position", "name", "place", "status", "attempts", "duration_ms", "error")


@click.command("runs")
@click.option("--file", help="Only of the file of this name, without folders.")
@click.option("--status", type=click.Choice(("succeeded", "partial", "failed")), help="Only those.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="The newest so many.",
)
@output_option("table", "json", "csv")
@pass_service
def list_runs(
    service: Service, file: str | None, status: str | None, limit: int, output: str
) -> None:
    """List the runs that the API knows, newest first; those of actions are among them.

    \b
    Example: stringx tasks runs --file nightly.conf --status failed
    """
    found = service.items("/task-runs", {"file": file, "status": status}, limit)
    show(({**one, "duration_ms": round(one["duration_ms"])} for one in found), _RUNS, output)


@click.command("show")
@click.argument("run")
@output_option("text", "json")
@pass_service
def show_run(service: Service, run: str, output: str) -> None:
    """Show a run with its tasks and the end of what each said.

    \b
    Example: stringx tasks show action-00000012
    """
    found = service.client.get(f"/task-runs/{quote(run, safe='')}")
    if output == "json":
        as_json(found)
        return
    click.echo(
        f"{coloured(found['status'])} {plain(found['file'])} on {plain(found['host'])}, "
        f"{found['started_at']} ({found['duration_ms']:.0f} ms)"
    )
    tasks = [{**task, "duration_ms": round(task["duration_ms"])} for task in found["tasks"]]
    show(tasks, _TASKS, "table")
    for task in tasks:
        if task["output"]:
            click.echo(f"\n[{task['position']}] {plain(task['name'])}:")
            for line in task["output"].splitlines():
                click.echo(f"    {plain(line)}")
