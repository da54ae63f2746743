"""`python -m consumer.send TABLE`: a sample producer that can wait for the verdict."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from confluent_kafka import KafkaException, Producer
from pydantic import ValidationError

from consumer.kafka import producer_config
from quality import __version__
from quality.checks import CheckRequest
from quality.client import ApiClient
from quality.documents import strictly
from quality.errors import InvalidInput, NotFound, StringXError, Unavailable, invalid_input
from quality.identity import new_id
from quality.messages import EVENT_TYPE
from quality.settings import ClientSettings, KafkaSettings, load
from quality.shorthand import predicate, selection

EXIT_BY_STATUS = {"pass": 0, "warn": 0, "fail": 1}
EXIT_USAGE = 2
EXIT_ERROR = 3
ASK_EVERY_S = 0.1

Headers = list[tuple[str, str | bytes | None]]


def main(arguments: list[str] | None = None) -> int:
    """0: sent (with --wait: pass or warn), 1: fail, 2: wrong usage, 3: could not be sent or
    checked (an error, no rules, or no verdict in time)."""
    options = _parser().parse_args(arguments)
    try:
        request = read_options(options)
        kafka, client = load(KafkaSettings), load(ClientSettings)
        if not kafka.bootstrap_servers:
            raise InvalidInput("STRINGX_KAFKA_BOOTSTRAP_SERVERS is not set: give host:port")
    except (StringXError, ValueError) as error:
        print(f"stringx: {error}", file=sys.stderr)
        return EXIT_USAGE
    try:
        send(kafka, request, options.cloudevents)
        print(f"sent {request.id} for {request.table} to {kafka.request_topic}")
        if options.wait is None:
            return 0
        check = wait_for(ApiClient(client), str(request.id), options.wait)
    except (StringXError, KafkaException) as error:
        print(f"stringx: {error}", file=sys.stderr)
        return EXIT_ERROR
    print(described(check))
    return EXIT_BY_STATUS.get(check["status"], EXIT_ERROR)


def read_options(options: argparse.Namespace) -> CheckRequest:
    """The request that the command line asks for; InvalidInput names what is wrong."""
    document: dict[str, Any] = {
        "id": options.id or new_id(),
        "connection": options.connection,
        "table": options.table,
        "scope": [predicate(text) for text in options.scope],
        "select": selection(options.select),
        "requested_by": options.requested_by,
        "deadline_ms": options.deadline_ms,
    }
    try:
        given = {name: value for name, value in document.items() if value not in (None, [], {})}
        return strictly(CheckRequest, given)
    except ValidationError as error:
        raise invalid_input(error, "the check request") from None


def message(request: CheckRequest, cloudevents: str | None) -> tuple[bytes, Headers]:
    """Value and headers: bare JSON, or a CloudEvent in structured or binary mode."""
    document = {**request.document(), "id": request.id}
    event = {"specversion": "1.0", "id": request.id, "source": "/stringx/send", "type": EVENT_TYPE}
    if cloudevents == "structured":
        whole = {**event, "datacontenttype": "application/json", "data": document}
        return _json(whole), [("content-type", "application/cloudevents+json")]
    headers: Headers = [("content-type", "application/json")]
    if cloudevents == "binary":
        headers += [(f"ce_{name}", value) for name, value in event.items()]
    return _json(document), headers


def send(kafka: KafkaSettings, request: CheckRequest, cloudevents: str | None = None) -> None:
    """Produce the request and wait for the broker's acknowledgement; Unavailable without one."""
    producer = Producer({**producer_config(kafka, "stringx-send"), "log_level": 0})
    failed: list[str] = []
    value, headers = message(request, cloudevents)
    producer.produce(
        kafka.request_topic,
        value=value,
        key=request.table,
        headers=headers,
        on_delivery=lambda error, _: failed.append(error.str()) if error else None,
    )
    left = producer.flush(kafka.delivery_timeout_s + 5)
    if failed or left:
        why = failed[0] if failed else "no acknowledgement in time"
        raise Unavailable(f"Kafka at {kafka.bootstrap_servers} did not take the message: {why}")


def wait_for(api: ApiClient, check_id: str, seconds: float) -> dict[str, Any]:
    """The check once it is finished; Unavailable when it is not in that time."""
    deadline = time.monotonic() + seconds
    state = "not received yet (if it stays so: is the table configured, does the consumer run?)"
    while time.monotonic() < deadline:
        try:
            check: dict[str, Any] = api.get(f"/checks/{check_id}")
            if check["state"] == "finished":
                return check
            state = str(check["state"])
        except (NotFound, Unavailable) as error:
            state = state if isinstance(error, NotFound) else str(error)
        time.sleep(ASK_EVERY_S)
    raise Unavailable(f"no verdict on {check_id} within {seconds:g} s: {state}")


def described(check: dict[str, Any]) -> str:
    """A finished check for reading: one line, and one for each rule."""
    took = f"{check['duration_ms']:.0f} ms" if check["duration_ms"] is not None else "not run"
    lines = [f"{check['status']:<8} {check['table']} ({took})"]
    if check["error"]:
        lines.append(f"  {check['error_code']}: {check['error']}")
    for result in check["results"]:
        failures = "" if result["failures"] is None else f"{result['failures']} failing"
        lines.append(f"  {result['status']:<7} {result['rule']:<40} {failures}".rstrip())
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m consumer.send",
        description="Sends one check request to Kafka.",
        epilog="Exit codes: 0 sent (with --wait: pass or warn), 1 fail, 2 wrong usage, 3 error.",
    )
    parser.add_argument("table", help='"schema.table"')
    parser.add_argument("--connection", help="the connection of the table (default: demo)")
    parser.add_argument("--id", help="8 to 128 of A-Z a-z 0-9 . _ : - (default: a new one)")
    parser.add_argument(
        "--scope",
        action="append",
        default=[],
        metavar="PREDICATE",
        help='only these rows: "time_hour>=2013-12-31", "origin in JFK,LGA", "month between 1,3", '
        '"tailnum is_null"; may be repeated, all must hold',
    )
    parser.add_argument(
        "--select",
        action="append",
        default=[],
        metavar="WHAT=VALUES",
        help="only these rules: rules=a,b, tags=x, dimensions=validity, kind=business",
    )
    parser.add_argument("--requested-by", help="who asks")
    parser.add_argument("--deadline-ms", type=int, help="in how long there is to be a verdict")
    parser.add_argument("--cloudevents", choices=("structured", "binary"), help="as a CloudEvent")
    parser.add_argument(
        "--wait",
        nargs="?",
        type=float,
        const=60.0,
        metavar="SECONDS",
        help="wait for the verdict (60 seconds unless told otherwise) and print it",
    )
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


if __name__ == "__main__":
    sys.exit(main())
