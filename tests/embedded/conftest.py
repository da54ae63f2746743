"""A folder that an unprivileged user can reach, unlike pytest's own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="stringx-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)
