from __future__ import annotations

from collections.abc import Mapping

import pytest

from workers.tools.base import ToolContext
from workers.tools.errors import ToolError
from workers.tools.testing import RunTests, TestCounts, count_tests, detect_tests


def fill(context: ToolContext, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        target = context.files_dir / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


UNITTEST = "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(1, {})\n"


@pytest.mark.parametrize(
    ("files", "runner"),
    [
        ({"test_a.py": "def test_a(): pass\n"}, "pytest"),
        ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, "pytest"),
        ({"tests/test_a.py": UNITTEST.format(1), "tests/__init__.py": ""}, "unittest"),
        ({"tests/test_a.py": UNITTEST.format(1)}, "pytest"),
        ({"test_a.py": UNITTEST.format(1)}, "unittest"),
        ({"package.json": '{"scripts": {"test": "node --test"}}'}, "npm"),
        ({"package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}'}, None),
        ({"Cargo.toml": ""}, "cargo"),
        ({"go.mod": ""}, "go"),
        ({"readme.md": ""}, None),
    ],
)
def test_finds_out_how_tests_are_run(
    context: ToolContext, files: Mapping[str, str], runner: str | None
) -> None:
    fill(context, files)
    plan = detect_tests(context.files)
    assert (plan.runner if plan else None) == runner


@pytest.mark.parametrize(
    ("runner", "output", "counts"),
    [
        ("pytest", "x\n3 failed, 5 passed, 1 error in 0.12s\n", TestCounts(5, 4)),
        ("pytest", "no tests ran in 0.00s", TestCounts()),
        ("unittest", "Ran 7 tests in 0.1s\n\nFAILED (failures=2, errors=1)", TestCounts(4, 3)),
        (
            "cargo",
            "test result: ok. 5 passed; 0 failed;\ntest result: FAILED. 1 passed; 2 failed;",
            TestCounts(6, 2),
        ),
        ("go", "--- FAIL: TestA\nFAIL\tx\nok  \ty 0.1s", TestCounts(1, 1)),
        ("npm", "# pass 3\n# fail 1", TestCounts(3, 1)),
        ("npm", "Tests:       1 failed, 5 passed, 6 total", TestCounts(5, 1)),
    ],
)
def test_counts_what_passed(runner: str, output: str, counts: TestCounts) -> None:
    assert count_tests(runner, output) == counts


async def test_runs_pytest_with_sources_below_src(context: ToolContext) -> None:
    fill(
        context,
        {
            "src/pkg/__init__.py": "x = 1\n",
            "tests/test_a.py": "import pkg\n\n\ndef test_a():\n    assert pkg.x == 1\n",
        },
    )
    result = await RunTests().call({}, context)
    assert result.text.startswith("The tests pass. 1 passed. Exit code 0.")
    assert result.facts["is_whole"]


@pytest.mark.parametrize("path", ["", "tests/test_a.py"])
async def test_shows_what_failed(context: ToolContext, path: str) -> None:
    fill(context, {"tests/test_a.py": UNITTEST.format(2), "tests/__init__.py": ""})
    result = await RunTests().call({"path": path}, context)
    assert result.is_error
    assert "The tests fail. 1 failed." in result.text
    assert "AssertionError" in result.text


async def test_says_when_there_are_none(context: ToolContext) -> None:
    with pytest.raises(ToolError, match="no tests that I recognise"):
        await RunTests().call({}, context)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("runner", ["pytest", "unittest", "cargo", "go", "npm"])
@pytest.mark.parametrize("text", ["\n" * 200_000, "1" * 200_000, "1 passed " * 25_000, " " * 200_000])
def test_output_of_any_shape_is_counted_at_once(runner: str, text: str) -> None:
    """It looked at all the rest from each place in it: whoever's tests print 200 KB of one sign held the worker for hours."""
    assert count_tests(runner, text).failed in (None, 0)
