"""The relay keeps the order of what is said of a table, whatever is lost on the way."""

from __future__ import annotations

import pytest

from api.relay import in_order
from api.store.outbox import Message


def message(number: int, key: str, topic: str = "decisions") -> Message:
    return Message(number, topic, key, "{}", {})


@pytest.mark.parametrize(
    ("acknowledged", "sent"),
    [
        ({1, 2, 3, 4, 5}, [1, 2, 3, 4, 5]),
        (set(), []),
        ({2, 3, 4, 5}, [2, 5]),  # 3 and 4 are sent again, after 1
        ({1, 3, 4, 5}, [1, 3, 4, 5]),
        ({1, 2, 4, 5}, [1, 2, 5]),
    ],
)
def test_what_follows_a_lost_message_of_its_key_is_sent_again(
    acknowledged: set[int], sent: list[int]
) -> None:
    messages = [
        *(message(1, "demo/a"), message(2, "demo/b"), message(3, "demo/a"), message(4, "demo/a")),
        message(5, "demo/a", "requests"),
    ]
    assert in_order(messages, acknowledged) == sent
