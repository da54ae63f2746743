"""The gate: may a pipeline go on with a table, and by which policy that is decided."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError

from api import audit
from api.gate import Asked
from api.operations import Answer, Operations, Query
from api.pipelines.upstream import heard
from api.routes.tables import known_id
from api.services import services
from api.store import gate
from quality.checks import CheckStatus
from quality.documents import read_json
from quality.errors import Fault, InvalidInput, MalformedDocument, invalid_input
from quality.gate import Decision, GatePolicy
from quality.names import ConnectionName, RequestId, TableText
from quality.predicates import Predicate, Predicates

operations = Operations("gate", __name__)
add = operations.add

LONGEST_WAIT_S = 60.0
_TABLE: TypeAdapter[str] = TypeAdapter(TableText)
_SCOPE: TypeAdapter[tuple[Predicate, ...]] = TypeAdapter(Predicates)


class GateQuery(Query):
    connection: ConnectionName = "demo"
    wait: Annotated[float, Field(ge=0, le=LONGEST_WAIT_S, allow_inf_nan=False)] = Field(
        default=0, description="seconds to wait for a decision that holds, or for the check"
    )
    check_id: RequestId | None = Field(
        default=None, description="the decision on this check, whatever was decided later"
    )
    whole: bool = Field(
        default=False,
        description="wait for the decision on all rules, not for that of the check's deadline",
    )
    scope: Annotated[str, Field(min_length=2, max_length=16_384)] | None = Field(
        default=None,
        description="the decision on these rows: the scope of their check, as JSON, as it was sent",
    )
    upstream: bool = Field(
        default=False,
        description="also hear the tables that this one is made from, by the lineage of pipelines",
    )


class UpstreamDecision(BaseModel):
    connection: str
    table: str
    decision: Decision


class GateView(BaseModel):
    """What may be done with a table now. Anything but `allow` and `warn` means: do not go on."""

    connection: str
    table: str
    decision: Decision = Field(description="`unknown` where none was made, or it has expired")
    verdict: CheckStatus | None
    reasons: list[str]
    is_partial: bool = Field(
        description="made at the deadline of its check, of the rules that there was time for"
    )
    check_id: str | None
    scope: list[dict[str, Any]] = Field(description="with relative times resolved")
    scope_hash: str | None
    rule_set_hash: str | None
    rules_version: int | None
    decided_at: AwareDatetime | None
    expires_at: AwareDatetime | None
    traceparent: str | None
    upstream: list[UpstreamDecision] = Field(
        default=[], description="of the tables it is made from, where they were asked for"
    )


@add("GET", "/gate/<table>", query=GateQuery, answers={200: GateView})
def get_gate(table: str, query: GateQuery) -> Answer:
    """The decision of the gate on a table; `unknown` where there is none, or none that holds.

    Each verdict makes one, by the policy of the table. With `wait` the answer comes when there is
    one, after that many seconds at the latest.
    """
    try:
        name = _TABLE.validate_python(table)
    except ValidationError as error:
        raise invalid_input(error, "the path", "table") from None
    scope = _predicates(query.scope) if query.scope is not None else ()
    if scope and query.check_id is not None:
        words = "check_id names the rows already; send it or scope"
        raise InvalidInput(words, faults=[Fault("scope", "not_with_check_id", words)])
    asked = Asked(query.connection, name, scope, query.check_id, query.whole)
    found = services().gate.decision(asked, query.wait)
    return Answer(heard(services().database, services().gate, found) if query.upstream else found)


@add("GET", "/tables/<int:table_id>/gate-policy", answers={200: GatePolicy})
def get_gate_policy(table_id: int) -> Answer:
    """Read by which policy the gate of a table decides."""
    with services().database.connect() as db:
        return Answer(gate.policy(db, known_id(table_id)).model_dump(mode="json"))


@add("PUT", "/tables/<int:table_id>/gate-policy", body=GatePolicy, answers={200: GatePolicy})
def put_gate_policy(table_id: int, body: GatePolicy) -> Answer:
    """Set the policy of a table's gate; what is left out is as by default.

    Decisions that stand are made anew by it at once.
    """
    with services().database.begin() as db:
        before = gate.policy(db, known_id(table_id))
        gate.put_policy(db, table_id, body, services().checking.gate)
        detail = {"before": before.model_dump(mode="json"), "after": body.model_dump(mode="json")}
        audit.record(db, "gate_policy.changed", f"table {table_id}", detail)
    return Answer(body.model_dump(mode="json"))


def _predicates(text: str) -> tuple[Predicate, ...]:
    try:
        return _SCOPE.validate_json(json.dumps(read_json(text.encode())), strict=True)
    except MalformedDocument as error:
        words = f"scope {error}"
        raise InvalidInput(words, faults=[Fault("scope", error.code, words)]) from None
    except ValidationError as error:
        raise invalid_input(error, "the query", "scope") from None
