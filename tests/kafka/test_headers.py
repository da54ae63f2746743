"""A header whose name is no text: the message is a dead letter, and the worker lives."""

from __future__ import annotations

import subprocess

from tests.conftest import require_program
from tests.kafka.conftest import Lane, eventually


def test_a_header_whose_name_is_no_text_is_a_dead_letter(shared: Lane) -> None:
    kcat = require_program("kcat")
    worker = shared.workers[0]
    count = 'stringx_consumer_dead_letters_total{code="header_invalid"}'
    before = worker.metric(count)
    for _ in range(3):
        subprocess.run(
            [kcat, "-b", shared.kafka.servers, "-t", shared.topic, "-P", "-H", b"\xff\xfe=1"],
            input=b'{"table": "shop.clean"}\n',
            check=True,
            timeout=60,
        )
    shared.once_each(shared.request(3))
    eventually(lambda: worker.metric(count) == before + 3, worker.log)
    assert worker.ready()
