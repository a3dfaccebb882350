"""A mistake is made once: what a reviewer rejects and what tests find is told to the next run, over the whole stack."""

from __future__ import annotations

import pytest

from tests.benchmarks.lessons_experiment import TASKS, experiment
from tests.framework.stack import Stack

pytestmark = [pytest.mark.flow, pytest.mark.timeout(400)]


def test_a_mistake_is_not_made_again_once_its_lesson_is_known(stack: Stack) -> None:
    with stack.api(stack.person("lessons", is_owner=True)) as api:
        result = experiment(stack, api, rounds=2, with_lessons=True)
    assert result.mistakes == [len(TASKS), 0]
    assert result.told_astray == 0
    assert max(result.known_after_s) < 3.0  # measured without other load: below one second
    by_pattern = {lesson["pattern"]: lesson for lesson in result.lessons}
    assert len(by_pattern) == len(TASKS)
    for task in TASKS:
        lesson = next(found for pattern, found in by_pattern.items() if task.knows in pattern)
        assert lesson["source"] == ("hunk" if task.reason else "test")
        assert lesson["successes"] >= 1, lesson
