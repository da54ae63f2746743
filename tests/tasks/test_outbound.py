"""Webhooks and notifications: allowed hosts only, signed, no detours (T9)."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket

import pytest

from quality.tasks import outbound
from quality.tasks.outbound import Refused
from quality.tasks.settings import TaskSettings
from tests.tasks.conftest import Listener, Tasks

SECRET = b"a-secret-of-sixteen-and-more"


def hook(url: str, options: str = "", body: str = "{a: 1}") -> str:
    return f'tasks = [{{name: webhook, args: {{url: "{url}", body: {body}}}{options}}}]'


def test_a_webhook_is_signed_over_time_and_body(tasks: Tasks, listener: Listener) -> None:
    ended = tasks(hook(listener.url, body="{table: shop.orders, failing: 3}"))
    assert ended.code == 0, ended.err
    [(path, headers, body)] = listener.got
    assert path == "/hook?key=very-secret-path"
    assert json.loads(body) == {"table": "shop.orders", "failing": 3}
    parts = dict(part.split("=") for part in headers["X-StringX-Signature"].split(","))
    signed = f"{parts['t']}.".encode() + body
    assert hmac.compare_digest(parts["v1"], hmac.new(SECRET, signed, hashlib.sha256).hexdigest())
    assert headers["X-StringX-Delivery"] == f"{ended.record['id']}.0"


def test_each_attempt_is_the_same_delivery(tasks: Tasks, listener: Listener) -> None:
    listener.answers = [(503, {}), (429, {}), (200, {})]
    ended = tasks(hook(listener.url, ", retries: 5"))
    assert (ended.code, ended.tasks[0]["attempts"]) == (0, 3)
    assert len({headers["X-StringX-Delivery"] for _, headers, _ in listener.got}) == 1


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_refusal_is_not_tried_again(tasks: Tasks, listener: Listener, status: int) -> None:
    listener.answers = [(status, {})]
    ended = tasks(hook(listener.url, ", retries: 5"))
    assert (ended.code, ended.tasks[0]["attempts"]) == (1, 1)
    assert ended.tasks[0]["error"] == f"{listener.host} answered {status}"


def test_redirects_are_not_followed(tasks: Tasks, listener: Listener) -> None:
    listener.answers = [(302, {"Location": listener.url})]
    ended = tasks(hook(listener.url))
    assert ended.code == 1
    assert "redirects are not followed" in ended.tasks[0]["error"]
    assert len(listener.got) == 1


def test_no_proxy_of_the_environment_is_asked(
    tasks: Tasks, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert tasks(hook(listener.url)).code == 0


def test_without_a_secret_nothing_is_sent(
    tasks: Tasks, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STRINGX_WEBHOOK_SECRET")
    ended = tasks(hook(listener.url))
    assert ended.code == 1
    assert "STRINGX_WEBHOOK_SECRET is not set" in ended.tasks[0]["error"]
    assert listener.got == []


def test_another_host_is_refused_and_the_url_never_shown(
    tasks: Tasks, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRINGX_WEBHOOK_PRIVATE_HOSTS", "hooks.example.org:80")
    ended = tasks(hook(listener.url))
    assert ended.code == 1
    assert f"{listener.host} is not among STRINGX_WEBHOOK_HOSTS" in ended.tasks[0]["error"]
    assert "very-secret-path" not in ended.out + ended.err
    assert listener.got == []


ALLOWED = TaskSettings(
    webhook_hosts="hooks.example.org, localhost, 127.0.0.1, 0.0.0.0, ::1, 169.254.169.254, "
    "127.1, 0x7f000001, 2130706433, 017700000001, ::ffff:127.0.0.1, 10.0.0.1, 100.64.0.1, "
    "fd00::1, fe80::1, 224.0.0.1, 2002:7f00:1::"
)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/x",
        "ftp://hooks.example.org/x",
        "file:///etc/passwd",
        "https://hooks.example.org:22/",
        "https://user@hooks.example.org/",
        "https://user:word@hooks.example.org/",
        "https://hooks.example.org@evil.example/",
        "https://evil.example/?hooks.example.org",
        "https://hooks.example.org.evil.example/",
        "https://hooks.example.org\r\nX: y/",
        "https://hooks.example.org/a b",
        "https://hooks。example。org/",
        "https://hooks.example.org:99999/",
        "https://[::1/",
        "https:///x",
        "https://",
        "hooks.example.org/x",
        "",
        "https://127.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://017700000001/",
        "https://127.0.0.1/",
        "https://0.0.0.0/",
        "https://localhost/",
        "https://localhost./",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "https://100.64.0.1/",
        "https://[fd00::1]/",
        "https://[fe80::1]/",
        "https://224.0.0.1/",
        "https://[2002:7f00:1::]/",
    ],
)
def test_no_spelling_leads_to_an_inner_network(url: str) -> None:
    """Not even where the operator allowed the host, unless as one of the own network."""
    with pytest.raises(Refused):
        outbound.addresses(outbound.destination(url, ALLOWED))


def test_each_address_of_a_name_must_be_public(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolved(*_words: object, **_options: object) -> list[object]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 443))
            for one in ("93.184.215.14", "127.0.0.1")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    where = outbound.destination("https://hooks.example.org/x", ALLOWED)
    with pytest.raises(Refused, match="an address of an inner network"):
        outbound.addresses(where)


def test_a_name_is_resolved_once_and_that_address_is_called(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that means another machine a moment later gets nothing."""
    answers = [("127.0.0.1", listener.port), ("203.0.113.9", 9)]

    def resolved(*_words: object, **_options: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", answers.pop(0))]

    settings = TaskSettings(webhook_private_hosts=f"moving.example:{listener.port}")
    where = outbound.destination(f"http://moving.example:{listener.port}/x", settings)
    monkeypatch.setattr(outbound.socket, "getaddrinfo", resolved)
    real = socket.create_connection
    called: list[str] = []

    def connected(address: tuple[str, int], timeout: float) -> socket.socket:
        called.append(address[0])
        monkeypatch.undo()
        return real(address, timeout)

    monkeypatch.setattr(outbound.socket, "create_connection", connected)
    assert outbound.post(where, b"{}", {}, timeout_s=5) == 200
    assert called == ["127.0.0.1"]
    assert listener.got[0][1]["Host"] == f"moving.example:{listener.port}"


def test_a_notification_is_what_slack_takes_and_mentions_nobody(
    tasks: Tasks, listener: Listener
) -> None:
    ended = tasks(
        f'tasks = [{{name: notify, args: {{url: "{listener.url}", '
        'text: "<!channel> a & b", channel: "#data"}}]'
    )
    assert ended.code == 0, ended.err
    assert json.loads(listener.got[0][2]) == {
        "text": "&lt;!channel&gt; a &amp; b",
        "channel": "#data",
    }


def test_a_server_that_never_answers_is_given_up(
    tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("STRINGX_WEBHOOK_PRIVATE_HOSTS", host)
        monkeypatch.setenv("STRINGX_WEBHOOK_SECRET", SECRET.decode())
        monkeypatch.setenv("STRINGX_WEBHOOK_TIMEOUT_S", "0.2")
        ended = tasks(hook(f"http://{host}/"))
    assert ended.tasks[0]["error"] == f"{host} does not answer (TimeoutError)"
