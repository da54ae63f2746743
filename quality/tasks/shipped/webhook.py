"""`webhook`: a signed message to another service."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field

from quality.errors import Unavailable
from quality.tasks import outbound
from quality.tasks.task import Arguments, Context, Task, TaskFailed

VERDICT = "VERDICT_"


class WebhookArguments(Arguments):
    url: str = Field(min_length=1, description="https, of a host of STRINGX_WEBHOOK_HOSTS")
    body: dict[str, Any] | None = Field(
        default=None, description="sent as JSON; without it the verdict that the run is about"
    )


class Webhook(Task[WebhookArguments]):
    """Post JSON to an allowed host, signed with STRINGX_WEBHOOK_SECRET.

    X-StringX-Signature is `t=…,v1=…`, the HMAC-SHA256 of "t.body"; X-StringX-Delivery is the same
    for each attempt, so that a receiver takes a message once.
    """

    task_name = "webhook"
    takes = WebhookArguments

    def run(self, arguments: WebhookArguments, context: Context) -> str:
        secret = context.settings.webhook_secret
        if secret is None:
            raise TaskFailed(
                "STRINGX_WEBHOOK_SECRET is not set: a webhook is always signed", is_final=True
            )
        body = verdict_of(context) if arguments.body is None else arguments.body
        return send(arguments.url, body, context, secret.get_secret_value().encode())


def send(url: str, body: dict[str, Any], context: Context, secret: bytes | None = None) -> str:
    """Post a document; what was answered."""
    try:
        where = outbound.destination(url, context.settings)
        status = outbound.post(
            where,
            json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
            {"X-StringX-Delivery": context.key},
            timeout_s=context.left_s(context.settings.webhook_timeout_s),
            secret=secret,
        )
    except outbound.Refused as error:
        raise TaskFailed(str(error), is_final=True) from None
    except Unavailable as error:
        raise TaskFailed(str(error)) from None
    return f"{where} answered {status}"


def verdict_of(context: Context) -> dict[str, Any]:
    """The verdict's variables by their short names; empty where the run is about none."""
    return {
        name.removeprefix(VERDICT).lower(): value
        for name, value in context.variables.items()
        if name.startswith(VERDICT)
    }
