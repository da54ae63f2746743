"""The domain of StringX: rules, checks, verdicts and the contracts they travel by.

Knows the standard library and pydantic; each other library stays in the one module named after
what it is for (`logs`, `documents`, `client`).
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("stringx")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0.1.0"
