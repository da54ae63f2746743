"""A way to a server that can be closed as a firewall closes it: packets get no answer at all."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

_CHUNK = 65_536


class Passage:
    """Forwards connections to a port of this machine until it is told to vanish."""

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._open: list[socket.socket] = []
        self._fillers: list[socket.socket] = []
        self._gone = threading.Event()
        # With a queue of one, the kernel drops what comes once nobody accepts (listen(2)).
        self._door = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port = int(self._door.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def vanish(self) -> None:
        """From now on nobody answers; connections of before are reset."""
        self._gone.set()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=2):
            pass  # wakes the thread, which accepts no more
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(("127.0.0.1", self.port))
            self._fillers.append(filler)
        self._reset()

    def come_back(self) -> None:
        """Answer again."""
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        self._gone.clear()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._gone.set()
        self._door.close()
        self._reset()

    def _reset(self) -> None:
        gone, self._open = self._open, []
        for one in gone:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._door.accept()
            except OSError:
                return
            if self._gone.is_set():
                caller.close()
                return
            try:
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                caller.close()
                continue
            server.settimeout(None)
            self._open += [caller, server]
            for one, other in ((caller, server), (server, caller)):
                threading.Thread(target=_carry, args=(one, other), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK):
            sink.sendall(chunk)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
