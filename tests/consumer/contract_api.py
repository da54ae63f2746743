"""A server that speaks the API's contract for workers, with faults to order. In memory."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from quality.rules import RuleSet

RULE_SET = {
    "connection": "demo",
    "table": "shop.orders",
    "rules": [{"name": "id_known", "type": "not_null", "column": "id"}],
}

Answer = tuple[int, Any, dict[str, str]]


class ContractApi:
    """Leases last until they are given back, or until `expire`. `faults` answer before it does."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.faults: list[Answer] = []
        self.refuse: Callable[[str, Any], Answer | None] = lambda path, body: None
        self.requests: dict[str, dict[str, Any]] = {}
        self.results: dict[str, list[dict[str, Any]]] = {}
        self.partial: dict[str, list[dict[str, Any]]] = {}
        self.rule_sets: dict[str, dict[str, Any]] = {}
        self.resolve: Callable[[list[Any]], list[Any]] = lambda scope: scope
        self.lease_s = 180.0
        self.time_limit_s: float | None = 120.0
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def bodies(self, path: str) -> list[Any]:
        return [body for called, body in self.calls if called == path]

    def answer(self, path: str, body: Any) -> Answer:
        with self._lock:
            self.calls.append((path, body))
            if self.faults:
                return self.faults.pop(0)
            refused = self.refuse(path, body)
            if refused is not None:
                return refused
            if path == "/claims":
                claims = [self._claim(item) for item in body["requests"]]
                hashes = {claim["rule_set_hash"] for claim in claims if "rule_set_hash" in claim}
                unknown = hashes - set(body.get("known_rule_sets", []))
                sets = {key: self.rule_sets[key] for key in unknown}
                return 200, {"claims": claims, "rule_sets": sets}, {}
            if path == "/claims/renew":
                renewed = [item["id"] for item in body["claims"] if self._is_held(item)]
                return 200, {"renewed": renewed, "lease_s": self.lease_s}, {}
            if path == "/claims/release":
                released = sum(self._release(item) for item in body["claims"])
                return 200, {"released": released}, {}
            if path == "/outcomes":
                return 200, {"outcomes": [self._store(item) for item in body["outcomes"]]}, {}
            return 404, {"code": "not_found", "detail": "no such path"}, {}

    def _claim(self, item: dict[str, Any]) -> dict[str, Any]:
        stored = self.requests.setdefault(
            item["id"], {"request": item["request"], "state": "received", "fence": 0}
        )
        if item["request"]["table"] == "no.where":
            del self.requests[item["id"]]
            return _rejected(item, "table_not_configured")
        if stored["request"] != item["request"]:
            return _rejected(item, "idempotency_key_reused")
        if stored["state"] == "finished":
            return {"id": item["id"], "outcome": "done", "status": "pass"}
        if stored["state"] == "running":
            return {"id": item["id"], "outcome": "busy", "retry_after_s": 0.05}
        stored["state"] = "running"
        stored["fence"] += 1
        rule_set = {**RULE_SET, "table": item["request"]["table"]}
        key = hashlib.sha256(json.dumps(rule_set).encode()).hexdigest()
        self.rule_sets[key] = rule_set
        if self._is_answered(item, rule_set):
            stored["state"] = "finished"
            self.results.setdefault(item["id"], []).append(item["ahead"]["outcome"])
            return {"id": item["id"], "outcome": "stored"}
        return {
            "id": item["id"],
            "outcome": "claimed",
            "fence": stored["fence"],
            "lease_s": self.lease_s,
            "time_limit_s": None if item["id"] in self.partial else self.time_limit_s,
            "rule_set_hash": key,
            "scope": self.resolve(item["request"].get("scope", [])),
            "budget": item["request"].get("budget", {}),
        }

    def _is_answered(self, item: dict[str, Any], rule_set: dict[str, Any]) -> bool:
        """Whether what was run ahead of the claim is what this asks for."""
        ahead, asked = item.get("ahead"), item["request"]
        limit_ms = None if self.time_limit_s is None else self.time_limit_s * 1000
        return (
            ahead is not None
            and ahead["outcome"]["rule_set_hash"] == RuleSet.from_document(rule_set).hash
            and ahead["budget"] == asked.get("budget", {})
            and limit_ms == asked.get("deadline_ms")
            and self.resolve(asked.get("scope", [])) == asked.get("scope", [])
            and item["id"] not in self.partial
        )

    def _is_held(self, item: dict[str, Any]) -> bool:
        stored = self.requests[item["id"]]
        return stored["state"] == "running" and stored["fence"] == item["fence"]

    def _release(self, item: dict[str, Any]) -> bool:
        if not self._is_held(item):
            return False
        self.requests[item["id"]]["state"] = "received"
        return True

    def _store(self, item: dict[str, Any]) -> dict[str, Any]:
        stored = self.requests.get(item["id"])
        if stored is None:
            return {"id": item["id"], "result": "unknown"}
        if stored["state"] == "finished":
            return {"id": item["id"], "result": "replayed"}
        if stored["fence"] != item["fence"]:
            return {"id": item["id"], "result": "stale_fence"}
        if item.get("is_partial"):
            if item["id"] in self.partial:
                return {"id": item["id"], "result": "replayed"}
            self.partial.setdefault(item["id"], []).append(item["outcome"])
            return {"id": item["id"], "result": "stored"}
        stored["state"] = "finished"
        self.results.setdefault(item["id"], []).append(item["outcome"])
        return {"id": item["id"], "result": "stored"}


def problem(status: int, code: str, **headers: str) -> Answer:
    """An RFC 9457 answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"status": status, "code": code, "detail": f"made to fail: {code}"}, named


def _rejected(item: dict[str, Any], code: str) -> dict[str, Any]:
    return {"id": item["id"], "outcome": "rejected", "code": code, "message": "for the test"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    api: ContractApi

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, document, headers = self.api.answer(self.path.removeprefix("/api/v1"), body)
        raw = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(raw))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def do_GET(self) -> None:
        raw = b'{"items": [], "next_cursor": null}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        pass
