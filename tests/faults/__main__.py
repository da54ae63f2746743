"""`python -m tests.faults --size full`: every fault at full size, with what was counted.

Ends with 1 where a result was lost or stored twice, or where a scenario promised more.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
from dataclasses import replace

from tests.faults.counting import HEAD, Tally
from tests.faults.load import FULL, SMALL, Scenario, Size
from tests.faults.machine import NotHere
from tests.faults.scenarios import (
    AT_LEISURE,
    IN_EVERY_BUILD,
    ON_APACHE,
    ON_APACHE_AT_LEISURE,
    ON_EMBEDDED,
)
from tests.faults.stage import Stage

ALWAYS = {**IN_EVERY_BUILD, **AT_LEISURE}
APACHE = {**ON_APACHE, **ON_APACHE_AT_LEISURE}


def main(arguments: list[str] | None = None) -> int:
    """Run the scenarios; 0 where all counts are exact."""
    names = sorted({*ALWAYS, *APACHE, *ON_EMBEDDED})
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--size", choices=("small", "full"), default="small")
    parser.add_argument("--only", nargs="+", choices=names, metavar="SCENARIO", default=names)
    parser.add_argument("--kafka", choices=("apache", "embedded"), help="default: apache if it can")
    parser.add_argument("--workers", type=int, default=None, help="default: 1 small, 2 full")
    parser.add_argument("--soak-minutes", type=float, help="default: 0.5 small, 120 full")
    options = parser.parse_args(arguments)
    size = SMALL if options.size == "small" else FULL
    if options.soak_minutes:
        size = replace(size, soak_minutes=options.soak_minutes)
    workers = options.workers or (1 if options.size == "small" else 2)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by which the stage is cleared
    print(HEAD, flush=True)
    with Stage(options.kafka, workers) as stage:
        if stage.kafka == "embedded":
            good = run_all(stage, size, {**ALWAYS, **ON_EMBEDDED}, options.only)
        else:
            good = run_all(stage, size, {**ALWAYS, **APACHE}, options.only)
            if set(options.only) & set(ON_EMBEDDED):
                with stage.on_a_broker_in_memory():
                    good = run_all(stage, size, ON_EMBEDDED, options.only) and good
    return 0 if good else 1


def run_all(stage: Stage, size: Size, chosen: dict[str, Scenario], only: list[str]) -> bool:
    """Run those of `chosen` that are in `only`, and print each; whether all were good."""
    good = True
    for name, scenario in chosen.items():
        if name not in only:
            continue
        began = time.monotonic()
        try:
            tally = scenario(stage, size)
        except NotHere as missing:
            print(f"{name}: not here: {missing}", flush=True)
            continue
        except Exception as error:
            traceback.print_exc()
            print(f"{name}: FAILED after {time.monotonic() - began:.1f} s: {error}", flush=True)
            good = False
            stage.proxy.heal()
            continue
        good = good and tally.is_exact
        print(_line(tally), flush=True)
    return good


def _line(tally: Tally) -> str:
    return tally.line() + ("" if tally.is_exact else "  NOT EXACT")


if __name__ == "__main__":
    sys.exit(main())
