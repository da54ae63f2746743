"""The command `stringx` and what stands below it."""

from __future__ import annotations

import click

from cli import (
    actions,
    checks,
    completion,
    dead_letters,
    exits,
    exporting,
    gate,
    importing,
    owners,
    ownership,
    results,
    rule_sets,
    rules,
    tables,
    tasks,
    tokens,
    trials,
    versions,
)
from cli.service import Service
from quality import __version__


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=exits.MEANINGS,
)
@click.version_option(__version__, message="%(version)s")
@click.pass_context
def stringx(context: click.Context) -> None:
    """Data quality rules and verdicts, through the API of StringX.

    The API is at STRINGX_API_URL (http://127.0.0.1:5001 if not set); STRINGX_API_TOKEN is sent as
    the bearer token.

    \b
    Examples:
      stringx tables list
      stringx rules apply rules/ --yes
      stringx check run flights.planes --output junit > report.xml
      stringx gate flights.planes --max-age 2h && load_the_rest
    """
    context.obj = Service()


for command in (
    rule_sets.apply,
    rule_sets.diff,
    trials.suggest,
    trials.dry_run,
    versions.versions,
    versions.restore,
):
    rules.rules.add_command(command)

for command in (
    tables.tables,
    tasks.tasks,
    actions.actions,
    tokens.token,
    rules.rules,
    checks.check,
    results.results,
    gate.gate,
    importing.import_,
    owners.owners,
    ownership.ownership,
    exporting.export,
    dead_letters.dead_letters,
    completion.completion,
):
    stringx.add_command(command)
