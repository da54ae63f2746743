"""`stringx completion`: what a shell needs to complete commands, options and names of tables."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_STRINGX_COMPLETE"
"""By which a shell asks for completions."""


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      stringx completion bash > ~/.local/share/bash-completion/completions/stringx
      stringx completion zsh > "${fpath[1]}/_stringx"
      stringx completion fish > ~/.config/fish/completions/stringx.fish
    """
    made_by = get_completion_class(shell)
    if made_by is None:
        raise click.UsageError(f"no completion for {shell}")
    root = context.find_root().command
    click.echo(made_by(root, {}, "stringx", VARIABLE).source())
