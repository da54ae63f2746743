"""Messages of every kind that cannot be taken, each with the code of its dead letter."""

from __future__ import annotations

import json
from typing import Any

TABLE = "load.t0"
_GOOD = json.dumps({"table": TABLE}).encode()

KINDS: list[tuple[str, bytes | None, list[tuple[str, Any]]]] = [
    ("value_null", None, []),
    ("value_empty", b"", []),
    ("body_empty", b" \n\t ", []),
    ("json_invalid", bytes(range(256)[1:9]) * 50, []),
    ("encoding", b"\xff\xfe" * 50, []),
    ("message_too_large", b'{"table": "' + b"x" * 300_000 + b'"}', []),
    ("message_too_large", b"x" * 980_000, []),
    ("json_invalid", b'{"table": ', []),
    ("json_not_object", b"[]", []),
    ("json_not_object", b'"flights"', []),
    ("json_too_deep", b"[" * 100_000, []),
    ("json_duplicate_key", b'{"table": "a.b", "table": "load.t0"}', []),
    ("json_number", b'{"table": "a.b", "deadline_ms": NaN}', []),
    ("unknown_field", b'{"table": "load.t0", "schema_version": 99}', []),
    ("missing", b"{}", []),
    ("string_type", b'{"table": 7}', []),
    ("string_pattern_mismatch", b'{"table": "load.t0", "id": "short"}', []),
    ("header_invalid", _GOOD, [("ce_specversion", b"\xff")]),
    ("event_unsupported", _GOOD, [("ce_specversion", b"9.9")]),
    ("table_not_configured", b'{"table": "nope.nope"}', []),
    ("connection_unknown", b'{"table": "load.t0", "connection": "nowhere"}', []),
]
