"""Versions, dry runs and suggestions."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run

RULES = "table: shop.orders\nrules:\n  - {{type: accepted_range, column: amount, {0}}}\n"


def test_versions_are_listed_compared_and_restored(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "orders.yaml"
    said = ("--author", "ann", "--reason", "so it is")
    for low in (1, 2):
        file.write_text(RULES.format(f"arguments: {{min_value: {low}}}"))
        ended = run("rules", "apply", str(file), "--yes", *said)
        assert ended.code == 0, ended.err
    versions = run("rules", "versions", "shop.orders", "-o", "json").json
    assert [version["author"] for version in versions[:2]] == ["ann", "ann"]
    newest, older = versions[0]["number"], versions[1]["number"]
    listed = run("rules", "versions", "shop.orders")
    assert "so it is" in listed.out
    difference = run("rules", "versions", "shop.orders", "--diff", str(older), str(newest))
    assert "~ accepted_range_amount" in difference.out
    shown = run("rules", "versions", "shop.orders", "--show", str(older))
    assert "min_value: 1" in shown.out
    assert run("rules", "restore", "shop.orders", str(older)).code == 2  # nobody to ask
    restored = run("rules", "restore", "shop.orders", str(older), "--yes", "--author", "bob")
    assert restored.code == 0, restored.err
    file.write_text(shown.out)
    assert run("rules", "diff", str(file), "--exit-code", "--prune").code == 0
    assert run("rules", "versions", "shop.orders", "-o", "json").json[0]["author"] == "bob"
    missing = run("rules", "restore", "shop.orders", "999", "--yes")
    assert missing.code == 2
    assert len(missing.err.splitlines()) == 1


def test_a_dry_run_judges_and_stores_nothing(run: Run, tmp_path: Path) -> None:
    run("tables", "add", "shop.orders")
    run("rules", "add", "shop.orders", "-t", "not_null", "--column", "id")
    file = tmp_path / "orders.yaml"
    file.write_text(RULES.format("arguments: {min_value: 0}"))
    before = run("results", "list", "--table", "shop.orders").out
    tried = run("rules", "dry-run", "shop.orders", "--file", str(file))
    assert tried.code == 1
    assert "fail demo shop.orders (nothing was stored)" in tried.out
    assert run("rules", "dry-run", "shop.orders").code == 0
    assert run("rules", "dry-run", "shop.orders", "--file", str(file), "--scope", "id<2").code == 0
    estimated = run("rules", "dry-run", "shop.orders", "--estimate-only")
    assert estimated.code == 0
    assert estimated.out.startswith("estimate: ")
    assert run("results", "list", "--table", "shop.orders").out == before
    other = run("rules", "dry-run", "shop.clean", "--file", str(file))
    assert other.code == 2
    assert "shop.orders, not demo shop.clean" in other.err


def test_what_is_suggested_holds_and_can_be_applied(run: Run, tmp_path: Path) -> None:
    run("tables", "add", "shop.clean")
    table = run("rules", "suggest", "shop.clean")
    assert table.code == 0, table.err
    assert "because" in table.out
    items = run("rules", "suggest", "shop.clean", "-o", "json").json
    assert {"not_null", "unique"} <= {item["type"] for item in items}
    file = tmp_path / "clean.yaml"
    file.write_text(run("rules", "suggest", "shop.clean", "-o", "yaml").out)
    applied = run("rules", "apply", str(file), "--yes")
    assert applied.code == 0, applied.err
    assert run("check", "run", "shop.clean").code == 0
