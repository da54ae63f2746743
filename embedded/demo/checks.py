"""Configures the demo through the API, asks for its checks through Kafka, reads the verdicts."""

import json
import time
import uuid
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import yaml
from confluent_kafka import KafkaError, Message, Producer

from embedded.errors import EmbeddedError
from quality.client import ApiClient
from quality.errors import NotFound, StringXError, Unavailable
from quality.settings import KafkaSettings

CONNECTION = "demo"
_POLL_SECONDS = 0.2


def rule_sets() -> list[dict[str, Any]]:
    """The demo's rule sets, smallest table first."""
    folder = files("embedded.demo") / "rules"
    return [
        yaml.safe_load((folder / f"{table}.yaml").read_text())
        for table in ("airlines", "airports", "planes", "weather", "flights")
    ]


def configure(client: ApiClient, *, restore: bool) -> None:
    """Make connection, tables and rule sets known to the API.

    Rules that a table already has are kept, they may be somebody's work, unless `restore`.
    Raises EmbeddedError with the API's words.
    """
    try:
        client.put(
            f"/connections/{CONNECTION}", {"description": "Flights from New York City in 2013"}
        )
        for document in rule_sets():
            fields = ("connection", "table", "owner", "description")
            table = client.put("/tables", {field: document[field] for field in fields})
            path = f"/tables/{table['id']}/rules"
            if restore or not client.get(path)["items"]:
                client.put(path, {"rules": document["rules"]})
    except StringXError as error:
        faults = "".join(
            f"; {fault.path}: {fault.message}" for fault in getattr(error, "faults", [])
        )
        raise EmbeddedError(f"the demo's rules cannot be configured: {error}{faults}") from error


def request(kafka: KafkaSettings) -> dict[str, str]:
    """Send one check request for each table through Kafka; answers table → id of the request.

    Raises EmbeddedError when the broker does not take them in time.
    """
    run = uuid.uuid4().hex
    problems: list[str] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            problems.append(error.str())

    producer = Producer(
        kafka.client() | {"acks": "all", "message.timeout.ms": int(kafka.delivery_timeout_s * 1000)}
    )
    ids = {}
    for document in rule_sets():
        table = document["table"]
        ids[table] = f"demo-{run}-{table}"
        producer.produce(
            kafka.request_topic,
            key=table,
            value=json.dumps(
                {
                    "id": ids[table],
                    "connection": CONNECTION,
                    "table": table,
                    "requested_by": "demo",
                }
            ),
            on_delivery=delivered,
        )
    undelivered = producer.flush(kafka.delivery_timeout_s + 1)
    if problems or undelivered:
        raise EmbeddedError(
            f"Kafka at {kafka.bootstrap_servers} did not take the demo's requests "
            f"({problems[0] if problems else 'time-out'}): see whether it runs, "
            "or set STRINGX_KAFKA_BOOTSTRAP_SERVERS"
        )
    return ids


def await_verdicts(
    client: ApiClient,
    ids: dict[str, str],
    seconds: float,
    finished: Callable[[dict[str, Any]], None],
    alive: Callable[[], object],
) -> dict[str, dict[str, Any]]:
    """Poll until every check is finished; answers table → check.

    `finished` gets each check when it is; `alive` is called between polls and raises when waiting
    is of no more use. Raises EmbeddedError after `seconds`.
    """
    checks: dict[str, dict[str, Any]] = {}
    deadline = time.monotonic() + seconds
    while len(checks) < len(ids):
        alive()
        for table, check_id in ids.items():
            if table not in checks:
                try:
                    check = client.get(f"/checks/{check_id}")
                except (NotFound, Unavailable):
                    # Not taken from Kafka yet, or the API is busy: ask again.
                    continue
                except StringXError as error:
                    raise EmbeddedError(f"the check of {table} cannot be read: {error}") from error
                if check["state"] == "finished":
                    checks[table] = check
                    finished(check)
        if time.monotonic() > deadline:
            missing = ", ".join(table for table in ids if table not in checks)
            raise EmbeddedError(
                f"no verdict on {missing} within {seconds:g} s: see the logs, "
                "or allow more time by STRINGX_DEMO_TIMEOUT_SECONDS"
            )
        time.sleep(_POLL_SECONDS)
    return {table: checks[table] for table in ids}
