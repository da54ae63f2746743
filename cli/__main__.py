"""`python -m cli` and the console script `stringx`: runs a command, ends with its exit code.

Whatever goes wrong is one line for each fault on standard error; there is never a traceback.
"""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

import click
from click.shell_completion import shell_complete

from cli import completion, exits
from cli.commands import stringx
from quality.client import Unauthorized
from quality.errors import (
    ConfigurationError,
    Conflict,
    InvalidInput,
    NotFound,
    StringXError,
    Unavailable,
)
from quality.settings import ClientSettings, load

_REFUSED = (InvalidInput, NotFound, Conflict, ConfigurationError)


def main(arguments: list[str] | None = None) -> int:
    """Run one command line; answers the exit code (see `cli.exits`)."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if instruction := os.environ.get(completion.VARIABLE):
            return shell_complete(stringx, {}, "stringx", completion.VARIABLE, instruction)
        with stringx.make_context("stringx", words) as context:
            done = stringx.invoke(context)
        sys.stdout.flush()
        return done if isinstance(done, int) else exits.PASS
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return exits.USAGE
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("stopped")
        return exits.INTERRUPTED
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f" (see `{context.command_path} --help`)" if context is not None else ""
        _say(f"{_one_line(error.format_message())}{hint}")
        return exits.USAGE
    except StringXError as error:
        for line in _lines(error):
            _say(line)
        return exits.USAGE if _is_refusal(error) else exits.NOT_CHECKED
    except BrokenPipeError:  # who reads our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.PASS
    except OSError as error:
        _say(f"{error.filename or 'input or output'}: {error.strerror or type(error).__name__}")
        return exits.USAGE
    except Exception as error:
        _say(f"a fault of ours, please report it: {type(error).__name__}: {_one_line(str(error))}")
        return exits.NOT_CHECKED


def _is_refusal(error: StringXError) -> bool:
    """Whether the caller has to ask for something else; a missing right is one of a rule's."""
    if isinstance(error, Unauthorized):
        return error.code != Unauthorized.code
    return isinstance(error, _REFUSED)


def _lines(error: StringXError) -> list[str]:
    if isinstance(error, InvalidInput) and error.faults:
        return [str(fault) for fault in error.faults]
    if isinstance(error, Unauthorized) and error.code == Unauthorized.code:
        return [f"{error} (STRINGX_API_TOKEN is sent as the bearer token: is it the API's?)"]
    if isinstance(error, Unavailable) and error.code == "api_unreachable":
        return [f"{error}: is it running, and is STRINGX_API_URL right?"]
    return [str(error)]


def _say(text: str) -> None:
    click.echo(f"stringx: {_without_secrets(_one_line(text))}", err=True)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _without_secrets(text: str) -> str:
    try:
        settings = load(ClientSettings)
    except ConfigurationError:  # its message has no values
        return text
    token = settings.api_token.get_secret_value() if settings.api_token else ""
    for secret in (token, urlsplit(settings.api_url).password):
        if secret:
            text = text.replace(secret, "***")
    return text


if __name__ == "__main__":
    sys.exit(main())
