"""Calls of the API that wait for it instead of failing: nothing is lost while it is away."""

from __future__ import annotations

import threading
import time
from typing import Any

from consumer.backoff import Backoff
from consumer.health import Health
from consumer.metrics import Metrics
from quality.client import ApiClient, Unauthorized
from quality.errors import Conflict, InvalidInput, NotFound, Unavailable
from quality.logs import get_logger

SAY_EVERY_S = 30.0
"""A wait is logged when it begins, and again after each such time."""

log = get_logger(__name__)


class Stopping(Exception):
    """The process is to end: leave off, what is in hand is given back."""


class PatientApi:
    """`post` with retries; for one thread. Only what sending again cannot mend is raised."""

    def __init__(
        self,
        client: ApiClient,
        *,
        retry_max_s: float,
        stop: threading.Event,
        metrics: Metrics,
        health: Health,
    ) -> None:
        self._client = client
        self._retry_max_s = retry_max_s
        self._stop = stop
        self._metrics = metrics
        self._health = health

    def post(self, path: str, json: Any, *, at_first: Any = None) -> Any:
        """The API's answer, however long it takes to come; `at_first` is sent once, in place of
        `json`, and is not insisted on.

        Waits with full jitter, and as long as the API asks, while it is away (Unavailable), refuses
        the token (Unauthorized) or does not know the path (NotFound: it is another version, or the
        address is another service's). Raises InvalidInput or Conflict as they come, and Stopping
        when the process ends meanwhile.
        """
        backoff = Backoff(self._retry_max_s)
        said = 0.0
        body = json if at_first is None else at_first
        while True:
            try:
                answer = self._client.post(path, body)
            except (InvalidInput, Conflict) as error:
                if body is json:
                    raise
                log.info("asked_without_more", path=path, code=error.code, error=str(error))
                body = json
            except (Unavailable, Unauthorized, NotFound) as error:
                body = json
                self._health.api_failed(str(error))
                if time.monotonic() - said >= SAY_EVERY_S:
                    said = time.monotonic()
                    log.warning("waiting_for_api", path=path, code=error.code, error=str(error))
                asked = (
                    error.retry_after_s
                    if isinstance(error, Unavailable) and error.code != "api_unreachable"
                    else 0.0
                )
                if self._stop.wait(backoff.next(asked)):
                    raise Stopping from None
                self._metrics.api_retries.inc()
            else:
                self._health.api_answered()
                if backoff.failures:
                    log.info("api_is_back", path=path, failures=backoff.failures)
                return answer
