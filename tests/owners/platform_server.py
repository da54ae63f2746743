"""A server that speaks the part of GitLab's REST API that owners need, as it is documented.

https://docs.gitlab.com/api/rest/ (paging, status codes), /api/groups/, /api/pipeline_schedules/,
/api/users/. Pages of projects have links only, as beyond 10,000 items: no X-Total.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

TOKEN = "glpat-a-token-of-the-platform"
ME = {"id": 99, "username": "taker", "name": "Taker", "state": "active"}
ANNA = {"id": 17, "username": "anna", "name": "Anna", "state": "active"}
BOB = {"id": 18, "username": "bob", "name": "Bob", "state": "active"}
GROUPS = {1: "data", 2: "data/etl", 3: "data/etl/raw"}


@dataclass
class Fault:
    """What happens instead of the answer: to the first `times` requests of a path (-1: to all)."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    times: int = -1
    delay_s: float = 0.0


@dataclass
class PlatformServer:
    """45 projects over three levels of groups, one of them archived and one shared beside them."""

    projects: dict[int, dict[str, Any]] = field(default_factory=dict)
    schedules: dict[int, dict[int, dict[str, Any]]] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    blocked: list[int] = field(default_factory=list)
    refuses_own: bool = False
    has_totals: bool = True
    next_host: str = ""
    url: str = ""

    @property
    def writes(self) -> list[str]:
        return [f"{method} {path}" for method, path, _ in self.requests if method != "GET"]

    def add_project(self, number: int, group: int, **more: Any) -> None:
        self.projects[number] = {
            "id": number,
            "path_with_namespace": f"{GROUPS[group]}/p{number}",
            "archived": False,
            "group": group,
            **more,
        }
        self.schedules[number] = {}

    def add_schedule(self, project: int, number: int, owner: Any, active: bool = True) -> None:
        self.schedules[project][number] = {
            "id": number,
            "description": f"nightly {number}",
            "ref": "main",
            "cron": "0 1 * * *",
            "cron_timezone": "UTC",
            "next_run_at": "2026-12-01T01:00:00.000Z",
            "active": active,
            "created_at": "2026-01-01T00:00:00.000Z",
            "updated_at": "2026-01-01T00:00:00.000Z",
            "owner": owner,
        }


def populated() -> PlatformServer:
    server = PlatformServer()
    for number in range(1, 46):
        server.add_project(number, 1 + (number - 1) // 15)
        server.add_schedule(number, number * 10, ANNA if number % 3 else BOB, number % 2 == 0)
    for number in range(1001, 1041):
        server.add_schedule(7, number, BOB)
    server.add_schedule(9, 2000, None)
    server.add_project(46, 2, archived=True)
    server.add_schedule(46, 460, ANNA)
    server.add_project(47, 2, shared=True)
    server.add_schedule(47, 470, ANNA)
    return server


def serve(found: PlatformServer) -> ThreadingHTTPServer:
    """Serve on a free port of this machine, until `shutdown`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            path = parts.path.removeprefix("/api/v4")
            found.requests.append((self.command, path, dict(self.headers)))
            fault = found.faults.get(f"{self.command} {path}")
            if fault is not None and fault.times != 0:
                fault.times -= 1
                time.sleep(fault.delay_s)
                self._answer(fault.status, {"message": f"{fault.status} fault"}, fault.headers)
                return
            if self.headers.get("PRIVATE-TOKEN") != TOKEN:
                self._answer(401, {"message": "401 Unauthorized"})
                return
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            self._route(path.strip("/").split("/"), query, json.loads(body) if body else {})

        do_GET = do_POST = do_PUT = _handle

        def _route(self, path: list[str], query: dict[str, str], body: dict[str, Any]) -> None:
            match [self.command, *path]:
                case ["GET", "user"]:
                    self._answer(200, ME)
                case ["GET", "groups", group, "projects"]:
                    self._projects(unquote(group), query)
                case ["GET", "projects", name]:
                    one = [
                        project
                        for project in found.projects.values()
                        if unquote(name) in (str(project["id"]), project["path_with_namespace"])
                    ]
                    self._answer(*((200, one[0]) if one else (404, _NO_PROJECT)))
                case ["GET", "projects", project, "pipeline_schedules"]:
                    items = list(found.schedules[int(project)].values())
                    totals = {"X-Total": str(len(items))} if found.has_totals else {}
                    self._page(items, query, totals)
                case [_, "projects", project, "pipeline_schedules", schedule, *rest]:
                    self._schedule(found.schedules[int(project)].get(int(schedule)), rest, body)
                case ["POST", "users", user, "block"]:
                    found.blocked.append(int(user))
                    self._answer(201, True)
                case _:
                    self._answer(404, {"error": "404 Not Found"})

        def _schedule(
            self, item: dict[str, Any] | None, rest: list[str], body: dict[str, Any]
        ) -> None:
            if item is None:
                self._answer(404, {"message": "404 Pipeline Schedule Not Found"})
            elif rest == ["take_ownership"]:
                if found.refuses_own and item["owner"] and item["owner"]["id"] == ME["id"]:
                    self._answer(403, {"message": "403 Forbidden"})
                    return
                item |= {"owner": ME, "active": False}
                self._answer(201, item)
            elif self.command == "PUT":
                item |= body
                self._answer(200, item)
            else:
                self._answer(200, item)

        def _projects(self, group: str, query: dict[str, str]) -> None:
            top = [path for number, path in GROUPS.items() if group in (str(number), path)]
            if not top:
                self._answer(404, {"message": "404 Group Not Found"})
                return
            deep = query.get("include_subgroups") == "True"
            items = [
                project
                for project in found.projects.values()
                if (path := GROUPS[project["group"]]) == top[0]
                or (deep and path.startswith(f"{top[0]}/"))
            ]
            if query.get("with_shared", "True") == "False":
                items = [item for item in items if not item.get("shared")]
            if "archived" in query:
                wanted = query["archived"] == "True"
                items = [item for item in items if item["archived"] == wanted]
            self._page(items, query, {}, keyset=True)

        def _page(
            self,
            items: list[dict[str, Any]],
            query: dict[str, str],
            headers: dict[str, str],
            *,
            keyset: bool = False,
        ) -> None:
            size = int(query.get("per_page", 20))
            if keyset:
                items = [item for item in items if item["id"] > int(query.get("id_after", 0))]
                page, more = items[:size], len(items) > size
                on = {**query, "id_after": str(page[-1]["id"])} if more else {}
            else:
                number = int(query.get("page", 1))
                page, more = items[(number - 1) * size : number * size], len(items) > number * size
                on = {**query, "page": str(number + 1)} if more else {}
            if more:
                base = found.next_host or f"http://{self.headers['Host']}"
                path = urlsplit(self.path).path
                headers = {**headers, "Link": f'<{base}{path}?{urlencode(on)}>; rel="next"'}
            self._answer(200, page, headers)

        def _answer(
            self, status: int, document: Any, headers: dict[str, str] | None = None
        ) -> None:
            raw = json.dumps(document).encode()
            try:
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)
            except OSError:  # who asked has gone
                self.close_connection = True

        def log_message(self, *_words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


_NO_PROJECT = {"message": "404 Project Not Found"}
