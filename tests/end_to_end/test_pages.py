"""The pages in a real browser: they show what they should and ask no other host."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import require_program
from tests.end_to_end.conftest import Service


@pytest.fixture
def page() -> Iterator[Page]:
    chromium = require_program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser.new_page()
        browser.close()


def test_api_documentation_shows_every_operation(service: Service, page: Page) -> None:
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto(f"{service.api}/docs/")
    expect(page.get_by_role("link", name="/api/v1/checks/{check_id}", exact=True)).to_be_visible()
    document = requests.get(f"{service.api}/openapi.json", timeout=10).json()
    operations = sum(len(path) for path in document["paths"].values())
    expect(page.locator(".opblock")).to_have_count(operations)
    assert hosts <= {service.api.removeprefix("http://"), ""}


def test_portal_documents_the_monitored_tables(service: Service, page: Page) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:  # it is made in the background
        if "dbt" in requests.get(service.consumer, timeout=10).text[:20_000].lower():
            break
        time.sleep(0.5)
    page.goto(service.consumer)
    expect(page.get_by_text("flights", exact=True).first).to_be_attached(timeout=30_000)
    assert "dbt" in page.title().lower()
