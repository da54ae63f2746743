"""A door in front of the embedded broker, for Kafka clients that trip over its greeting.

The broker's ApiVersions response (Kafka protocol, API key 18, version 3 and above) ends with tagged
fields. librdkafka before 2.1, which Debian's kcat is built on, miscounts their length and gives up
with "Read underflow". The fields are optional, so they are left out here; after the first response
a connection is passed through byte by byte. Runs as a program of its own:
`python handshake.py <port to listen on> <port of the broker>`; standard library only.
"""

import contextlib
import socket
import struct
import sys
import threading

_API_VERSIONS = 18
_FIRST_TAGGED_VERSION = 3
_LARGEST_GREETING_BYTES = 65_536
_CHUNK_BYTES = 262_144


def without_tags(response: bytes) -> bytes:
    """An ApiVersions response (size, correlation id, body) without the tagged fields at its end.

    Anything that is not a successful response of version 3 or above comes back unchanged.
    """
    try:
        (error,) = struct.unpack_from(">h", response, 8)
        count, position = _unsigned(response, 10)
        for _ in range(count - 1):
            # key, lowest and highest version: two bytes each
            tags, position = _unsigned(response, position + 6)
            if tags:
                return response
        position += 4  # throttle time
        _unsigned(response, position)
    except (struct.error, IndexError):
        return response
    if error:
        return response
    body = response[4:position] + b"\0"
    return struct.pack(">i", len(body)) + body


def serve(listener: socket.socket, broker: tuple[str, int]) -> None:
    """Take connections for ever, each in threads of its own."""
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_connection, args=(client, broker), daemon=True).start()


def _connection(client: socket.socket, address: tuple[str, int]) -> None:
    with contextlib.suppress(OSError), client, socket.create_connection(address) as broker:
        for end in (client, broker):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = _exactly(client, 8)
        size, key, version = struct.unpack(">ihh", start)
        broker.sendall(start)
        if (
            key == _API_VERSIONS
            and version >= _FIRST_TAGGED_VERSION
            and 4 <= size <= _LARGEST_GREETING_BYTES
        ):
            broker.sendall(_exactly(client, size - 4))
            head = _exactly(broker, 4)
            (size,) = struct.unpack(">i", head)
            client.sendall(without_tags(head + _exactly(broker, size)))
        there = threading.Thread(target=_pass_on, args=(client, broker), daemon=True)
        there.start()
        _pass_on(broker, client)
        there.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Copy until one side closes, then say so to the other."""
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK_BYTES):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = source.recv(size - len(data))
        if not part:
            raise ConnectionError("closed")
        data += part
    return data


def _unsigned(data: bytes, position: int) -> tuple[int, int]:
    """An UNSIGNED_VARINT of the Kafka protocol: its value and the position behind it."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128) as door:
        serve(door, ("127.0.0.1", int(sys.argv[2])))
