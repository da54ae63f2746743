"""`check`: a check of StringX, and its verdict."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from quality.checks import CheckRequest
from quality.client import ApiClient
from quality.documents import strictly
from quality.errors import InvalidInput, NotFound, StringXError, Unavailable
from quality.names import ConnectionName, TableText
from quality.settings import ClientSettings
from quality.shorthand import predicate, selection
from quality.tasks.durations import Duration
from quality.tasks.task import Arguments, Context, Task, TaskFailed

_ASK_EVERY_S = 0.5


def _scope(values: list[str]) -> list[str]:
    _read(predicate, values)
    return values


def _selection(values: list[str]) -> list[str]:
    _read(lambda value: selection([value]), values)
    return values


def _read(read: Any, values: list[str]) -> None:
    for value in values:
        try:
            read(value)
        except InvalidInput as error:
            raise ValueError(str(error)) from None


class CheckArguments(Arguments):
    table: TableText = Field(description="schema.table")
    connection: ConnectionName = Field(default="demo", description="the table's connection")
    mode: Literal["run", "trigger"] = Field(
        default="run", description="at once, or by Kafka; both wait for the verdict"
    )
    scope: Annotated[list[str], AfterValidator(_scope)] = Field(
        default_factory=list, description='only these rows: "placed >= 2026-01-01"'
    )
    select: Annotated[list[str], AfterValidator(_selection)] = Field(
        default_factory=list, description='only these rules: "tags=x"'
    )
    wait: Annotated[Duration, Field(gt=0)] = Field(default=60.0, description="for the verdict")
    fail_on: Literal["fail", "warn"] = Field(
        default="fail", description="the mildest verdict that is a failure"
    )


class Check(Task[CheckArguments]):
    """Run or trigger a check and wait for its verdict; fail, and no verdict, are failures."""

    task_name = "check"
    takes = CheckArguments

    def run(self, arguments: CheckArguments, context: Context) -> str:
        found = _checked(arguments, context)
        if found["state"] != "finished":
            raise TaskFailed(f"no verdict within {arguments.wait:g} s: {found['state']}")
        status = str(found["status"])
        said = f"{status}: {found['connection']} {found['table']}, check {found['id']}"
        failing = ("fail", "warn") if arguments.fail_on == "warn" else ("fail",)
        if status in failing:
            raise TaskFailed(said, output=_rules(found, failing), is_final=True)
        if status not in ("pass", "warn"):
            raise TaskFailed(f"{said}: {found['error'] or 'there are no rules'}", is_final=True)
        return said


def _checked(arguments: CheckArguments, context: Context) -> dict[str, Any]:
    """The check, finished if it could be had in time. Its id is the task's of this run, so that
    what is asked again is answered once."""
    request = {
        "id": context.key[-128:],
        "connection": arguments.connection,
        "table": arguments.table,
        "scope": [predicate(text) for text in arguments.scope],
        "select": selection(arguments.select),
        "requested_by": "tasks",
    }
    given = {name: value for name, value in request.items() if value not in (None, [], {})}
    body = strictly(CheckRequest, given).document()
    body["mode"] = "sync" if arguments.mode == "run" else "async"
    until = time.monotonic() + context.left_s(arguments.wait)
    client = _client(context, arguments.wait)
    try:
        try:
            found: dict[str, Any] = client.post("/checks", body)
        except Unavailable as error:
            if error.code != "api_unreachable":
                raise
            found = _lost(client, body["id"], error)
        while found["state"] != "finished" and time.monotonic() < until:
            time.sleep(_ASK_EVERY_S)
            found = client.get(f"/checks/{body['id']}")
        return found
    except (InvalidInput, NotFound) as error:
        raise TaskFailed(str(error), is_final=True) from None
    except StringXError as error:
        raise TaskFailed(str(error)) from None
    finally:
        client.close()


def _lost(client: ApiClient, check_id: str, error: StringXError) -> dict[str, Any]:
    """The check, where only its answer was lost."""
    try:
        found: dict[str, Any] = client.get(f"/checks/{check_id}")
    except NotFound:
        raise error from None
    return found


def _client(context: Context, wait_s: float) -> ApiClient:
    settings = context.settings
    given: dict[str, Any] = {
        "api_token": settings.api_token,
        "api_timeout_s": max(settings.api_timeout_s, wait_s),
    }
    if settings.api_url is not None:
        given["api_url"] = settings.api_url
    return ApiClient(ClientSettings(**given))


def _rules(found: dict[str, Any], statuses: tuple[str, ...]) -> str:
    return "\n".join(
        f"{result['rule']}: {result['status']}, {result['failures']} failures"
        for result in found["results"]
        if result["status"] in statuses
    )
