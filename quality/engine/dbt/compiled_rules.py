"""What dbt has compiled of single rules before, so that a changed rule set costs its changed rules.

A test's SQL follows from its own definition and the project; only its name says where it stands.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import replace

from quality.engine.plan.compiled import CompiledTest


class CompiledRules:
    """Compiled tests by what they were made from; the least recently used are forgotten."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tests: OrderedDict[Hashable, CompiledTest] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, origin: Hashable, name: str) -> CompiledTest | None:
        """The test made from `origin`, under another name; None where there is none."""
        with self._lock:
            test = self._tests.get(origin)
            if test is None:
                return None
            self._tests.move_to_end(origin)
        return replace(test, name=name)

    def keep(self, origin: Hashable, test: CompiledTest) -> None:
        """Remember what was made from `origin`."""
        with self._lock:
            self._tests[origin] = test
            self._tests.move_to_end(origin)
            while len(self._tests) > self._limit:
                self._tests.popitem(last=False)
