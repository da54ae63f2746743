"""The HTTP client of our own API: for the consumer, the demo and scripts.

One request is one attempt; who calls decides whether and when to try again, by the class of error.
"""

from __future__ import annotations

from typing import Any

import requests

from quality.errors import Conflict, Fault, InvalidInput, NotFound, StringXError, Unavailable
from quality.settings import ClientSettings


class Unauthorized(StringXError):
    """The API wants another token (401) or a token with more rights (403)."""

    code = "unauthenticated"


class ApiClient:
    """`get`, `post`, `put`, `patch` and `delete` below `/api/v1`; each returns the JSON answer.

    Raises Unavailable (no connection, time-out, 408, 429, 5xx), NotFound, Conflict, Unauthorized,
    or InvalidInput with the faults that the API named. Not safe to share between threads.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self._base = settings.api_url.rstrip("/") + "/api/v1"
        self._timeout = settings.api_timeout_s
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy or .netrc must not get our token
        if settings.api_token is not None:
            self._session.headers["Authorization"] = (
                f"Bearer {settings.api_token.get_secret_value()}"
            )

    def get(self, path: str, params: dict[str, Any] | None = None) -> Any:
        return self._call("GET", path, params=params)

    def post(self, path: str, json: Any) -> Any:
        return self._call("POST", path, json=json)

    def put(self, path: str, json: Any) -> Any:
        return self._call("PUT", path, json=json)

    def patch(self, path: str, json: Any) -> Any:
        return self._call("PATCH", path, json=json)

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path)

    def close(self) -> None:
        self._session.close()

    def _call(self, method: str, path: str, **kwargs: Any) -> Any:
        try:
            answer = self._session.request(
                method, self._base + path, timeout=self._timeout, allow_redirects=False, **kwargs
            )
        except requests.RequestException as error:
            raise Unavailable(
                f"the API at {self._base} does not answer ({type(error).__name__})",
                code="api_unreachable",
            ) from None
        if answer.ok:
            return _json(answer) if answer.content else None
        raise _error(answer)


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise Unavailable("the API's answer is no JSON", code="api_unreachable") from None


def _error(answer: requests.Response) -> StringXError:
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    problem = problem if isinstance(problem, dict) else {}
    message = str(problem.get("detail") or f"the API answered {answer.status_code}")
    code = str(problem.get("code") or f"http_{answer.status_code}")
    if answer.status_code in (408, 429) or answer.status_code >= 500:
        seconds = answer.headers.get("Retry-After", "")
        wait = min(float(seconds), 300.0) if seconds.isdigit() else 5.0
        return Unavailable(message, code=code, retry_after_s=wait)
    if answer.status_code in (401, 403):
        return Unauthorized(message, code=code)
    if answer.status_code == 404:
        return NotFound(message, code=code)
    if answer.status_code == 409:
        return Conflict(message, code=code)
    faults = [
        Fault(str(item.get("path", "")), str(item.get("code", "")), str(item.get("message", "")))
        for item in problem.get("errors") or []
        if isinstance(item, dict)
    ]
    return InvalidInput(message, code=code, faults=faults)
