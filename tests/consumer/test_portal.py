"""The documentation portal, made by a real dbt from the rules of a real API."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from consumer.portal import Portal, read_rule_sets
from quality.client import ApiClient
from quality.engine import EngineSettings, open_engine
from quality.errors import Unavailable
from quality.settings import ClientSettings
from tests.conftest import LiveApi


@pytest.fixture
def configured(live_api: LiveApi) -> int:
    """A table with one active rule and one that is switched off; its id."""
    requests.put(live_api.api("/connections/demo"), json={}, timeout=60).raise_for_status()
    body = {"table": "shop.clean", "description": "Names"}
    table = requests.put(live_api.api("/tables"), json=body, timeout=60)
    assert table.ok, table.text
    found: int = table.json()["id"]
    put_rules(live_api, found, "name_known")
    return found


def put_rules(live_api: LiveApi, table: int, *names: str) -> None:
    rules = [{"name": name, "type": "not_null", "column": "name"} for name in names]
    off = {"name": "switched_off", "type": "unique", "column": "id", "is_active": False}
    path = live_api.api(f"/tables/{table}/rules")
    answer = requests.put(path, json={"rules": [*rules, off]}, timeout=60)
    assert answer.ok, answer.text


def make_portal(live_api: LiveApi, folder: Path) -> Portal:
    settings = EngineSettings(data_dir=folder / "engine")
    return Portal(
        folder / "portal",
        make_api=lambda: ApiClient(ClientSettings(api_url=live_api.url)),
        make_engine=lambda: open_engine(settings),
        refresh_s=300,
        stop=threading.Event(),
    )


def test_the_rule_sets_are_the_active_rules_of_every_table(
    live_api: LiveApi, configured: int
) -> None:
    api = ApiClient(ClientSettings(api_url=live_api.url))
    found = {str(rule_set.table): rule_set for rule_set in read_rule_sets(api)}
    rules = found["shop.clean"].rules
    assert [rule.name for rule in rules] == ["name_known"]
    assert found["shop.clean"].connection == "demo"


def test_the_documentation_is_made_by_dbt_and_made_anew_only_when_rules_change(
    live_api: LiveApi,
    configured: int,
    target_environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in target_environment.items():
        monkeypatch.setenv(name, value)
    portal = make_portal(live_api, tmp_path)
    assert portal.current is None
    assert portal.refresh()
    first = portal.current
    assert first is not None
    page = (first / "index.html").read_text()
    assert "dbt" in page
    assert "shop" in page
    assert target_environment["DBT_ENV_SECRET_TARGET_PASSWORD"] not in page
    assert not portal.refresh()
    assert portal.current == first
    put_rules(live_api, configured, "name_known", "name_known_too")
    assert portal.refresh()
    assert portal.current != first
    assert not first.exists()


def test_an_api_that_is_away_leaves_the_portal_as_it_is(tmp_path: Path) -> None:
    portal = Portal(
        tmp_path,
        make_api=lambda: ApiClient(ClientSettings(api_url="http://127.0.0.1:9")),
        make_engine=lambda: pytest.fail("no engine is needed"),
        refresh_s=300,
        stop=threading.Event(),
    )
    with pytest.raises(Unavailable):
        portal.refresh()
    assert portal.current is None


def test_a_rule_that_is_not_understood_takes_no_other_from_the_portal() -> None:
    class Api:
        """Answers with what another version has stored."""

        def get(self, path: str) -> dict[str, Any]:
            known = {"name": "known", "type": "unique", "column": "id", "is_active": True}
            items: list[dict[str, Any]] = {
                "/connections": [{"name": "demo", "target": "demo"}],
                "/tables": [{"id": 1, "connection": "demo", "name": "shop.orders"}],
                "/tables/1/rules": [{**known, "name": "odd", "type": "of_tomorrow"}, known],
            }[path.partition("?")[0]]
            return {"items": items, "next_cursor": None}

    (found,) = read_rule_sets(Api())  # type: ignore[arg-type]
    assert [rule.name for rule in found.rules] == ["known"]
