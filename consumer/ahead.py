"""A run that begins before its claim is answered."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from consumer.claims import Claim
from consumer.jobs import Job
from consumer.work import Work
from quality.checks import CheckOutcome

FRESH_S = 1.0
"""For so long the outcome of a run waits for its claim, and still counts."""


@dataclass(slots=True, eq=False)
class Ahead:
    """A run that may begin before its claim is answered, which `Runs.settle` tells it."""

    job: Job
    work: Work
    outcome: CheckOutcome | None = None
    over: threading.Event = field(default_factory=threading.Event)
    ended_at: float = 0.0
    claim: Claim | None = None
    is_settled: bool = False
    is_stored: bool = False
    """It went with the question for its claim, and that was the end of it."""

    @property
    def is_foreseen(self) -> bool:
        """Whether the claim, once answered, asks for just this."""
        return self.claim is not None and self.claim.work.key == self.work.key

    @property
    def is_usable(self) -> bool:
        """Whether what was found, if anything, is what a run begun now would find: not where it was
        kept from finding it, nor where the claim took its time."""
        if self.outcome is None:
            return True
        if time.monotonic() - self.ended_at > FRESH_S or self.outcome.error_code is not None:
            return False
        return all(result.status != "error" for result in self.outcome.results)
