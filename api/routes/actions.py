"""Actions on verdicts: the task files that are run when a table's verdict changes."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from api import audit
from api.operations import Answer, Body, Operations, PageQuery
from api.routes.tables import BIGGEST_ID, known_id
from api.services import services
from api.store import action_queue, actions
from api.store.paging import Page
from api.store.tables import get as get_table
from quality.errors import Fault, InvalidInput
from quality.names import ConnectionName, TableText, Text

operations = Operations("actions", __name__)
add = operations.add

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.conf")


def _bare_name(value: str) -> str:
    if not _FILE.fullmatch(value):
        raise ValueError("must be a bare file name of STRINGX_ACTIONS_DIR, such as tell-ops.conf")
    return value


ActionFile = Annotated[Text, AfterValidator(_bare_name)]
ActionState = Literal[
    "waiting", "running", "succeeded", "partial", "failed", "superseded", "suppressed"
]


class ActionsBody(Body):
    """Files of the operator's, each run once for a change of the table's verdict to that."""

    on_fail: ActionFile | None = None
    on_warn: ActionFile | None = None
    on_error: ActionFile | None = None
    on_recovery: ActionFile | None = None


class ActionsView(BaseModel):
    on_fail: str | None
    on_warn: str | None
    on_error: str | None
    on_recovery: str | None


class ActionQuery(PageQuery):
    table: TableText | None = None
    connection: ConnectionName | None = None
    state: ActionState | None = None


class ActionView(BaseModel):
    """An action: `waiting`, `running`, `succeeded`, `partial`, `failed`; `superseded` where a later
    one took its place, `suppressed` where it would have told the same again."""

    id: int
    table_id: int
    connection: str
    table: str
    check_id: str
    event: str
    file: str
    state: str
    attempts: int
    run_id: str = Field(description="of its run, once there is one")
    error: str | None
    next_at: datetime
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ActionPage(BaseModel):
    """Actions, newest first."""

    items: list[ActionView]
    next_cursor: str | None


@add("GET", "/tables/<int:table_id>/actions", answers={200: ActionsView})
def get_actions(table_id: int) -> Answer:
    """Read which task files are run when the table's verdict changes."""
    with services().database.connect() as db:
        return Answer(actions.configured(db, known_id(table_id)))


@add("PUT", "/tables/<int:table_id>/actions", body=ActionsBody, answers={200: ActionsView})
def put_actions(table_id: int, body: ActionsBody) -> Answer:
    """Name the task files that are run when the table's verdict changes; null is none."""
    files: dict[str, Any] = body.model_dump()
    _refuse_wrong(files)
    with services().database.begin() as db:
        before = actions.configured(db, known_id(table_id))
        actions.configure(db, table_id, files)
        if before != files:
            detail = {"before": before, "after": files}
            audit.record(db, "actions.changed", f"table {table_id}", detail)
    return Answer(files)


@add(
    "GET",
    "/tables/<int:table_id>/action-runs",
    query=PageQuery,
    answers={200: ActionPage},
)
def list_action_runs(table_id: int, query: PageQuery) -> Answer:
    """List what was run because the table's verdict changed, newest first."""
    with services().database.connect() as db:
        get_table(db, known_id(table_id))
        page = actions.page(db, table_id=table_id, limit=query.limit, cursor=query.cursor)
    return _answer(page)


@add(
    "POST",
    "/tables/<int:table_id>/action-runs/<int:action_id>/retry",
    answers={200: ActionView},
    problems=(409,),
)
def retry_action(table_id: int, action_id: int) -> Answer:
    """Run an action again that was given up, from the task that failed; only the newest one."""
    known = min(action_id, BIGGEST_ID)
    with services().database.begin() as db:
        get_table(db, known_id(table_id))
        action_queue.again(db, table_id, known)
        audit.record(db, "action.retried", f"table {table_id}", {"action": known})
        [row] = actions.page(db, action_id=known, limit=1, cursor=None).items
    return Answer({**row, "run_id": action_queue.run_id(known)})


@add("GET", "/action-runs", query=ActionQuery, answers={200: ActionPage})
def list_all_action_runs(query: ActionQuery) -> Answer:
    """List what was run because verdicts changed, newest first; `state=failed` was given up."""
    with services().database.connect() as db:
        page = actions.page(
            db,
            table=query.table,
            connection=query.connection,
            state=query.state,
            limit=query.limit,
            cursor=query.cursor,
        )
    return _answer(page)


def _answer(page: Page) -> Answer:
    items = [{**row, "run_id": action_queue.run_id(row["id"])} for row in page.items]
    return Answer({"items": items, "next_cursor": page.next_cursor})


def _refuse_wrong(files: dict[str, str | None]) -> None:
    """Refuse names that are no files of the operator's folder, and files that could not run."""
    actions_ = services().actions
    folder = actions_.settings.actions_dir
    found: list[Fault] = []
    wrong: dict[str, list[str]] = {}
    for field, name in files.items():
        if name is None:
            continue
        if folder is None:
            words = "the service has no folder of actions (STRINGX_ACTIONS_DIR)"
            found.append(Fault(field, "no_actions", words))
        elif not _is_within(folder, name):
            words = f"{name} is no file of STRINGX_ACTIONS_DIR"
            found.append(Fault(field, "no_such_action", words))
        else:
            if name not in wrong:
                wrong[name] = actions_.process.faults(name)
            found += [Fault(field, "action_invalid", words) for words in wrong[name]]
    if found:
        raise InvalidInput("these actions could not be run", faults=found)


def _is_within(folder: Path, name: str) -> bool:
    file = (folder / name).resolve()
    return file.is_file() and folder.resolve() in file.parents
