"""Length-prefixed JSON: how the engine and its dbt process talk over two pipes."""

from __future__ import annotations

import json
import os
import select
import struct
import time
from typing import Any

_LENGTH = struct.Struct(">I")
MAX_BYTES = 256 * 1024 * 1024


class ClosedPipe(Exception):
    """The other side has gone."""


class Overdue(Exception):
    """The deadline has passed."""


def write_frame(fd: int, value: Any) -> None:
    """Send one value; ClosedPipe when nobody reads any more."""
    body = json.dumps(value, ensure_ascii=True, allow_nan=False).encode()
    rest = memoryview(_LENGTH.pack(len(body)) + body)
    try:
        while rest:
            rest = rest[os.write(fd, rest) :]
    except OSError as error:
        raise ClosedPipe from error


def read_frame(fd: int, deadline: float | None = None) -> Any:
    """Wait for one value until `deadline` (time.monotonic); ClosedPipe, Overdue."""
    (length,) = _LENGTH.unpack(_read(fd, _LENGTH.size, deadline))
    if length > MAX_BYTES:
        raise ClosedPipe
    return json.loads(_read(fd, length, deadline))


def _read(fd: int, length: int, deadline: float | None) -> bytes:
    found = bytearray()
    while len(found) < length:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                raise Overdue
        part = os.read(fd, min(length - len(found), 1 << 20))
        if not part:
            raise ClosedPipe
        found += part
    return bytes(found)
