"""What leaves for a model, seen from the model's side."""

from __future__ import annotations

import json
from typing import Any

from tests.framework.agent_bench import Bench, MakeBench
from tests.framework.keys import fake_key
from tests.framework.provider_double.script import Call
from tests.framework.provider_double.script import Say as Turn
from tests.framework.provider_double.server import ProviderDouble
from workers.agents.guarding import SecretGuard
from workers.codehealth.patterns import pattern_set
from workers.events import StepFinished
from workers.providers.types import FilePart, ImagePart, Message, ModelRequest, TextPart
from workers.queue import Job

TOKEN = fake_key("glpat-", 20)
OWN = "INTERNAL-4711-ZULU"


def job(bench: Bench, double: ProviderDouble, **fields: Any) -> Job:
    model = {
        "provider": "openai",
        "model": "m",
        "base_url": double.base_url("openai"),
        "context_tokens": 32_000,
    }
    return bench.job("what does settings.py hold?", agent="coder", model=model, **fields)


async def test_shows_a_model_no_secret_and_tells_people_that_it_hid_one(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"settings.py": f"NAME = 'x'\nTOKEN = '{TOKEN}'\nOTHER = '{OWN}'\n"})
    provider_double.say(
        Turn(calls=(Call("read_file", {"path": "settings.py"}),)),
        Turn(calls=(Call("finish", {"answer": "A token."}),)),
    )
    rule = {
        "id": "own",
        "kind": "secret",
        "message": "Internal number",
        "pattern": r"INTERNAL-\d+-[A-Z]+",
        "endings": [],
    }
    assert await bench.run(job(bench, provider_double, rules=[rule])) == "finished"
    sent = "".join(str(asked.body) for asked in provider_double.asked)
    assert TOKEN not in sent
    assert OWN not in sent
    assert "[hidden: gitlab-token]" in sent
    assert "NAME = 'x'" in sent
    hidden = [event.detail["hidden"] for event in bench.relay.of(StepFinished) if "hidden" in event.detail]
    assert hidden == [["GitLab token ×1", "Internal number ×1"]]


def test_hides_secrets_in_every_part_that_is_text() -> None:
    guard = SecretGuard(pattern_set(()))
    picture = ImagePart(TOKEN.encode())
    parts = (
        TextPart(f"token {TOKEN}"),
        FilePart(f"TOKEN={TOKEN}\n".encode(), "text/plain; charset=utf-8", "a.env"),
        FilePart(json.dumps({"token": TOKEN}).encode(), "application/json", f"{TOKEN}.json"),
        picture,
    )
    request = guard.conceal(ModelRequest(messages=(Message("user", "look", parts=parts),)))
    text, env, data, same = request.messages[0].parts
    assert TOKEN not in f"{text}{env}{data}"
    assert isinstance(env, FilePart) and env.data.startswith(b"TOKEN=[hidden")
    assert same is picture
    assert sum(guard.hidden.values()) == 4
