"""`python -m benchmarks WHAT`: measure, print Markdown, end with 1 where something was wrong."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import end_to_end, engine, memory, pipelines, rule_change, scope
from benchmarks.data import CONDITIONS
from benchmarks.environments import EnvironmentMissing
from benchmarks.framework import Source
from benchmarks.report import Report, say
from benchmarks.service import Refused
from embedded.errors import EmbeddedError


def main(arguments: list[str]) -> int:
    """Run what was asked for; the exit code."""
    asked = _parser().parse_args(arguments)
    reports = []
    try:
        for measure in asked.measures:
            reports.append(measure(asked))
            print(reports[-1].markdown(), flush=True)
    except (EmbeddedError, EnvironmentMissing, Refused) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    if asked.json:
        document = [report.json() for report in reports]
        asked.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 1 if any(report.faults for report in reports) else 0


def _engine(asked: argparse.Namespace) -> Report:
    plan = engine.SIZES[asked.size]
    chosen = {
        name: value
        for name in ("rows", "checks", "conditions", "rounds", "cli_rounds", "contenders")
        if (value := getattr(asked, name, None)) is not None
    }
    return engine.measure(replace(plan, **chosen))


def _end_to_end(asked: argparse.Namespace) -> Report:
    plan = end_to_end.SIZES[asked.size]
    return end_to_end.measure(replace(plan, broker=getattr(asked, "kafka", None) or plan.broker))


def _rule_change(asked: argparse.Namespace) -> Report:
    return rule_change.measure(rule_change.SIZES[asked.size])


def _memory(asked: argparse.Namespace) -> Report:
    return memory.measure(memory.SIZES[asked.size])


def _scope(asked: argparse.Namespace) -> Report:
    return scope.measure(scope.SIZES[asked.size])


def _pipelines(asked: argparse.Namespace) -> Report:
    folder, python = (getattr(asked, name, None) for name in ("framework", "framework_python"))
    source = Source(folder.absolute(), python) if folder else None
    return pipelines.measure(pipelines.SIZES[asked.size], source)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure StringX beside its alternatives, on tables made for it.",
        epilog="Tables, environments and logs are kept in STRINGX_DATA_DIR/benchmarks.",
    )
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")

    def add(
        name: str, words: str, *measures: Callable[[argparse.Namespace], Report]
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=words, description=words)
        command.set_defaults(measures=measures)
        command.add_argument("--size", choices=list(engine.SIZES), default="small")
        command.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
        return command

    add(
        "all",
        "all of them, one after the other",
        _engine,
        _end_to_end,
        _rule_change,
        _memory,
        _scope,
        _pipelines,
    )
    door = add("end-to-end", "from a message to its stored result, and over HTTP", _end_to_end)
    door.add_argument("--kafka", choices=("embedded", "apache"), help="which broker")
    add("rule-change", "until a changed rule is in force, by number of tables", _rule_change)
    add("memory", "what the processes hold over many checks", _memory)
    add("scope", "a check of one day beside one of the year", _scope)
    runs = add("pipelines", "starts and ends of executions, and their tree", _pipelines)
    runs.add_argument(
        "--framework",
        type=Path,
        metavar="DIR",
        help="a clone of the Watcher framework's repository, whose service is asked the same",
    )
    runs.add_argument("--framework-python", metavar="PATH", help="a Python from 3.12 on for it")
    one = add("engine", "the engine beside dbt, Soda Core and plain SQL", _engine)
    one.add_argument("--rows", type=_numbers(), metavar="N,N", help="rows of the tables")
    one.add_argument("--checks", type=_numbers((10, 50)), metavar="N,N", help="10, 50 or both")
    one.add_argument(
        "--data",
        type=_names(CONDITIONS),
        dest="conditions",
        metavar="NAME,NAME",
        help=", ".join(CONDITIONS),
    )
    one.add_argument("--rounds", type=_number, metavar="N", help="rounds that count")
    one.add_argument("--cli-rounds", type=_number, metavar="N", help="of `dbt test`")
    one.add_argument(
        "--contenders",
        type=_names(engine.entry_names()),
        metavar="NAME,NAME",
        help=", ".join(engine.entry_names()),
    )
    return parser


def _numbers(known: Sequence[int] = ()) -> Callable[[str], list[int]]:
    def read(text: str) -> list[int]:
        numbers = [int(part) if part.isdecimal() else 0 for part in text.split(",")]
        if not all(number in known if known else number for number in numbers):
            wanted = " or ".join(map(str, known)) or "whole numbers from 1"
            raise argparse.ArgumentTypeError(f"{text} is not {wanted}, with commas between them")
        return numbers

    return read


def _number(text: str) -> int:
    return _numbers()(text)[0]


def _names(known: Sequence[str]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        names = text.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(known)}")
        return names

    return read


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
