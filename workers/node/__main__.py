"""`python -m workers.node`: one process per machine; any number of them, one of which leads the fleet."""

from __future__ import annotations

import signal
import sys

import redis

from workers.config import get_config
from workers.node.node import Node
from workers.telemetry.logging import configure_logging


def main() -> int:
    """Run until SIGTERM or SIGINT; return the exit status."""
    configure_logging("node")
    # The node waits by itself when Redis is away; a client that retries would only hold up the rest.
    client = redis.Redis.from_url(
        get_config().redis_url, socket_timeout=5, socket_connect_timeout=2, retry=None
    )
    node = Node(client)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: node.stop())
    node.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
