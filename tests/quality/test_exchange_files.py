"""Rule files: what is written is read again, and every fault has its file and line."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from quality.catalogue import RULE_TYPES
from quality.documents import lines_of_yaml, read_yaml, strictly
from quality.errors import InvalidInput
from quality.exchange import plan, rule_files
from quality.exchange.table_rules import TableRules
from quality.names import clean_text
from quality.rules import Rule

TWICE = 'two rules have the name "not_null_c"; give one another name'


def storable(text: str) -> bool:
    try:
        clean_text(text)
    except ValueError:
        return False
    return bool(text)


TEXT = st.text(max_size=30).filter(storable) | st.sampled_from(
    [
        "no",
        "1e3",
        "12:30",
        "010",
        "=",
        "<<",
        "~",
        "a: b",
        "- a",
        "#x",
        "'\"",
        " x ",
        "x\n\ny",
        "\x85",
        "a\u2028b",
        "-.5",
    ]
)
COLUMN = TEXT.filter(lambda text: len(text.encode()) <= 63)
NUMBER = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
OPERAND = TEXT | NUMBER | st.booleans()


@st.composite
def predicates(draw: st.DrawFn) -> dict[str, Any]:
    op = draw(st.sampled_from(["=", "!=", "<", ">=", "in", "between", "is_null"]))
    found: dict[str, Any] = {"column": draw(COLUMN), "op": op}
    if op == "in":
        found["value"] = draw(st.lists(OPERAND, min_size=1, max_size=3))
    elif op == "between":
        found["value"] = [draw(TEXT), draw(TEXT)]
    elif op != "is_null":
        found["value"] = draw(OPERAND)
    return found


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    found = dict(draw(st.sampled_from([entry.example for entry in RULE_TYPES.values()])))
    if "column" in found:
        found["column"] = draw(COLUMN)
    if found["type"] == "accepted_values":
        found["arguments"] = {"values": draw(st.lists(OPERAND, min_size=1, max_size=4))}
    optional = {
        "severity": st.sampled_from(["warn", "error"]),
        "warn_if": st.sampled_from(["> 1", "!= 0"]),
        "where": st.lists(predicates(), max_size=2),
        "dimension": st.sampled_from(["accuracy", "validity"]),
        "kind": st.sampled_from(["business", "engineering"]),
        "owner": TEXT,
        "tags": st.lists(st.sampled_from(["a", "no", "1e3", "2024"]), max_size=2, unique=True),
        "description": TEXT,
        "is_active": st.booleans(),
        "group_by": st.lists(COLUMN, max_size=2, unique=True),
        "sample_limit": st.none() | st.integers(0, 100),
        "is_shadow": st.booleans(),
        "valid_from": st.none() | st.sampled_from(["2026-01-01T00:00:00Z"]),
        "weight": st.floats(0.1, 10),
    }
    for name in draw(st.sets(st.sampled_from(sorted(optional)))):
        found[name] = draw(optional[name])
    return found


def accepted(documents: list[dict[str, Any]]) -> tuple[Rule, ...]:
    """The rules that the model takes, each with a name of its own."""
    found = []
    for place, document in enumerate(documents):
        try:
            found.append(strictly(Rule, {**document, "name": f"rule_{place}"}))
        except ValidationError:
            continue  # a text that only looks like a relative time, and the like
    return tuple(found)


def read_text(text: str) -> TableRules:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rules.yaml"
        file.write_text(text, encoding="utf-8")
        [found] = rule_files.read([file])
    return found.content


@settings(max_examples=60, deadline=None)
@given(st.lists(rules(), max_size=3), TEXT | st.none(), TEXT)
def test_what_is_written_is_read_again(
    documents: list[dict[str, Any]], owner: str | None, description: str
) -> None:
    table = TableRules(
        connection="other",
        table='"my schema"."a.b"',
        owner=owner,
        description=description,
        rules=accepted(documents),
    )
    again = read_text(rule_files.written(table))
    assert again == table
    assert rule_files.written(again) == rule_files.written(table)
    [nothing] = plan.make([again], lambda _: table)
    assert nothing.is_empty


@pytest.mark.parametrize("said", [{"severity": "error"}, {"warn_if": "!= 0"}, {}])
def test_thresholds_that_are_not_the_types_own_survive(said: dict[str, Any]) -> None:
    example = RULE_TYPES["freshness"].example
    table = TableRules(table="a.b", rules=(strictly(Rule, {**example, **said}),))
    assert read_text(rule_files.written(table)) == table


@pytest.mark.parametrize("entry", RULE_TYPES.values(), ids=lambda entry: entry.name)
def test_every_types_example_survives(entry: Any) -> None:
    table = TableRules(table="a.b", rules=(strictly(Rule, entry.example),))
    assert read_text(rule_files.written(table)) == table


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("no", "no"), ("NO", "NO"), ("on", "on"), ("12:30", "12:30"), ("010", "010")),
        *(("true", True), ("1e3", 1000.0), ("-3", -3), ("0.5", 0.5), ("2013-01-01", "2013-01-01")),
    ],
)
def test_yaml_means_what_it_means_in_its_second_version(written: str, meant: Any) -> None:
    found = read_yaml(f"a: {written}".encode())["a"]
    assert (found, type(found)) == (meant, type(meant))


def test_lines_are_those_of_the_file() -> None:
    lines = lines_of_yaml(
        b"# c\ntable: a\nrules:\n  - type: x\n    where:\n    - {column: c}\n  - y\n"
    )
    assert lines["table"] == 2
    assert lines["rules[0].type"] == 4
    assert lines["rules[0].where[0].column"] == 6
    assert lines["rules[1]"] == 7


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("rules: []", ["f.yaml:1: table: is required"]),
        ("[]", ["f.yaml:1: : must be a mapping with table and rules"]),
        ("table: a\nrules: 5", ["f.yaml:2: rules: must be a list of at most 200"]),
        ("table: a\nrulez: []", ["f.yaml:2: rulez: is not a known field"]),
        (
            "table: a\nrules:\n- {type: not_null, column: c}\n-\n  column: c\n  type: not_null\n",
            [f"f.yaml:5: rules[1].name: {TWICE}"],
        ),
        (
            "table: a\nrules:\n- type: not_null\n- type: unique\n  column: c\n  kinds: x\n",
            [
                "f.yaml:3: rules[0].column: is required for type not_null",
                "f.yaml:6: rules[1].kinds: is not a known field",
            ],
        ),
    ],
)
def test_faults_have_their_line(
    text: str, faults: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f.yaml").write_text(text)
    with pytest.raises(InvalidInput) as caught:
        rule_files.read([Path("f.yaml")])
    assert [str(fault) for fault in caught.value.faults] == faults


def test_a_table_stands_in_one_file(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yml"):
        (tmp_path / name).write_text("table: s.t\nrules: []\n")
    (tmp_path / ".hidden.yaml").write_text("nonsense: [")
    (tmp_path / "notes.txt").write_text("nonsense: [")
    with pytest.raises(InvalidInput) as caught:
        rule_files.read([tmp_path])
    [fault] = caught.value.faults
    assert fault.path == f"{tmp_path}/b.yml:1: table"
    assert f"{tmp_path}/a.yaml" in fault.message
    assert len(rule_files.read([tmp_path / "a.yaml", tmp_path / "a.yaml"])) == 1
