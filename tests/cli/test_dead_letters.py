"""`stringx dead-letters`: letters are listed, shown, sent again and dropped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from api.store import dead_letters
from api.store.database import Database, open_database
from quality.dead_letters import Place, read_letter
from quality.settings import ApiSettings
from tests.cli.conftest import Run
from tests.conftest import LiveApi

NOW = datetime.now(UTC)


@pytest.fixture
def database(live_api: LiveApi) -> Iterator[Database]:
    """The database of the API, without letters before and after."""
    url = live_api.environment["STRINGX_DATABASE_URL"]
    database = open_database(ApiSettings(database_url=url))
    yield database
    with database.begin() as db:
        db.execute(text("delete from dead_letter"))
    database.dispose()


def store(database: Database, *codes: str) -> list[str]:
    """Store one letter of each code, each a day older than the one before; their ids."""
    made = [
        read_letter(
            Place("requests.dlq", 0, number),
            1,
            b"shop.orders",
            b"\xff" if code == "encoding" else b'{"table": "shop.orders"}',
            [
                ("x-trace", b"a\x1b[31mb"),
                ("stringx.error.code", code.encode()),
                ("stringx.failed-at", (NOW - timedelta(days=number)).isoformat().encode()),
                ("stringx.table", b"shop.orders"),
            ],
        )
        for number, code in enumerate(codes)
    ]
    with database.begin() as db:
        dead_letters.take_over(db, made)
    return [letter.id for letter in made]


def test_letters_are_listed_with_their_reasons(run: Run, database: Database) -> None:
    first, second = store(database, "encoding", "json_invalid")
    listed = run("dead-letters", "list", "-o", "json").json
    assert [(one["id"], one["code"]) for one in listed] == [
        (first, "encoding"),
        (second, "json_invalid"),
    ]
    some = run("dead-letters", "list", "--code", "encoding", "--since", "1h", "-o", "json").json
    assert [one["id"] for one in some] == [first]
    assert run("dead-letters", "list", "--table", "shop.other").out == "none\n"


def test_a_letter_is_shown_without_what_could_steer_a_terminal(
    run: Run, database: Database
) -> None:
    first, second = store(database, "encoding", "json_invalid")
    shown = run("dead-letters", "show", second)
    assert shown.code == 0
    assert "json_invalid" in shown.out
    assert 'value (24 bytes): {"table": "shop.orders"}' in shown.out
    assert "\x1b" not in shown.out
    assert "value (1 bytes): base64 /w==" in run("dead-letters", "show", first).out
    assert run("dead-letters", "show", second, "-o", "json").json["id"] == second
    assert run("dead-letters", "show", "d-" + "0" * 40).code == 2


def test_they_are_counted_and_then_dropped(run: Run, database: Database) -> None:
    store(database, *["encoding"] * 4)
    purge = ("dead-letters", "purge", "--older-than-days", "1")
    assert run(*purge, "--dry-run").out == "would drop 3\n"
    assert run(*purge).code == 2  # nobody to ask
    assert run(*purge, "--yes").out == "dropped 3\n"
    assert len(run("dead-letters", "list", "-o", "json").json) == 1


def test_redriving_needs_kafka_and_says_what(run: Run, database: Database) -> None:
    [letter] = store(database, "json_invalid")
    for words in ((), (letter, "--all"), (letter, "--dry-run"), ("--all",)):
        assert run("dead-letters", "redrive", *words).code == 2
    ended = run("dead-letters", "redrive", letter)
    assert ended.code == 3
    assert "STRINGX_KAFKA_BOOTSTRAP_SERVERS" in ended.err
