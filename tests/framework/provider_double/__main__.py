"""The double as a process: `python -m tests.framework.provider_double --port N --script FILE`.

FILE is JSON: {"replies": [{"text": …, "calls": […], "fault": {…}}, …], "repeat": true}. `--brain coder`
answers with the scripted coder instead.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from itertools import cycle
from pathlib import Path

from tests.framework.provider_double.coder_script import ScriptedCoder
from tests.framework.provider_double.script import Asked, Brain, Say
from tests.framework.provider_double.server import ProviderDouble


def read_script(path: Path) -> tuple[list[Say], Brain | None]:
    """Return the replies to queue and, for a script that repeats, what answers for ever."""
    data = json.loads(path.read_text())
    replies = [Say.from_dict(reply) for reply in data["replies"]]
    if not data.get("repeat"):
        return replies, None
    turn = cycle(replies)

    def answer(_asked: Asked) -> Say:
        return next(turn)

    return [], answer


async def serve(options: argparse.Namespace) -> None:
    """Serve until killed."""
    double = ProviderDouble(key=options.key)
    if options.script:
        replies, double.brain = read_script(options.script)
        double.say(*replies)
    if options.brain == "coder":
        double.brain = ScriptedCoder(token_wait_s=options.token_wait_s)
    await double.start(host=options.host, port=options.port)
    print(f"provider double ready {double.url}", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.framework.provider_double", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", type=Path)
    parser.add_argument("--brain", choices=["coder"])
    parser.add_argument("--key", help="answer 401 to any other key")
    parser.add_argument("--token-wait-s", type=float, default=0.0)
    try:
        asyncio.run(serve(parser.parse_args()))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
