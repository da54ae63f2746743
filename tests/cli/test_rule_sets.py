"""Files as the source of rules: applied, compared, exported, and refused with file and line."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run

ORDERS = """\
table: shop.orders
owner: shop
description: Orders of the shop.
rules:
  - name: id_known
    type: not_null
    column: id
  - type: accepted_range
    column: amount
    arguments: {min_value: 0}
    severity: warn
    where: [{column: customer_id, op: "<", value: 5}]
    tags: [money]
"""
CLEAN = """\
table: shop.clean
rules:
  - {type: unique, column: id}
"""


def folder(path: Path, **files: str) -> str:
    for name, text in files.items():
        (path / f"{name}.yaml").write_text(text)
    return str(path)


def test_applying_makes_tables_and_rules_and_again_changes_nothing(
    run: Run, tmp_path: Path
) -> None:
    rules = folder(tmp_path, orders=ORDERS, clean=CLEAN)
    first = run("rules", "apply", rules, "--yes")
    assert first.code == 0, first.err
    assert "+ table demo shop.orders" in first.out
    assert "3 to add, 0 to change, 0 to remove" in first.out
    stored = run("rules", "list", "shop.orders", "--output", "json").json
    assert {rule["name"] for rule in stored} == {"id_known", "accepted_range_amount"}
    [table] = [
        table
        for table in run("tables", "list", "--output", "json").json
        if table["name"] == "shop.orders"
    ]
    assert (table["owner"], table["description"]) == ("shop", "Orders of the shop.")

    again = run("rules", "apply", rules)  # no terminal, and nothing to ask
    assert (again.code, again.out) == (0, "0 to add, 0 to change, 0 to remove\n")
    later = run("rules", "list", "shop.orders", "--output", "json").json
    assert later == stored  # times of change too


def test_a_difference_is_shown_field_by_field_and_changes_nothing(run: Run, tmp_path: Path) -> None:
    run("rules", "apply", folder(tmp_path, orders=ORDERS), "--yes")
    other = ORDERS.replace("min_value: 0", "min_value: 1").replace("owner: shop", "owner: sales")
    path = folder(tmp_path, orders=other)
    found = run("rules", "diff", path, "--exit-code")
    assert found.code == 1
    assert "owner: shop -> sales" in found.out
    assert "~ accepted_range_amount" in found.out
    assert '"min_value": 0' in found.out and '"min_value": 1' in found.out
    assert "0 to add, 1 to change, 0 to remove" in found.out
    [document] = run("rules", "diff", path, "--output", "json").json
    assert document["fields"] == {"owner": {"before": "shop", "after": "sales"}}
    [change] = document["changed"]
    assert set(change["fields"]) == {"arguments"}
    assert run("rules", "diff", path).code == 0
    arguments = [
        rule["arguments"]
        for rule in run("rules", "list", "shop.orders", "--output", "json").json
        if rule["name"] == "accepted_range_amount"
    ]
    assert arguments[0]["min_value"] == 0


def test_only_prune_removes_rules(run: Run, tmp_path: Path) -> None:
    run("rules", "apply", folder(tmp_path, orders=ORDERS), "--yes")
    added = run("rules", "add", "shop.orders", "--type", "not_null", "--column", "placed")
    assert added.code == 0, added.err
    kept = run("rules", "diff", str(tmp_path), "--exit-code")
    assert kept.code == 0
    fewer = folder(tmp_path, orders=ORDERS.split("  - type: accepted_range")[0])
    assert run("rules", "apply", fewer, "--yes").code == 0
    assert len(run("rules", "list", "shop.orders", "--output", "json").json) == 3
    shown = run("rules", "diff", fewer, "--prune")
    assert "- not_null_placed: not_null, column placed" in shown.out
    assert run("rules", "apply", fewer, "--prune", "--yes").code == 0
    [left] = run("rules", "list", "shop.orders", "--output", "json").json
    assert left["name"] == "id_known"


def test_nothing_is_applied_without_an_answer(run: Run, tmp_path: Path) -> None:
    ended = run("rules", "apply", folder(tmp_path, orders=ORDERS))
    assert ended.code == 2
    assert "give --yes" in ended.err
    assert "+ table demo shop.orders" in ended.out  # shown all the same
    assert run("tables", "list", "--output", "json").json == []


def test_faults_of_all_files_name_file_line_and_field(run: Run, tmp_path: Path) -> None:
    wrong = ORDERS.replace("owner: shop", "owner: 5").replace("severity: warn", "severity: bad")
    path = folder(tmp_path, orders=wrong, clean=CLEAN.replace("unique", "uniq"), broken="a: [")
    ended = run("rules", "apply", path, "--yes")
    assert (ended.code, ended.out) == (2, "")
    lines = ended.err.splitlines()
    assert len(lines) == 4
    assert lines[1].startswith(f"stringx: {tmp_path}/clean.yaml:3: rules[0].type: ")
    assert lines[2].startswith(f"stringx: {tmp_path}/orders.yaml:2: owner: ")
    assert lines[3].startswith(f"stringx: {tmp_path}/orders.yaml:11: rules[1].severity: ")
    assert run("tables", "list", "--output", "json").json == []


def test_what_the_api_refuses_is_named_by_file_and_line(run: Run, tmp_path: Path) -> None:
    run("tables", "add", "shop.orders")
    path = folder(tmp_path, orders=ORDERS.replace("column: amount", "column: amoun"))
    for command in (("diff", path), ("apply", path, "--yes")):
        ended = run("rules", *command)
        assert ended.code == 2
        assert f"{tmp_path}/orders.yaml:9: rules[1].column: " in ended.err
    unknown = folder(tmp_path, orders=ORDERS.replace("shop.orders", "shop.nothing"))
    ended = run("rules", "apply", unknown, "--yes")
    assert ended.code == 2
    assert f"{tmp_path}/orders.yaml:1: table: " in ended.err


def test_of_new_tables_none_stays_where_one_is_refused(run: Run, tmp_path: Path) -> None:
    path = folder(tmp_path, clean=CLEAN, orders=ORDERS.replace("column: amount", "column: amoun"))
    ended = run("rules", "apply", path, "--yes")
    assert ended.code == 2
    assert f"{tmp_path}/orders.yaml:9: rules[1].column: " in ended.err
    assert run("tables", "list", "--output", "json").json == []
    sql = "{type: metric_sql, arguments: {query: select 1, min_value: 1}}"
    custom = f"table: shop.clean\nrules:\n- {sql}\n"
    ended = run("rules", "apply", folder(tmp_path, clean=custom, orders=ORDERS), "--yes")
    assert ended.code == 2
    assert f"{tmp_path}/clean.yaml:2: rules: " in ended.err
    assert "STRINGX_CUSTOM_SQL" in ended.err


def test_exported_files_are_what_was_applied(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    run("rules", "apply", folder(source, orders=ORDERS, clean=CLEAN), "--yes")
    exported = run("export", "yaml", "--into", str(tmp_path / "out"))
    assert exported.code == 0
    files = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert files == ["demo.shop.clean.yaml", "demo.shop.orders.yaml"]
    assert run("rules", "diff", str(tmp_path / "out"), "--prune", "--exit-code").code == 0
    again = run("export", "yaml", "--into", str(tmp_path / "out"))
    assert again.code == 2
    assert "--force" in again.err
    assert run("export", "yaml", "--into", str(tmp_path / "out"), "--force").code == 0
    printed = run("export", "yaml", "shop.orders")
    assert printed.out == (tmp_path / "out" / "demo.shop.orders.yaml").read_text()
