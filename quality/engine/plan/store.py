"""Plans by what they were compiled from: in memory, and on disk for the next start."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Generic, TypeVar

from quality.engine.plan.compiled import CompiledTest
from quality.logs import get_logger

log = get_logger(__name__)

Value = TypeVar("Value")


class CompiledStore:
    """Compiled tests, each set in a file of its own below `folder`; safe for several processes.

    A file that cannot be read is as good as none, and one that cannot be written is done without:
    whatever is lost is compiled again.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit

    def load(self, key: str) -> tuple[str, list[CompiledTest]] | None:
        """The scope's marker and the tests that were saved under the key."""
        path = self._folder / f"{key}.json"
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            tests = [CompiledTest(**test) for test in document["tests"]]
            marker = str(document["marker"])
            os.utime(path)
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return marker, tests

    def save(self, key: str, marker: str, tests: Sequence[CompiledTest]) -> None:
        """Keep them, and forget those that were used longest ago."""
        document = {"marker": marker, "tests": [asdict(test) for test in tests]}
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(
                "w", dir=self._folder, suffix=".new", delete=False, encoding="utf-8"
            ) as file:
                json.dump(document, file)
            Path(file.name).rename(self._folder / f"{key}.json")
            self._forget_oldest()
        except OSError as error:
            log.warning("plan_not_kept", error=error.strerror)

    def _forget_oldest(self) -> None:
        files = list(self._folder.glob("*.json"))
        if len(files) <= self._limit:
            return
        with suppress(OSError):  # another process forgets as well
            files.sort(key=lambda file: file.stat().st_mtime)
            for file in files[: len(files) - self._limit]:
                file.unlink(missing_ok=True)


class Recent(Generic[Value]):
    """At most `limit` values, those that were used last."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Value | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Hashable, value: Value) -> Value:
        """Keep it; answers the value that is there already, if another thread was faster."""
        with self._lock:
            kept = self._values.setdefault(key, value)
            self._values.move_to_end(key)
            while len(self._values) > self._limit:
                self._values.popitem(last=False)
            return kept
