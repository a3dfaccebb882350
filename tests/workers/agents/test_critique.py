from __future__ import annotations

import pytest

from workers.agents.critique import Critique, ReflectionCore

core = ReflectionCore()


@pytest.mark.parametrize("text", ["CONFIRM", " CONFIRM.\n"])
def test_confirms(text: str) -> None:
    assert core.read(text).kind == "confirm"


def test_asks_for_one_more_pass_with_the_reason() -> None:
    critique = core.read("AGAIN: divide() still fails for 0.\nIt raises ValueError.\n")
    assert critique == Critique(kind="again", reason="divide() still fails for 0.\nIt raises ValueError.")
    assert critique.sends_back


@pytest.mark.parametrize(
    "text",
    [
        "",
        "OK",
        "VERIFIED",
        "confirm",
        "Looks good to me!",
        "AGAIN",
        "AGAIN:  \n",
        "I think: AGAIN: x",
        "CONFIRM, but AGAIN: x",
        "AGAIN: fine, so CONFIRM",
        "CONFIRM\nHere is better code:\n```py\nx = 1\n```",
        "def add(a, b):\n    return a + b",
        "AGAIN: " + "x" * 2_001,
    ],
)
def test_what_is_not_plain_is_unclear_and_sends_nobody_back(text: str) -> None:
    critique = core.read(text)
    assert (critique.kind, critique.sends_back, critique.reason) == ("unclear", False, "")


def _ran(command: str, exit_code: int) -> dict[str, object]:
    return {"command": command, "exit_code": exit_code, "output": "1 failed"}


def test_a_failing_test_beats_an_opinion_and_other_commands_prove_nothing() -> None:
    found = core.from_evidence([_ran("python -m pytest -q", 1), _ran("ls", 0)])
    assert found is not None
    assert found.is_evidence
    assert "`python -m pytest -q` fails" in found.reason
    assert "1 failed" in found.reason
    assert core.from_evidence([_ran("grep nothing", 1), _ran("cargo test", 0)]) is None


def test_the_question_holds_request_answer_evidence_and_as_much_of_the_change_as_fits() -> None:
    request = core.question(
        goal="mend it", answer="mended", diff="+x\n" * 50_000, evidence=[_ran("pytest", 0)], max_chars=8_000
    )
    text = request.messages[1].content
    assert all(part in text for part in ("mend it", "mended", "`pytest`: exit code 0", "+x"))
    assert sum(len(message.content) for message in request.messages) < 9_000
    assert request.tools == ()


def test_tells_people_what_came_of_it() -> None:
    critiques = [Critique(kind="again", reason="x"), Critique(kind="unclear"), Critique(kind="unclear")]
    assert core.describe(critiques) == (
        "Self-critique: asked for more, unclear, so the answer stands 2 times"
    )
    assert core.describe([]) == ""


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ('{"fault": "", "verdict": "CONFIRM"}', "confirm", ""),
        ('{"fault": "add(0, 1) gives -1.", "verdict": "AGAIN"}', "again", "add(0, 1) gives -1."),
        ('{"fault": " ", "verdict": "AGAIN"}', "unclear", ""),
        ('{"fault": "x", "verdict": "VERIFIED"}', "unclear", ""),
        ('{"fault": 3, "verdict": "AGAIN"}', "unclear", ""),
        ("CONFIRM", "unclear", ""),
        ("[1]", "unclear", ""),
        ("", "unclear", ""),
    ],
)
def test_reads_what_a_model_says_that_answers_in_json_only(text: str, kind: str, reason: str) -> None:
    critique = core.read(text, is_constrained=True)
    assert (critique.kind, critique.reason) == (kind, reason)


def test_asks_such_a_model_in_its_own_form() -> None:
    asked = core.question(goal="g", answer="a", diff="d", evidence=[], max_chars=4_000, is_constrained=True)
    assert asked.response_schema is not None and '"verdict": "AGAIN"' in asked.messages[0].content
    plain = core.question(goal="g", answer="a", diff="d", evidence=[], max_chars=4_000)
    assert plain.response_schema is None and "AGAIN: <the fault" in plain.messages[0].content
