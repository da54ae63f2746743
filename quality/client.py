"""The HTTP client of our own API: for the consumer, the demo and scripts.

One request is one attempt; who calls decides whether and when to try again, by the class of error.
"""

from __future__ import annotations

import json as json_
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from quality.errors import (
    ConfigurationError,
    Conflict,
    Fault,
    InvalidInput,
    NotFound,
    StringXError,
    Unavailable,
)
from quality.settings import ClientSettings


class Unauthorized(StringXError):
    """The API wants another token (401) or a token with more rights (403)."""

    code = "unauthenticated"


class ApiClient:
    """`get`, `post`, `put`, `patch` and `delete` below `/api/v1`; each returns the JSON answer.

    Raises Unavailable (no connection, time-out, 408, 429, 5xx), NotFound, Conflict, Unauthorized,
    or InvalidInput with the faults that the API named. A body given as bytes is sent as it is.
    Connections are kept; no proxy of the environment gets our token. Not safe to share between
    threads.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self._base = settings.api_url.rstrip("/") + "/api/v1"
        # The pool of one host: urllib3 finds it anew for each request otherwise, which takes as
        # long as sending that.
        limit_s = settings.api_timeout_s
        try:
            self._path = urlsplit(self._base).path
            self._pool = urllib3.connection_from_url(
                settings.api_url, timeout=urllib3.Timeout(connect=limit_s, read=limit_s)
            )
        except (HTTPError, ValueError):
            raise ConfigurationError(
                f"STRINGX_API_URL: {settings.api_url} is no address of a service"
            ) from None
        self._headers = {"Accept": "application/json"}
        self._token_file = settings.api_token_file
        if self._token_file is not None:
            try:
                self._read_token(self._token_file)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "is no text"
                raise ConfigurationError(
                    f"STRINGX_API_TOKEN_FILE: {self._token_file} cannot be read ({reason})"
                ) from None
        elif settings.api_token is not None:
            token = settings.api_token.get_secret_value()
            self._headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, params: dict[str, Any] | None = None) -> Any:
        return self._call("GET", f"{path}?{urlencode(params, doseq=True)}" if params else path)

    def post(self, path: str, json: Any) -> Any:
        return self._call("POST", path, json)

    def put(self, path: str, json: Any) -> Any:
        return self._call("PUT", path, json)

    def patch(self, path: str, json: Any) -> Any:
        return self._call("PATCH", path, json)

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path)

    def close(self) -> None:
        self._pool.close()

    def _call(self, method: str, path: str, json: Any = None) -> Any:
        body = json if json is None or isinstance(json, bytes) else _encoded(json)
        answer = self._request(method, path, body)
        if answer.status == 401 and self._has_new_token():
            answer = self._request(method, path, body)
        if 200 <= answer.status < 300:
            return _json(answer) if answer.data else None
        raise _error(answer)

    def _request(self, method: str, path: str, body: bytes | None) -> urllib3.BaseHTTPResponse:
        headers = self._headers
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
        try:
            return self._pool.urlopen(
                method,
                self._path + path,
                body=body,
                headers=headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
            )
        except (HTTPError, OSError) as error:
            raise Unavailable(
                f"the API at {self._base} does not answer ({type(error).__name__})",
                code="api_unreachable",
            ) from None

    def _has_new_token(self) -> bool:
        """Whether there is a token file, and another token in it by now."""
        before = self._headers.get("Authorization")
        if self._token_file is None:
            return False
        try:
            self._read_token(self._token_file)
        except (OSError, ValueError):  # in the middle of being replaced
            return False
        return self._headers.get("Authorization") != before

    def _read_token(self, file: Path) -> None:
        self._headers["Authorization"] = f"Bearer {file.read_text('ascii').strip()}"


def _encoded(document: Any) -> bytes:
    try:
        return json_.dumps(document, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:
        raise InvalidInput(f"cannot be sent as JSON: {error}", code="json_number") from None


def _json(answer: urllib3.BaseHTTPResponse) -> Any:
    try:
        return json_.loads(answer.data)
    except ValueError:
        raise Unavailable("the API's answer is no JSON", code="api_unreachable") from None


def _error(answer: urllib3.BaseHTTPResponse) -> StringXError:
    try:
        problem = json_.loads(answer.data)
    except ValueError:
        problem = None
    problem = problem if isinstance(problem, dict) else {}
    message = str(problem.get("detail") or f"the API answered {answer.status}")
    code = str(problem.get("code") or f"http_{answer.status}")
    if answer.status in (408, 429) or answer.status >= 500:
        seconds = answer.headers.get("Retry-After", "")
        wait = min(float(seconds), 300.0) if seconds.isdigit() else 5.0
        return Unavailable(message, code=code, retry_after_s=wait)
    if answer.status in (401, 403):
        return Unauthorized(message, code=code)
    if answer.status == 404:
        return NotFound(message, code=code)
    if answer.status == 409:
        return Conflict(message, code=code)
    faults = [
        Fault(str(item.get("path", "")), str(item.get("code", "")), str(item.get("message", "")))
        for item in problem.get("errors") or []
        if isinstance(item, dict)
    ]
    return InvalidInput(message, code=code, faults=faults)
