"""`notify`: a line of text into a channel, as Slack and those compatible with it take it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from quality.tasks.shipped.webhook import send
from quality.tasks.task import Arguments, Context, Task


class NotifyArguments(Arguments):
    url: str = Field(
        min_length=1,
        description="the incoming webhook; as it is a secret, give it as ${SLACK_WEBHOOK_URL}",
    )
    text: str = Field(min_length=1, max_length=4000, description="what to say")
    channel: str | None = Field(default=None, max_length=100, description="else the webhook's own")
    username: str | None = Field(default=None, max_length=100, description="who says it")


class Notify(Task[NotifyArguments]):
    """Post a text to an incoming webhook of Slack, Mattermost or Rocket.Chat on an allowed host.

    <, > and & are written so that text from elsewhere mentions nobody.
    """

    task_name = "notify"
    takes = NotifyArguments

    def run(self, arguments: NotifyArguments, context: Context) -> str:
        body: dict[str, Any] = {"text": escaped(arguments.text)}
        body |= arguments.model_dump(include={"channel", "username"}, exclude_none=True)
        return send(arguments.url, body, context)


def escaped(text: str) -> str:
    """As Slack asks for it in https://docs.slack.dev/messaging/formatting-message-text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
