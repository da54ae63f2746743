"""Lineage: W20."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from quality.pipelines.lineage import find_cycle
from tests.pipelines.conftest import Call


def address(name: str, **more: Any) -> dict[str, Any]:
    kind = {"address_type_name": "postgres", "address_type_group_name": "database"}
    return {"name": name, **kind, **more}


def kept(
    call: Call, pipeline: str, sources: list[dict[str, Any]], targets: list[dict[str, Any]]
) -> requests.Response:
    document = {"name": pipeline, "pipeline_type_name": "load"}
    pipeline_id = call("POST", "/pipeline", json=document).json()["id"]
    lineage = {"source_addresses": sources, "target_addresses": targets}
    return call("POST", "/address_lineage", json={"pipeline_id": pipeline_id, **lineage})


def test_a_cycle_is_found_and_named() -> None:
    edges = [(1, 2), (2, 3), (3, 4), (2, 5)]
    assert find_cycle(edges, [(5, 6), (1, 4)]) == []
    assert find_cycle(edges, [(5, 6), (4, 2)]) == [4, 2, 3, 4]
    assert find_cycle([], [(1, 1)]) == [1, 1]
    assert find_cycle([], [(1, 2), (2, 1)]) == [1, 2, 1]


def test_w20_upstream_and_downstream_of_a_table_in_one_call(call: Call, name: str) -> None:
    table_id = call("PUT", "/api/v1/tables", json={"table": "shop.clean"}).json()["id"]
    part = {"schema_name": "Shop", "table_name": "Customers"}
    raw, mart, report = f"{name} raw", f"{name} mart", f"{name} report"
    assert kept(call, f"{name} 1", [address(raw)], [address("x.shop.Clean")]).status_code == 201
    middle = kept(call, f"{name} 2", [address("x.shop.clean")], [address(mart, **part)])
    assert middle.json()["lineage_relationships_created"] == 1
    assert kept(call, f"{name} 3", [address(mart)], [address(report)]).status_code == 201
    down = call("GET", "/api/v1/lineage", params={"table": "shop.clean"}).json()
    assert down["is_complete"] is True
    assert [(one["name"], one["depth"]) for one in down["items"]] == [
        ("x.shop.clean", 0),
        (mart, 1),
        (report, 2),
    ]
    assert [one["id"] for one in down["items"][0]["tables"]] == [table_id]
    assert [one["name"] for one in down["items"][2]["pipelines"]] == [f"{name} 3"]
    asked = {"table": "shop.customers", "direction": "upstream"}
    up = call("GET", "/api/v1/lineage", params=asked).json()
    assert [one["name"] for one in up["items"]] == [mart, "x.shop.clean", raw]
    circle = kept(call, f"{name} 4", [address(report)], [address(raw)])
    assert (circle.status_code, circle.json()["code"]) == (422, "lineage_cycle")
    way = [report, raw, "x.shop.clean", mart, report]
    assert " → ".join(way) in circle.json()["detail"]
    call("DELETE", f"/api/v1/tables/{table_id}")


def test_lineage_is_replaced_and_left_alone_after_a_success(call: Call, name: str) -> None:
    first = kept(call, name, [address(f"{name} a")], [address(f"{name} b"), address(f"{name} c")])
    assert (first.status_code, first.json()["lineage_relationships_created"]) == (201, 2)
    kept(call, name, [address(f"{name} a")], [address(f"{name} b")])
    [found] = call("GET", "/address", params={"name": f"{name} A"}).json()
    asked = {"address_id": found["id"]}
    items = call("GET", "/api/v1/lineage", params=asked).json()["items"]
    assert [one["name"] for one in items] == [f"{name} a", f"{name} b"]
    pipeline_id = first.json()["pipeline_id"]
    call("PATCH", "/pipeline", json={"id": pipeline_id, "load_lineage": False})
    ignored = kept(call, name, [address(f"{name} a")], [])
    assert (ignored.status_code, ignored.json()["lineage_relationships_created"]) == (200, 0)
    assert call("GET", "/api/v1/lineage", params=asked).json()["items"] == items


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"table": "shop.nowhere"}, 404),
        ({"address_id": 10**12}, 404),
        ({}, 422),
        ({"table": "shop.a", "address_id": 1}, 422),
        ({"table": "a.b.c"}, 422),
    ],
)
def test_wrong_questions(call: Call, asked: dict[str, Any], status: int) -> None:
    assert call("GET", "/api/v1/lineage", params=asked).status_code == status


def test_addresses_and_types(call: Call, name: str) -> None:
    made = call("POST", "/address", json=address(name, database_name="DB"))
    assert made.status_code == 201
    assert call("POST", "/address", json=address(name.upper())).json() == made.json()
    changed = call("PATCH", "/address", json={**made.json(), "table_name": "t"}).json()
    assert (changed["database_name"], changed["table_name"]) == ("db", "t")
    assert call("GET", f"/address/{made.json()['id']}").json() == changed
    kind = call("POST", "/address_type", json={"name": name, "group_name": "files"})
    assert kind.status_code == 201
    group = call("PATCH", "/address_type", json={"name": name, "group_name": "Lake"}).json()
    assert (group["id"], group["group_name"]) == (kind.json()["id"], "lake")
    wrong = {**made.json(), "address_type_id": 10**12}
    assert call("PATCH", "/address", json=wrong).status_code == 422
    for path in ("/address", "/address_type"):
        assert call("PATCH", path, json={"name": "nothing of it"}).status_code == 404
        assert call("PATCH", path, json={}).status_code == 422
        assert call("GET", f"{path}/{10**12}").status_code == 404


def test_the_gate_hears_the_tables_upstream(call: Call, name: str) -> None:
    ids = {}
    for table, column in (("shop.orders", "amount"), ("shop.clean", "name")):
        ids[table] = call("PUT", "/api/v1/tables", json={"table": table}).json()["id"]
        rules = {"rules": [{"name": "known", "type": "not_null", "column": column}]}
        call("PUT", f"/api/v1/tables/{ids[table]}/rules", json=rules)
        assert call("POST", "/api/v1/checks", json={"table": table}).status_code == 200
    assert kept(call, name, [address("shop.orders")], [address("shop.clean")]).status_code == 201
    alone = call("GET", "/api/v1/gate/shop.clean").json()
    assert (alone["decision"], alone.get("upstream", [])) == ("allow", [])
    heard = call("GET", "/api/v1/gate/shop.clean", params={"upstream": "true"}).json()
    assert heard["decision"] == "block"
    [other] = heard["upstream"]
    assert (other["table"], other["decision"]) == ("shop.orders", "block")
    assert heard["reasons"] == [*alone["reasons"], "upstream demo/shop.orders: block"]
    above = call("GET", "/api/v1/gate/shop.orders", params={"upstream": "true"}).json()
    assert above["upstream"] == []
    kept(call, name, [], [])
    for table_id in ids.values():
        call("DELETE", f"/api/v1/tables/{table_id}")
