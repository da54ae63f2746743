"""Lineage: addresses, what is made from what, and the ways from a table."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator
from sqlalchemy import Table

from api import audit
from api.operations import Answer, Operations, Query
from api.pipelines.views.lineage import (
    AddressList,
    AddressTypeList,
    AddressTypeView,
    AddressView,
    Lineage,
    LineageKept,
)
from api.pipelines.views.pipelines import Made
from api.routes.identifiers import known_id
from api.routes.pipelines.framework import ListQuery, listed
from api.routes.pipelines.framework import add as add_at_root
from api.services import services
from api.store.pipeline_schema import address, address_type
from api.store.pipelines import addresses, lineage
from api.store.pipelines.lineage import Direction
from quality.names import TableText
from quality.pipelines.reports import (
    AddressChange,
    AddressReport,
    AddressTypeChange,
    AddressTypeReport,
    Id,
    LineageReport,
)

operations = Operations("lineage", __name__)
add = operations.add


class LineageQuery(Query):
    table: TableText | None = None
    address_id: Id | None = None
    direction: Direction = "downstream"
    depth: Annotated[int, Field(ge=1, le=1000)] = 100
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000

    @model_validator(mode="after")
    def _one(self) -> LineageQuery:
        if (self.table is None) == (self.address_id is None):
            raise ValueError("name where to begin: table or address_id")
        return self


@add_at_root(
    "POST",
    "/address_lineage",
    body=LineageReport,
    answers={200: LineageKept, 201: LineageKept},
    problems=(404,),
    scope="pipelines",
)
def report_lineage(body: LineageReport) -> Answer:
    """Replace what a pipeline reads and writes. A circle is refused with the circle's names."""
    with services().database.begin() as db:
        kept = lineage.report(db, body)
        before, after = kept or (set(), set())
        if before != after:
            detail = {
                "sources": sorted({one.name for one in body.source_addresses}),
                "targets": sorted({one.name for one in body.target_addresses}),
                "before": {"relationships": len(before)},
                "after": {"relationships": len(after)},
            }
            audit.record(db, "lineage.changed", f"pipeline {body.pipeline_id}", detail)
    answer = {
        "pipeline_id": body.pipeline_id,
        "lineage_relationships_created": len(after),
        "message": (
            "the pipeline has load_lineage off: nothing was changed"
            if kept is None
            else "lineage kept"
        ),
    }
    return Answer(answer, 200 if kept is None else 201)


@add("GET", "/lineage", query=LineageQuery, answers={200: Lineage}, problems=(404,))
def get_lineage(query: LineageQuery) -> Answer:
    """What is made from a table, or what it is made from, with the state of each: in one call."""
    with services().database.connect() as db:
        if query.table is not None:
            ids = lineage.places_of(db, query.table)
        else:
            ids = [addresses.get(db, address, query.address_id or 0)["id"]]
        found = lineage.walk(db, ids, query.direction, depth=query.depth, limit=query.limit + 1)
    return Answer(
        {
            "direction": query.direction,
            "is_complete": len(found) <= query.limit,
            "items": found[: query.limit],
        }
    )


@add_at_root(
    "POST",
    "/address",
    body=AddressReport,
    answers={200: Made, 201: Made},
    scope="pipelines",
)
def report_address(body: AddressReport) -> Answer:
    """Make an address, or find the one of that name."""
    with services().database.begin() as db:
        address_id, is_new = addresses.report(db, body)
        if is_new:
            after = addresses.get(db, address, address_id)
            audit.record_change(db, "address", f"address {address_id}", None, after)
    return Answer({"id": address_id}, 201 if is_new else 200)


@add_at_root(
    "PATCH",
    "/address",
    body=AddressChange,
    answers={200: AddressView},
    problems=(404, 409),
    scope="pipelines",
)
def patch_address(body: AddressChange) -> Answer:
    """Change what is sent of an address."""
    return _changed(address, body)


@add_at_root("GET", "/address", query=ListQuery, answers={200: AddressList}, scope="pipelines")
def list_addresses(query: ListQuery) -> Answer:
    """List addresses."""
    return _page(address, query)


@add_at_root("GET", "/address/<int:address_id>", answers={200: AddressView}, scope="pipelines")
def get_address(address_id: int) -> Answer:
    """Read an address."""
    with services().database.connect() as db:
        return Answer(addresses.get(db, address, known_id(address_id, "address")))


@add_at_root(
    "POST",
    "/address_type",
    body=AddressTypeReport,
    answers={200: Made, 201: Made},
    scope="pipelines",
)
def report_address_type(body: AddressTypeReport) -> Answer:
    """Make a kind of addresses, or find the one of that name."""
    with services().database.begin() as db:
        type_id, is_new = addresses.report_type(db, body.name, body.group_name)
        if is_new:
            after = body.model_dump()
            audit.record_change(db, "address_type", f"address type {type_id}", None, after)
    return Answer({"id": type_id}, 201 if is_new else 200)


@add_at_root(
    "PATCH",
    "/address_type",
    body=AddressTypeChange,
    answers={200: AddressTypeView},
    problems=(404, 409),
    scope="pipelines",
)
def patch_address_type(body: AddressTypeChange) -> Answer:
    """Change what is sent of a kind of addresses."""
    return _changed(address_type, body)


@add_at_root(
    "GET",
    "/address_type",
    query=ListQuery,
    answers={200: AddressTypeList},
    scope="pipelines",
)
def list_address_types(query: ListQuery) -> Answer:
    """List kinds of addresses."""
    return _page(address_type, query)


@add_at_root(
    "GET",
    "/address_type/<int:type_id>",
    answers={200: AddressTypeView},
    scope="pipelines",
)
def get_address_type(type_id: int) -> Answer:
    """Read a kind of addresses."""
    with services().database.connect() as db:
        return Answer(addresses.get(db, address_type, known_id(type_id, "address type")))


def _changed(table: Table, body: AddressChange | AddressTypeChange) -> Answer:
    with services().database.begin() as db:
        before, after = addresses.change(db, table, body)
        subject = f"{table.name.replace('_', ' ')} {after['id']}"
        audit.record_change(db, table.name, subject, before, after)
    return Answer(after)


def _page(table: Table, query: ListQuery) -> Answer:
    with services().database.connect() as db:
        page = addresses.page(db, table, limit=query.limit, cursor=query.cursor, name=query.name)
    return listed(page)
