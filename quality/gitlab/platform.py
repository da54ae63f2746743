"""GitLab's REST API (https://docs.gitlab.com/api/rest/), by python-gitlab.

Paging goes by the `next` links alone, which every kind of paging has; X-Total is not needed. No
request leaves for another host than the configured one, whatever a link or a redirect says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import gitlab
import requests

from quality.errors import InvalidInput, NotFound, StringXError, Unavailable
from quality.gitlab.settings import GitLabSettings

_LONGEST_REASON = 200


class Refused(StringXError):
    """The platform does not let this token do that (403)."""

    code = "forbidden"


class WrongToken(StringXError):
    """The platform does not know the token (401): nothing else will work either."""

    code = "unauthenticated"


@dataclass(frozen=True, slots=True)
class Project:
    id: int
    path: str


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    username: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """A pipeline schedule; `owner` is None where the platform names nobody."""

    project: Project
    id: int
    description: str
    cron: str
    ref: str
    active: bool
    next_run_at: str | None
    owner: Person | None


class Platform:
    """One platform, as the token's holder. Raises WrongToken, Refused, NotFound, Unavailable
    (after all retries) or InvalidInput; no message has the token in it."""

    def __init__(self, settings: GitLabSettings) -> None:
        self._token = settings.token.get_secret_value()
        self._page_size = settings.page_size
        self._more: dict[str, Any] = {"max_retries": settings.retries}
        self._session = _OwnHostOnly(settings)
        self._gitlab = gitlab.Gitlab(
            settings.url,
            private_token=self._token,
            timeout=settings.timeout_s,
            retry_transient_errors=True,
            session=self._session,
        )

    def close(self) -> None:
        self._session.close()

    def me(self) -> Person:
        """Who the token belongs to."""
        with self._translated("the token's user"):
            found = self._gitlab.http_get("/user", **self._more)
            return _person(found)

    def projects_of(
        self, group: str, *, with_shared: bool = False, with_archived: bool = False
    ) -> Iterator[Project]:
        """The projects of a group (id or path) and of all groups below it."""
        asked: dict[str, Any] = {"include_subgroups": True, "with_shared": with_shared}
        asked |= {"order_by": "id", "sort": "asc", "simple": False}
        if not with_archived:
            asked["archived"] = False
        for item in self._list(f"/groups/{_encoded(group)}/projects", f"group {group}", asked):
            if with_archived or not item.get("archived"):
                yield Project(int(item["id"]), str(item["path_with_namespace"]))

    def project(self, name: str) -> Project:
        """A project by its id or path."""
        with self._translated(f"project {name}"):
            item: Any = self._gitlab.http_get(f"/projects/{_encoded(name)}", **self._more)
            return Project(int(item["id"]), str(item["path_with_namespace"]))

    def schedules(self, project: Project) -> list[Schedule]:
        """All pipeline schedules of a project."""
        path = f"/projects/{project.id}/pipeline_schedules"
        return [_schedule(project, item) for item in self._list(path, f"project {project.path}")]

    def schedule(self, project: Project, schedule_id: int) -> Schedule:
        with self._translated(f"schedule {schedule_id}"):
            path = f"/projects/{project.id}/pipeline_schedules/{schedule_id}"
            return _schedule(project, self._gitlab.http_get(path, **self._more))

    def take(self, schedule: Schedule) -> Schedule:
        """Make the schedule the token's holder's; answers it as it is then."""
        path = f"/projects/{schedule.project.id}/pipeline_schedules/{schedule.id}/take_ownership"
        with self._translated(f"schedule {schedule.id}"):
            return _schedule(schedule.project, self._gitlab.http_post(path, **self._more))

    def activate(self, schedule: Schedule) -> Schedule:
        path = f"/projects/{schedule.project.id}/pipeline_schedules/{schedule.id}"
        with self._translated(f"schedule {schedule.id}"):
            answer = self._gitlab.http_put(path, post_data={"active": True}, **self._more)
            return _schedule(schedule.project, answer)

    def block(self, user_id: int) -> None:
        """Block a user; the token must be an administrator's."""
        with self._translated(f"user {user_id}"):
            self._gitlab.http_post(f"/users/{user_id}/block", **self._more)

    def _list(
        self, path: str, what: str, asked: dict[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        with self._translated(what):
            found = self._gitlab.http_list(
                path,
                query_data={"per_page": self._page_size, **(asked or {})},
                iterator=True,
                **self._more,
            )
            seen: set[int] = set()
            for item in found:
                if not isinstance(item, dict) or "id" not in item:
                    raise Unavailable(f"{what}: the answer is no list of objects")
                if item["id"] not in seen:  # a page may overlap the one before
                    seen.add(item["id"])
                    yield item

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """Their errors as ours."""
        try:
            yield
        except gitlab.GitlabAuthenticationError:
            raise WrongToken(
                "the platform does not accept the token of STRINGX_GITLAB_TOKEN (401)"
            ) from None
        except gitlab.GitlabParsingError:
            raise Unavailable(f"{what}: the answer is no JSON") from None
        except gitlab.GitlabError as error:
            status = error.response_code
            reason = f"{what}: {status} {self._shown(error.error_message)}".rstrip()
            if status == 403:
                raise Refused(reason) from None
            if status == 404:
                raise NotFound(reason) from None
            if status is None or status == 429 or status >= 500:
                raise Unavailable(reason) from None
            raise InvalidInput(reason) from None
        except requests.exceptions.RequestException as error:
            raise Unavailable(f"{what}: no answer ({type(error).__name__})") from None
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable(f"{what}: the answer lacks {self._shown(error)}") from None

    def _shown(self, message: object) -> str:
        text = message.decode(errors="replace") if isinstance(message, bytes) else str(message)
        text = " ".join(text.replace(self._token, "***").split())
        return "" if text.startswith("<") else text[:_LONGEST_REASON]


class ForeignHost(requests.exceptions.InvalidURL):
    """A link or redirect that leads elsewhere."""


class _OwnHostOnly(requests.Session):
    """Sends nothing to another host, and lets no answer make us wait without an end."""

    def __init__(self, settings: GitLabSettings) -> None:
        super().__init__()
        self._origin = _origin(settings.url)
        self._longest_wait_s = settings.longest_wait_s

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if _origin(request.url or "") != self._origin:
            raise ForeignHost("the platform named another host, which gets no token")
        response = super().send(request, **options)
        _bound_waits(response.headers, self._longest_wait_s, time.time)
        return response


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme.lower(), (parts.hostname or "").lower(), port


def _bound_waits(headers: Any, longest_s: float, now: Callable[[], float]) -> None:
    """Write Retry-After as whole seconds, at most `longest_s`; without it, RateLimit-Reset does.

    Retry-After is seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after.
    """
    asked = headers.pop("Retry-After", None)
    reset = headers.pop("RateLimit-Reset", None)
    wait: float | None = None
    try:
        if asked is not None and asked.strip().isdigit():
            wait = float(asked)
        elif asked is not None:
            wait = parsedate_to_datetime(asked).timestamp() - now()
        elif reset is not None:
            wait = float(reset) - now()
    except (ValueError, TypeError):
        wait = None
    if wait is not None:
        headers["Retry-After"] = str(int(max(0.0, min(wait, longest_s)) + 0.999))


def _encoded(name: str) -> str:
    return gitlab.utils.EncodedId(name)


def _person(item: Any) -> Person:
    return Person(int(item["id"]), str(item.get("username") or item.get("name") or item["id"]))


def _schedule(project: Project, item: Any) -> Schedule:
    owner = item.get("owner")
    return Schedule(
        project=project,
        id=int(item["id"]),
        description=str(item.get("description") or ""),
        cron=str(item.get("cron") or ""),
        ref=str(item.get("ref") or ""),
        active=bool(item.get("active")),
        next_run_at=item.get("next_run_at"),
        owner=_person(owner) if owner else None,
    )
