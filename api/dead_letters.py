"""Dead letters sent again: each once, under the id that the message had."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from api import audit
from api.store import dead_letters, outbox
from api.store.database import Database
from quality.dead_letters import (
    REPLAY_COUNT_HEADER,
    REPLAY_LIMIT,
    REQUEST_ID_HEADER,
    text_of,
)
from quality.errors import Conflict, StringXError, Unavailable
from quality.settings import ApiSettings, KafkaSettings

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Redrives:
    """Sends dead letters again through the outbox: in the transaction that marks them."""

    database: Database
    settings: ApiSettings
    kafka: KafkaSettings

    def one(self, letter_id: str, actor: str) -> tuple[Row, bool]:
        """Send one letter again; the letter, and whether it was sent by this call.

        A letter that was sent before is answered as it stands. Raises NotFound, Conflict where
        sending it again cannot help, Unavailable without Kafka or with a full outbox.
        """
        with self.database.begin() as db:
            self._require_room(db)
            row = dead_letters.hold(db, letter_id)
            if row["state"] == "redriven":
                return row, False
            refusal = _refusal(row)
            if refusal is not None:
                raise refusal
            self._send(db, [row], actor)
            return dead_letters.get(db, letter_id), True

    def many(
        self,
        filters: dict[str, str | None],
        since: datetime | None,
        until: datetime | None,
        *,
        limit: int,
        dry_run: bool,
        actor: str,
    ) -> tuple[list[Row], list[tuple[Row, StringXError]]]:
        """Send the oldest open letters again; those sent, and those refused with why."""
        with self.database.begin() as db:
            self._require_room(db)
            rows = dead_letters.hold_open(
                db, filters=filters, since=since, until=until, limit=limit, locked=not dry_run
            )
            judged = [(row, _refusal(row)) for row in rows]
            sent = [row for row, refusal in judged if refusal is None]
            if sent and not dry_run:
                self._send(db, sent, actor)
        return sent, [(row, refusal) for row, refusal in judged if refusal is not None]

    def _require_room(self, db: Connection) -> None:
        if not self.kafka.bootstrap_servers:
            raise Unavailable(
                "no Kafka is configured (STRINGX_KAFKA_BOOTSTRAP_SERVERS)",
                code="kafka_not_configured",
            )
        if outbox.pending(db) >= self.settings.outbox_limit:
            raise Unavailable(
                "too many messages wait for Kafka; try again later", code="queue_full"
            )

    def _send(self, db: Connection, rows: list[Row], actor: str) -> None:
        for row in rows:
            key = text_of(row["key"])
            value = text_of(row["value"]) or ""
            outbox.add(db, self.kafka.request_topic, key or "", value, _headers(row))
            audit.record(
                db,
                "dead_letter.redriven",
                f"dead letter {row['id']}",
                {"code": row["code"], "request_id": row["request_id"], "table": row["table_name"]},
            )
        dead_letters.mark_redriven(db, [row["id"] for row in rows], actor)


def _refusal(row: Row) -> Conflict | None:
    """Why this letter cannot be sent again, or None."""
    if row["replays"] >= REPLAY_LIMIT:
        return Conflict(
            f"it was sent again {row['replays']} times already; send a new message instead",
            code="replay_limit",
        )
    if row["is_truncated"]:
        return Conflict(
            "only the beginning of its value was kept; send the original of "
            f"{row['origin_topic']}[{row['origin_partition']}]@{row['origin_offset']} instead",
            code="payload_truncated",
        )
    if not text_of(row["value"]):
        return Conflict(
            "its value is no text, so it would fail again; send a new message instead",
            code="payload_unreadable",
        )
    return None


def _headers(row: Row) -> dict[str, str]:
    """Those of the original that are text, the id that it was asked for under, and the count."""
    headers = {}
    for name, encoded in row["headers"]:
        text = text_of(None if encoded is None else b64decode(encoded))
        if text is not None:
            headers[name] = text
    if row["request_id"] is not None:
        headers[REQUEST_ID_HEADER] = row["request_id"]
    headers[REPLAY_COUNT_HEADER] = str(row["replays"] + 1)
    return headers
