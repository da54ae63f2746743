"""`stringx rules apply` and `diff`: files as the source of the rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from cli import exits
from cli.options import author_option, confirm, pass_service, reason_option, yes_option
from cli.printing import as_json, output_option, plain
from cli.service import Service, changing
from quality.client import Unauthorized
from quality.errors import Fault, InvalidInput, NotFound
from quality.exchange import plan, rule_files
from quality.exchange.plan import TablePlan
from quality.exchange.rule_files import RuleFile
from quality.exchange.table_rules import TableRules

_RULE_PATH = re.compile(r"rules\[(\d+)\](.*)", re.DOTALL)
_SIGNS = {"+": "green", "-": "red", "~": "yellow"}

_paths = click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
_prune = click.option(
    "--prune", is_flag=True, help="Remove rules of these tables that no file has."
)


@dataclass(frozen=True, slots=True)
class _Work:
    """The plans for some files, and which file each comes from."""

    plans: Sequence[TablePlan]
    files: Sequence[RuleFile]

    @property
    def is_empty(self) -> bool:
        return all(one.is_empty for one in self.plans)


@click.command("diff", epilog=exits.MEANINGS)
@_paths
@_prune
@click.option("--exit-code", is_flag=True, help="End with code 1 where there are differences.")
@output_option("table", "json")
@pass_service
def diff(
    service: Service, paths: tuple[Path, ...], prune: bool, exit_code: bool, output: str
) -> int:
    """Show what applying files would change. Nothing is changed.

    PATHS are rule files, or folders of them. The API says of each changed rule set whether it would
    take it.

    \b
    Example: stringx rules diff rules/ --exit-code
    """
    work = _plan(service, paths, prune)
    _show(work, output)
    return exits.FAIL if exit_code and not work.is_empty else exits.PASS


@click.command("apply", epilog=exits.MEANINGS)
@_paths
@_prune
@yes_option
@author_option
@reason_option
@output_option("table", "json")
@pass_service
def apply(
    service: Service,
    paths: tuple[Path, ...],
    prune: bool,
    yes: bool,
    author: str | None,
    reason: str | None,
    output: str,
) -> int:
    """Make the API have what files say; show what that changes first.

    PATHS are rule files, or folders of them. Applying the same again changes nothing. Tables that
    no file names are left alone; so are further rules of a table, unless --prune is given. Each
    table's rule set changes as a whole or not at all.

    \b
    Examples:
      stringx rules apply rules/
      stringx rules apply rules/ --prune --yes --author "$USER" --reason "ticket 17"
    """
    work = _plan(service, paths, prune)
    _show(work, output)
    if work.is_empty:
        return exits.PASS
    confirm("Apply this?", yes)
    _register(service, work)
    for one, file in zip(work.plans, work.files, strict=True):
        _apply(service, one, file, author, reason)
    if output == "table":
        click.echo("applied")
    return exits.PASS


def print_yaml(tables: Iterable[TableRules]) -> None:
    """Print tables as rule files, one YAML document each."""
    for place, table in enumerate(tables):
        if place:
            click.echo("---")
        click.echo(rule_files.written(table), nl=False)


def _plan(service: Service, paths: Iterable[Path], prune: bool) -> _Work:
    files = rule_files.read(paths)
    plans = plan.make((file.content for file in files), service.stored, prune=prune)
    faults: list[Fault] = []
    for one, file in zip(plans, files, strict=True):
        table = service.find_table(*one.wanted.key) if one.changes_rules else None
        if table is not None:  # a new one is looked at when it is registered
            faults += _refused(service, table["id"], one, file)
    if faults:
        raise InvalidInput("the API would refuse the rules", faults=faults)
    return _Work(plans, files)


def _register(service: Service, work: _Work) -> None:
    """Register the new tables. Where one of them or its rules are refused, none stays."""
    made: list[int] = []
    faults: list[Fault] = []
    for one, file in zip(work.plans, work.files, strict=True):
        if not one.is_new:
            continue
        connection, name = one.wanted.key
        header = {change.field: change.after for change in one.header}
        try:
            body = {"connection": connection, "table": name, **header}
            made.append(service.client.put("/tables", body)["id"])
            faults += _refused(service, made[-1], one, file)
        except InvalidInput as error:
            faults += _placed(error, one, file)
        except NotFound as error:
            faults.append(Fault(file.place("connection"), error.code, str(error)))
    if faults:
        for table_id in made:
            service.client.delete(f"/tables/{table_id}")
        raise InvalidInput("the API refuses the rules", faults=faults)


def _refused(service: Service, table_id: int, one: TablePlan, file: RuleFile) -> list[Fault]:
    """What the API has against the rules, without changing any."""
    if not service.plans(table_id):
        return []
    path = changing(f"/tables/{table_id}/rules", None, None, plan="true")
    try:
        service.client.put(path, _body(one))
    except InvalidInput as error:
        return _placed(error, one, file)
    except Unauthorized as error:
        if error.code == Unauthorized.code:
            raise
        return [Fault(file.place("rules"), error.code, str(error))]
    return []


def _apply(
    service: Service, one: TablePlan, file: RuleFile, author: str | None, reason: str | None
) -> None:
    if one.is_empty:
        return
    table = service.table(*one.wanted.key)
    header = {change.field: change.after for change in one.header}
    try:
        if header and not one.is_new:
            service.client.patch(f"/tables/{table['id']}", header)
        if one.changes_rules:
            path = changing(f"/tables/{table['id']}/rules", author, reason)
            service.client.put(path, _body(one))
    except InvalidInput as error:
        raise InvalidInput(str(error), code=error.code, faults=_placed(error, one, file)) from None


def _body(one: TablePlan) -> dict[str, object]:
    return {"rules": [rule.document() for rule in one.rules_after]}


def _placed(error: InvalidInput, one: TablePlan, file: RuleFile) -> list[Fault]:
    """The API's faults at the lines of the file; those of kept rules by the rule's name."""
    placed = []
    for fault in error.faults or [Fault("", error.code, str(error))]:
        match = _RULE_PATH.fullmatch(fault.path)
        place = int(match[1]) if match else -1
        if match and place >= len(one.wanted.rules):
            name = one.rules_after[place].name if place < len(one.rules_after) else fault.path
            path = f"{one.wanted.table}: {name} (in no file){match[2]}"
        else:
            path = file.place(fault.path)
        placed.append(Fault(path, fault.code, fault.message))
    return placed


def _show(work: _Work, output: str) -> None:
    if output == "json":
        as_json([one.document() for one in work.plans if not one.is_empty])
        return
    for line in plan.lines(work.plans):
        sign = line.strip()[:1]
        click.echo(click.style(plain(line), fg=_SIGNS.get(sign)))
