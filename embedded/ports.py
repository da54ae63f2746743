"""TCP ports on the loopback: free or taken, and by whom."""

import contextlib
import socket
from pathlib import Path

from embedded.errors import EmbeddedError

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As servers do it: a port that only holds closed connections counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def choose_free() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Whether somebody answers on this port of 127.0.0.1."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


def require_free(port: int, what: str, setting: str) -> None:
    """Raise EmbeddedError, naming the holder and the setting, when the port is taken."""
    if not 1 <= port <= 65535:
        raise EmbeddedError(f"{setting}={port} is no port: use a number from 1 to 65535")
    if not is_free(port):
        raise EmbeddedError(
            f"port {port} for {what} is taken by {holder(port)}: "
            f"stop it, or set {setting} to another port"
        )


def holder(port: int) -> str:
    """Who listens on a local port, as "name (pid n)"; "another process" when not to be seen."""
    inodes = set(_listening_inodes(port))
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                if str(descriptor.readlink()) in inodes:
                    name = (process / "comm").read_text().strip()
                    return f"{name} (pid {process.name})"
    return "another process"


def _listening_inodes(port: int) -> list[str]:
    """socket:[n] links of the listeners on a port (Linux, proc(5), net/tcp)."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    found.append(f"socket:[{fields[9]}]")
    return found
