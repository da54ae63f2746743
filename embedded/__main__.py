"""`python -m embedded [run|demo]`: the whole service on one machine, with its demo."""

import signal
import sys
from types import FrameType

import psycopg
from psycopg.conninfo import make_conninfo
from rich.console import Console

from embedded.demo import checks as demo
from embedded.demo import report
from embedded.demo.load import load
from embedded.errors import EmbeddedError
from embedded.roles import TARGET_DATABASE, grant_reading
from embedded.settings import EmbeddedSettings, target_password
from embedded.supervisor import STOP_SIGNALS, Supervisor
from quality.client import ApiClient
from quality.errors import ConfigurationError
from quality.settings import ClientSettings, KafkaSettings
from quality.settings import load as load_settings

_console = Console(highlight=False, soft_wrap=True)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)


class _Stopped(BaseException):
    """Somebody wants us to stop. No Exception: nothing on the way may take it for a fault."""


def main(arguments: list[str]) -> int:
    """Run a command; answers the exit code."""
    command = arguments[0] if arguments else "run"
    if command not in ("run", "demo") or len(arguments) > 1:
        _errors.print("stringx: usage: python -m embedded [run|demo]", markup=False)
        return 2
    for number in STOP_SIGNALS:
        signal.signal(number, _stop)
    try:
        settings = load_settings(EmbeddedSettings)
        with Supervisor(settings, _say) as supervisor:
            try:
                return _serve(supervisor, only_demo=command == "demo")
            except _Stopped:
                _say("stopping")
                return 130 if command == "demo" else 0
    except (EmbeddedError, ConfigurationError) as error:
        _errors.print(f"stringx: {error}", markup=False)
        if isinstance(error, EmbeddedError) and error.log:
            _errors.print(error.log, markup=False)
        return 1
    except _Stopped:
        return 130


def _serve(supervisor: Supervisor, *, only_demo: bool) -> int:
    settings = supervisor.settings
    with_demo = only_demo or (
        supervisor.postgres is not None if settings.demo is None else settings.demo
    )
    if with_demo:
        _load_demo(supervisor)
    supervisor.start_service()
    _say(f"logs in {supervisor.logs}")
    exit_code = 0
    if with_demo:
        exit_code = _show_demo(supervisor, only_demo=only_demo)
    if only_demo:
        return exit_code
    _show_where_to_look(supervisor)
    supervisor.watch()
    return 0


def _load_demo(supervisor: Supervisor) -> None:
    if supervisor.postgres is not None:
        load(supervisor.postgres.url(TARGET_DATABASE), _say, grant_reading)
        return
    settings = supervisor.settings
    url = make_conninfo(
        host=settings.target_host,
        port=settings.target_port,
        user=settings.target_user,
        password=target_password(supervisor.variables),
        dbname=settings.target_dbname,
    )
    load(url, _say, _keep_grants)


def _keep_grants(_connection: psycopg.Connection) -> None:
    """In a database of one's own the user who loads is the user who reads."""


def _show_demo(supervisor: Supervisor, *, only_demo: bool) -> int:
    client = ApiClient(
        load_settings(ClientSettings).model_copy(update={"api_url": supervisor.api_url})
    )
    servers = supervisor.variables["STRINGX_KAFKA_BOOTSTRAP_SERVERS"]
    kafka = load_settings(KafkaSettings).model_copy(update={"bootstrap_servers": servers})
    try:
        demo.configure(client, restore=only_demo)
        ids = demo.request(kafka)
        _say(f"sent {len(ids)} check requests to the topic {kafka.request_topic}")
        verdicts = demo.await_verdicts(
            client,
            ids,
            supervisor.settings.demo_timeout_seconds,
            lambda check: _say(f"{check['table']}: {check['status']}"),
            supervisor.require_alive,
        )
    finally:
        client.close()
    _console.print()
    _console.print(report.verdicts(verdicts))
    if found := report.findings(verdicts):
        _console.print("\nFound in these data:")
        for line in found:
            _console.print(f"  • {line}", markup=False)
    if not only_demo:
        return 0
    wrong = report.differences(verdicts)
    _console.print()
    for line in wrong:
        _console.print(f"differs: {line}", markup=False)
    _say("these are not the known verdicts" if wrong else "exactly the known verdicts")
    return 1 if wrong else 0


def _show_where_to_look(supervisor: Supervisor) -> None:
    api, consumer = supervisor.api_url, supervisor.consumer_url
    servers = supervisor.variables["STRINGX_KAFKA_BOOTSTRAP_SERVERS"]
    topic = supervisor.settings.kafka_request_topic
    body = '{"connection": "demo", "table": "flights.flights"}'
    sync = body.replace("}", ', "mode": "sync"}')
    curl = f"curl -s {api}/api/v1/checks -H 'content-type: application/json' -d '{sync}'"
    for line in (
        "",
        "Where to look next:",
        f"  API and its documentation  {api}/docs",
        f"  metrics                    {api}/metrics  {consumer}/metrics",
        f"  dbt documentation          {consumer}/",
        f"  a check by Kafka           echo '{body}' | kcat -P -b {servers} -t {topic}",
        f"  a check by HTTP            {curl}",
        "Ctrl-C stops everything.",
    ):
        _console.print(line, markup=False)


def _say(line: str) -> None:
    _console.print(f"stringx: {line}", markup=False)


def _stop(number: int, _frame: FrameType | None) -> None:
    raise _Stopped(number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
