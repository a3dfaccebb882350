"""A supervisor over the small programs that a test describes: `python harness.py '[[name, when_hopeless, argv...], ...]'`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from workers.supervisor.lines import Lines
from workers.supervisor.programs import Program
from workers.supervisor.supervisor import Supervisor


async def main() -> int:
    supervisor = Supervisor(lines=Lines(), folder=Path.cwd())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.stop)
    await supervisor.open()
    for name, when_hopeless, *argv in json.loads(sys.argv[1]):
        supervisor.add(Program(name, argv, dict(os.environ), when_hopeless=when_hopeless))
    await supervisor.until_stopped()
    await supervisor.close()
    sys.stdout.write(f"failure: {supervisor.failure}\n")
    return 1 if supervisor.failure else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
