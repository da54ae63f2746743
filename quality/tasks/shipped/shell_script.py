"""`shell_script`: a program of the machine, without a shell."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from pydantic import Field

from quality.tasks.record import is_secret_name
from quality.tasks.task import Arguments, Context, Task, TaskFailed, path_of

_TAIL_BYTES = 65_536
_NICE_S = 2.0


class ShellScriptArguments(Arguments):
    script: str = Field(
        min_length=1, description="a file, or a command line, which is split at blanks"
    )
    script_args: str | list[str] | None = Field(
        default=None, description="a text is split at blanks, the items of a list are not"
    )
    folder: str | None = Field(default=None, description="where to run it; else ${CWD}")
    environment: dict[str, str] = Field(
        default_factory=dict, description="more variables; secrets of ours are not passed on"
    )


class ShellScript(Task[ShellScriptArguments]):
    """Run a program or a script; its output is recorded, and an exit code but 0 is a failure."""

    task_name = "shell_script"
    takes = ShellScriptArguments

    def run(self, arguments: ShellScriptArguments, context: Context) -> str:
        command = [*_words(arguments.script), *_arguments(arguments.script_args)]
        variables = {
            name: value for name, value in context.variables.items() if not is_secret_name(name)
        }
        folder = path_of(arguments.folder) if arguments.folder else None
        with tempfile.TemporaryFile() as output:
            try:
                process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env={**variables, **arguments.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise TaskFailed(
                    f"{error.filename or command[0]}: {error.strerror}", is_final=True
                ) from None
            except ValueError as error:  # NUL in an argument
                raise TaskFailed(f"{command[0]}: {error}", is_final=True) from None
            try:
                code = process.wait(context.left_s())
            except subprocess.TimeoutExpired:
                raise TaskFailed("its time limit is over", output=_tail(output)) from None
            finally:
                _end(process)
            said = _tail(output)
        if code:
            ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            raise TaskFailed(f"{Path(command[0]).name} ended with {ended}", output=said)
        return said


def _words(script: str) -> list[str]:
    """A file's name is one word, whatever is in it."""
    path = path_of(script)
    if path.is_file():
        return [str(path.absolute())]
    return _split(script)


def _arguments(given: str | list[str] | None) -> list[str]:
    return _split(given or "") if not isinstance(given, list) else given


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise TaskFailed(f"cannot be split into words: {error}", is_final=True) from None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what it left behind: whatever it started belongs to its session."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, how)
        if process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_NICE_S)


def _tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _TAIL_BYTES))
    return output.read().decode(errors="replace")
