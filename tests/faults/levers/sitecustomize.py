"""Two levers in every Python process that has this folder on its PYTHONPATH (see `site`).

SIGUSR1 makes its main thread hang, as a call does that never comes back; the file that
FAULT_CLOCK names says by how many seconds its clock is off.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import time_machine

LOOK_S = 0.1


def _step(clock: Path) -> None:
    pause, off_s = threading.Event(), 0.0
    behind = time.time() - time.monotonic()  # time_machine leaves the monotonic clock alone
    traveller: time_machine.travel | None = None
    while True:
        wanted = float(clock.read_text() or "0")
        if wanted != off_s:
            if traveller is not None:
                traveller.stop()
            traveller = time_machine.travel(time.monotonic() + behind + wanted, tick=True)
            traveller.start()
            off_s = wanted
        pause.wait(LOOK_S)


def _follow(clock: Path) -> None:
    threading.Thread(target=_step, args=(clock,), daemon=True).start()


if "FAULT_CLOCK" in os.environ:
    _clock = Path(os.environ["FAULT_CLOCK"])
    signal.signal(signal.SIGUSR1, lambda number, frame: time.sleep(3600))
    _follow(_clock)
    os.register_at_fork(after_in_child=lambda: _follow(_clock))
