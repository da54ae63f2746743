"""Identifiers that StringX gives."""

from __future__ import annotations

import hashlib
import secrets
import time


def new_id() -> str:
    """A UUID version 7 (RFC 9562, 5.7): sorts by the time it was made, in milliseconds."""
    milliseconds, random = time.time_ns() // 1_000_000, secrets.randbits(74)
    value = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | (random >> 62) << 64
    value |= 0b10 << 62 | random & (1 << 62) - 1
    digits = f"{value:032x}"  # uuid.UUID writes the same, in twice the time
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def derived_request_id(
    cluster_id: str, topic: str, partition: int, offset: int, timestamp_ms: int, value: bytes
) -> str:
    """The id of a Kafka message that names none: a redelivery has the same one.

    Cluster, timestamp and content take part because a broker that lost its data starts again at
    offset 0, and new requests must not pass for old ones.
    """
    origin = f"{cluster_id}|{topic}|{partition}|{offset}|{timestamp_ms}|"
    digest = hashlib.sha256(origin.encode() + hashlib.sha256(value).digest()).hexdigest()
    return f"k-{digest[:40]}"
