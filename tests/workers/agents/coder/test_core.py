from __future__ import annotations

import pytest

from workers.agents.coder.core import CoderCore


@pytest.mark.parametrize(
    ("goal", "is_change"),
    [
        ("fix add in calc.py", True),
        ("please explain what add does and correct it", True),
        ("`add` gives wrong sums", True),
        ("Two pages called News and news! get the same address on our site.", True),
        ("what does add do?", False),
        ("how should I call it", False),
        ("hello", False),
        ("I have never seen this file, do you know who wrote it?", False),
    ],
)
def test_tells_a_wish_from_a_question(goal: str, is_change: bool) -> None:
    assert CoderCore().is_change_request(goal) is is_change
