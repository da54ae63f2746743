"""The shapes of addresses, and of what is made from what."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, Field, RootModel


class AddressView(BaseModel):
    """A place that data is in."""

    id: int
    name: str
    address_type_id: int
    database_name: str | None
    schema_name: str | None
    table_name: str | None
    primary_key: str | None
    address_metadata: dict[str, Any] | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class AddressList(RootModel[list[AddressView]]):
    """Addresses by id."""


class AddressTypeView(BaseModel):
    """A kind of addresses."""

    id: int
    name: str
    group_name: str
    created_at: AwareDatetime
    updated_at: AwareDatetime


class AddressTypeList(RootModel[list[AddressTypeView]]):
    """Kinds of addresses by id."""


class LineageKept(BaseModel):
    """What became of a lineage."""

    pipeline_id: int
    lineage_relationships_created: int
    message: str


class LineagePipeline(BaseModel):
    id: int
    name: str
    owner: str | None
    active: bool


class LineageTable(BaseModel):
    id: int
    connection: str
    table: str
    status: str | None
    owner: str | None


class LineageNode(BaseModel):
    """An address on the way, the pipelines that lead there, and the monitored tables it is."""

    id: int
    name: str
    address_type: str
    group_name: str
    database_name: str | None
    schema_name: str | None
    table_name: str | None
    depth: int
    pipelines: list[LineagePipeline]
    tables: list[LineageTable]


class Lineage(BaseModel):
    """What a table is made from, or what is made from it, nearest first."""

    direction: str
    is_complete: bool = Field(description="false: there are more than could be shown")
    items: list[LineageNode]
