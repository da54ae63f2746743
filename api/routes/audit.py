"""The audit trail, for admins."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api import access_views as views
from api.operations import Answer, Operations, PageQuery, paged
from api.routes.checks import Moment
from api.services import services
from api.store import audit
from quality.names import Text

operations = Operations("audit", __name__)
add = operations.add

Word = Annotated[Text, Field(min_length=1, max_length=400)]


class AuditQuery(PageQuery):
    actor: Word | None = None
    action: Annotated[str, Field(pattern=r"^[a-z_]+\.[a-z_]+$", max_length=100)] | None = Field(
        default=None, description="such as rule_set.changed, token.revoked, check.triggered"
    )
    subject: Word | None = Field(default=None, description="such as `table 7`, as events have it")
    request_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,128}$")] | None = None
    since: Moment | None = None
    until: Moment | None = None


@add("GET", "/audit", query=AuditQuery, answers={200: views.AuditPage}, scope="admin")
def list_audit_events(query: AuditQuery) -> Answer:
    """List who changed or triggered what, newest first."""
    paging = {"limit", "cursor", "since", "until"}
    with services().database.connect() as db:
        page = audit.page(
            db,
            **{name: getattr(query, name) for name in paging},
            filters=query.model_dump(exclude=paging),
        )
    return paged(page)
