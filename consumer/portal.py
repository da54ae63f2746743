"""The dbt documentation of all configured tables, made anew when their rules have changed."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from pydantic import ValidationError

from consumer.backoff import Backoff
from quality.client import ApiClient
from quality.errors import StringXError
from quality.logs import get_logger
from quality.names import TableName
from quality.rules import Rule, RuleSet

log = get_logger(__name__)

PAGE = 500
_RULE_FIELDS = set(Rule.model_fields)


class DocumentationEngine(Protocol):
    """What of `quality.engine` is used here: one of its own, so that checks are not held up."""

    def generate_docs(self, rule_sets: list[RuleSet], output_dir: Path) -> Any: ...

    def close(self) -> None: ...


SETTLE_S = 10.0
"""How long the rule sets must stay as they are before they are documented."""


class Portal:
    """A folder of documentation and the thread that keeps it new."""

    def __init__(
        self,
        folder: Path,
        *,
        make_api: Callable[[], ApiClient],
        make_engine: Callable[[], DocumentationEngine],
        refresh_s: float,
        stop: threading.Event,
    ) -> None:
        self._folder = folder
        self._make_api = make_api
        self._make_engine = make_engine
        self._refresh_s = refresh_s
        self._stop = stop
        self._current: Path | None = None
        self._digest = ""
        self._seen = ""

    @property
    def current(self) -> Path | None:
        """The folder with the newest documentation; None before there is one."""
        return self._current

    def start(self) -> threading.Thread:
        """Start the thread; it ends when asked to stop."""
        thread = threading.Thread(target=self._run, name="portal", daemon=True)
        thread.start()
        return thread

    def refresh(self, *, when_settled: bool = False) -> bool:
        """Make the documentation if the rule sets have changed; whether it did.

        `when_settled` waits for the rule sets to be as they were at the last look: somebody who
        configures tables one after the other needs the machine more than a newer page. Raises
        StringXError when the API or dbt does not do its part.
        """
        api = self._make_api()
        try:
            rule_sets = list(read_rule_sets(api))
        finally:
            api.close()
        digest = hashlib.sha256("".join(found.hash for found in rule_sets).encode()).hexdigest()
        settled, self._seen = digest == self._seen, digest
        if digest == self._digest or not rule_sets or (when_settled and not settled):
            return False
        made = self._folder / digest[:16]
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        engine = self._make_engine()
        try:
            engine.generate_docs(rule_sets, made)
        finally:
            engine.close()
        if not (made / "index.html").is_file():
            (made / "static_index.html").rename(made / "index.html")
        last, self._current, self._digest = self._current, made, digest
        if last is not None:
            shutil.rmtree(last, ignore_errors=True)
        log.info("portal_made", tables=len(rule_sets))
        return True

    def _run(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)  # of an earlier process
        backoff = Backoff(self._refresh_s)
        wait_s = 0.0
        while not self._stop.wait(wait_s):
            try:
                self.refresh(when_settled=True)
                backoff.reset()
                # While there are no tables, or they change, look again soon.
                settled = self._current is not None and self._seen == self._digest
                wait_s = self._refresh_s if settled else min(SETTLE_S, self._refresh_s)
            except StringXError as error:
                wait_s = backoff.next(2.0)
                log.warning("portal_not_made", error=str(error), retry_s=round(wait_s, 1))
            except Exception:  # the portal must never take the worker down
                wait_s = backoff.next(30.0)
                log.exception("portal_not_made", retry_s=round(wait_s, 1))


def read_rule_sets(api: ApiClient) -> Iterator[RuleSet]:
    """The active rules of every configured table, by the name of its dbt target."""
    targets = {found["name"]: found["target"] for found in _all(api, "/connections")}
    for table in _all(api, "/tables"):
        stored = _all(api, f"/tables/{table['id']}/rules")
        rules = tuple(_understood(rule, table["name"]) for rule in stored if rule["is_active"])
        target = targets.get(table["connection"], table["connection"])
        known = tuple(rule for rule in rules if rule is not None)
        yield RuleSet(target, TableName.parse(table["name"]), known)


def _understood(rule: dict[str, Any], table: str) -> Rule | None:
    """None for a rule that another version has stored, and this one does not understand."""
    try:
        return Rule.model_validate({name: rule[name] for name in rule.keys() & _RULE_FIELDS})
    except ValidationError as error:
        log.warning("rule_not_understood", table=table, rule=rule["name"], faults=str(error))
        return None


def _all(api: ApiClient, path: str) -> Iterator[dict[str, Any]]:
    cursor: str | None = ""
    while cursor is not None:
        page = api.get(f"{path}?limit={PAGE}" + (f"&cursor={quote(cursor)}" if cursor else ""))
        yield from page["items"]
        cursor = page["next_cursor"]
