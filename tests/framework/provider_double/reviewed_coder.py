"""A scripted coder whose first change is one line too much, and who answers a must-fix with a second revision."""

from __future__ import annotations

import re

from tests.framework.provider_double.script import Asked, Call, Say

FILES: dict[str, str | bytes] = {
    "calc.py": "def add(a, b):\n    return a - b\n\n\n" + "".join(f"# line {n}\n" for n in range(20)),
    "notes.py": 'GREETING = "hello"\n',
    "test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(2, 2) == 4\n",
}
THOUGHT = "First I look at what is there, word by word, so that whoever watches sees me think. " * 3
FIRST = (
    Say(THOUGHT, (Call("list_files"),), token_wait_s=0.06),
    Say(
        "This line is wrong.",
        (Call("edit_file", {"path": "calc.py", "old_text": "a - b", "new_text": "a + b"}),),
    ),
    Say(
        "And this could be nicer.",
        (Call("edit_file", {"path": "notes.py", "old_text": "hello", "new_text": "hallo"}),),
    ),
    Say("Now the tests.", (Call("run_tests"),)),
    Say("", (Call("finish", {"answer": "add() added nothing; now it does."}),)),
)


def second(comment_id: int) -> tuple[Say, ...]:
    """What the model says to the remark with this number."""
    explained = 'return a + b  # the sum, not the "difference"'
    answers = [{"comment_id": comment_id, "text": "It says so now."}]
    return (
        Say(
            "I say why.",
            (Call("edit_file", {"path": "calc.py", "old_text": "return a + b", "new_text": explained}),),
        ),
        Say("", (Call("finish", {"answer": "Explained.", "answers": answers}),)),
    )


def play(asked: Asked) -> Say:
    """Say the next line of the script that fits the conversation."""
    said = "\n".join(message["content"] for message in asked.messages if message["role"] == "user")
    remark = re.search(r"Comment (\d+) \(must-fix\)", said)
    if not asked.tools:
        return Say("OK")
    script = second(int(remark[1])) if remark else FIRST
    return script[min(sum(message["role"] == "tool" for message in asked.messages), len(script) - 1)]
