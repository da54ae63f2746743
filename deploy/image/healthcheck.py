"""The image's health check: exit 0 when the StringX process of this container is alive.

It asks STRINGX_HEALTH_URL where that is set, else the ports of the API and of the consumer, since
a container runs one of them. Standard library only.
"""

import os
import sys
from urllib.error import URLError
from urllib.request import urlopen

TIMEOUT_SECONDS = 4


def addresses() -> list[str]:
    """Where a process may answer."""
    if given := os.environ.get("STRINGX_HEALTH_URL"):
        return [given]
    ports = (
        os.environ.get("STRINGX_API_PORT", "5001"),
        os.environ.get("STRINGX_CONSUMER_PORT", "8001"),
    )
    return [f"http://127.0.0.1:{port}/health/live" for port in ports]


def main() -> int:
    """0: alive; 1: nobody answered, with the reasons on standard error."""
    reasons = []
    for address in addresses():
        try:
            with urlopen(address, timeout=TIMEOUT_SECONDS):  # noqa: S310 - the operator's own URL
                return 0
        except (URLError, OSError, ValueError) as error:
            reasons.append(f"{address}: {error}")
    print("; ".join(reasons), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
