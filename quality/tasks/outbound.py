"""Calls to other machines: only to hosts that the operator allowed, and never by a detour.

The address is checked and then connected to, so that a name cannot mean another machine a moment
later. There are no redirects, and no proxy of the environment is asked.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from quality.errors import InvalidInput, Unavailable
from quality.tasks.settings import TaskSettings

PORTS = (443, 8443)
MAX_BODY_BYTES = 256 * 1024
MAX_ANSWER_BYTES = 64 * 1024
_TRIED_AGAIN = {408, 425, 429}


class Refused(InvalidInput):
    """The call may not be made, or was refused for good."""

    code = "outbound_refused"


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL taken apart. The path and query are never shown: they may be the secret."""

    host: str
    port: int
    is_https: bool
    target: str
    is_private: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def destination(url: str, settings: TaskSettings) -> Destination:
    """Where a URL leads, if the operator allows it; Refused names the setting otherwise."""
    if not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        raise Refused("the URL has characters that do not belong into one")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("the URL cannot be read") from None
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in ("http", "https") or not host:
        raise Refused("the URL must be https://host/…")
    if parts.username is not None or parts.password is not None:
        raise Refused("the URL must not have a user or a password in it")
    is_https = parts.scheme == "https"
    port = port if port is not None else 443 if is_https else 80
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if f"{host}:{port}" in _hosts(settings.webhook_private_hosts):
        return Destination(host, port, is_https, target, is_private=True)
    allowed = _hosts(settings.webhook_hosts)
    if host not in allowed and f"{host}:{port}" not in allowed:
        raise Refused(f"{host}:{port} is not among STRINGX_WEBHOOK_HOSTS")
    if not is_https:
        raise Refused(f"{host} may be called by https only")
    if host in allowed and port not in PORTS:
        raise Refused(f"port {port} of {host} is not allowed; name {host}:{port} to allow it")
    return Destination(host, port, is_https, target)


def addresses(where: Destination) -> list[str]:
    """The addresses to connect to, in the order in which to try them: each must be of the public
    internet, unless the operator named the host as one of the own network."""
    try:
        found = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unavailable(f"{where.host} has no address", code="host_unknown") from None
    named = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for one in named:
        if not where.is_private and not _is_public(one):
            raise Refused(
                f"{where.host} has an address of an inner network; an operator can allow that by "
                f"STRINGX_WEBHOOK_PRIVATE_HOSTS"
            )
    return named


def signature(secret: bytes, at: int, body: bytes) -> str:
    """`t=<seconds since 1970>,v1=<HMAC-SHA256 in hex of "<t>." and the body>`."""
    digest = hmac.new(secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def post(
    where: Destination,
    body: bytes,
    headers: dict[str, str],
    *,
    timeout_s: float,
    secret: bytes | None = None,
) -> int:
    """Send once; answers the status. Raises Unavailable where trying again makes sense (no
    connection, 408, 429, 5xx), and Refused otherwise."""
    if len(body) > MAX_BODY_BYTES:
        raise Refused(f"the body has more than {MAX_BODY_BYTES} bytes")
    headers = {"Content-Type": "application/json", "User-Agent": "StringX", **headers}
    if secret is not None:
        headers["X-StringX-Signature"] = signature(secret, int(time.time()), body)
    connection = _connection(where, addresses(where), timeout_s)
    try:
        connection.request("POST", where.target, body, headers)
        answer = connection.getresponse()
        answer.read(MAX_ANSWER_BYTES)
        status: int = answer.status
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{where} does not answer ({type(error).__name__})") from None
    finally:
        connection.close()
    if 200 <= status < 300:
        return status
    if status in _TRIED_AGAIN or status >= 500:
        raise Unavailable(f"{where} answered {status}")
    if 300 <= status < 400:
        raise Refused(f"{where} answered {status}: redirects are not followed")
    raise Refused(f"{where} answered {status}")


class _Plain(http.client.HTTPConnection):
    def __init__(self, where: Destination, to: list[str], timeout: float) -> None:
        super().__init__(where.host, where.port, timeout=timeout)
        self._to = to

    def connect(self) -> None:
        for one in self._to:
            try:
                self.sock = socket.create_connection((one, self.port), self.timeout)
                return
            except OSError:
                if one == self._to[-1]:
                    raise


class _Secure(_Plain):
    default_port = 443

    def connect(self) -> None:
        super().connect()
        context = ssl.create_default_context()
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)


def _connection(where: Destination, to: list[str], timeout_s: float) -> Any:
    return (_Secure if where.is_https else _Plain)(where, to, timeout_s)


def _is_public(text: str) -> bool:
    found = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return found.is_global and not found.is_multicast and (mapped is None or mapped.is_global)


def _hosts(text: str) -> set[str]:
    return {part.strip().lower() for part in text.split(",") if part.strip()}
