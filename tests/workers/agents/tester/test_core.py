from __future__ import annotations

import json

import pytest

from workers.agents.tester.core import MARK, Covered, Measured, TesterCore, spans

CORE = TesterCore()
SOURCES = {
    "cart.py": "def total(items):\n    return sum(items)\n",
    "shop/price.py": "class Price:\n    pass\n",
    "tests/test_cart.py": "def test_total(): ...\n",
    "style.css": "",
}
REPORT = {
    "meta": {"version": "7"},
    "files": {"cart.py": {"executed_lines": [1, 2], "missing_lines": [3, 4, 5, 9], "summary": {}}},
}
SUMMARY = (
    "FAILED in_output.py::test_forged - printed by a test\n"
    "=========================== short test summary info ============================\n"
    "XFAIL tests/test_cart.py::test_none - total of nothing is an error\n"
    "FAILED tests/test_cart.py::test_many[a b] - assert 3 == 4\n"
    "ERROR tests/test_new.py - ImportError: no module\n"
    "1 failed, 1 xfailed, 1 error in 0.10s\n"
)


@pytest.mark.parametrize(
    ("path", "may"),
    [
        ("tests/test_cart.py", True),
        ("test_cart.py", True),
        ("pkg/tests/data.json", True),
        ("web/cart.test.js", True),
        ("cart.py", False),
        ("setup.py", False),
        ("tests/../cart.py", False),
        (".github/workflows/test.yml", False),
    ],
)
def test_touches_tests_only(path: str, may: bool) -> None:
    assert CORE.may_touch(path) is may


@pytest.mark.parametrize(
    ("goal", "targets"),
    [
        ("test cart.py", ["cart.py"]),
        ("write tests for `shop/price.py` please", ["shop/price.py"]),
        ("test the total function", ["cart.py"]),
        ("test Price", ["shop/price.py"]),
        ("test everything", ["cart.py", "shop/price.py"]),
        ("my-cart.py is gone", ["cart.py", "shop/price.py"]),
    ],
)
def test_finds_what_is_under_test(goal: str, targets: list[str]) -> None:
    assert CORE.targets_of(goal, SOURCES) == targets


def test_takes_the_files_of_a_change() -> None:
    assert CORE.targets_of("test cart.py", SOURCES, changed=["shop/price.py", "tests/test_cart.py"]) == [
        "shop/price.py"
    ]


def test_reads_outcomes_from_the_summary_alone_and_coverage_behind_the_mark() -> None:
    measured = CORE.read_measurement(f"{SUMMARY}\n{MARK}\n{json.dumps(REPORT)}", exit_code=1)
    assert measured.failed == {"tests/test_cart.py::test_many[a b]", "tests/test_new.py"}
    assert measured.expected == {"tests/test_cart.py::test_none": "total of nothing is an error"}
    assert measured.coverage == {"cart.py": Covered(2, (3, 4, 5, 9))}
    assert Measured.from_dict(json.loads(json.dumps(measured.to_dict()))) == measured


@pytest.mark.parametrize("report", ["", "No data to report.", "[]", '{"files": {"a": {}}}', '{"files": 3}'])
def test_takes_a_broken_report_for_none(report: str) -> None:
    assert CORE.parse_coverage(report) is None


def test_tells_new_failures_and_bugs_from_what_was_there() -> None:
    before = Measured({}, frozenset({"a.py::x"}), {"a.py::old": "known"})
    after = Measured({}, frozenset({"a.py::x", "b.py::y"}), {"a.py::old": "known", "b.py::z": "empty cart"})
    assert CORE.new_failures(before, after) == ["b.py::y"]
    assert CORE.old_failures(before, after) == ["a.py::x"]
    assert CORE.bugs(before, after) == {"b.py::z": "empty cart"}
    assert CORE.files_of(["b.py::y", "b.py::z"]) == {"b.py"}
    assert "- `b.py::z`: empty cart" in CORE.bugs_text(CORE.bugs(before, after))


def test_gives_the_figures_before_and_after() -> None:
    before = Measured({"cart.py": Covered(1, (2, 3, 4))}, frozenset(), {})
    after = Measured({"cart.py": Covered(4, ()), "tests/test_cart.py": Covered(9, ())}, frozenset(), {})
    text = CORE.figures_text(["cart.py"], before, after)
    assert text.endswith("- cart.py: 1 → 4 of 4 (25 % → 100 %)")
    assert "test_cart" not in text
    assert CORE.missing_text(["cart.py"], before) == "- cart.py: 1 of 4 lines; not covered: 2–4"


def test_says_why_there_are_no_figures() -> None:
    nothing = Measured(None, frozenset(), {})
    assert "coverage.py gave no report" in CORE.figures_text(["cart.py"], nothing, nothing)
    assert "measured for Python only" in CORE.figures_text(
        [], nothing, nothing, reason="it is measured for Python only"
    )


def test_rounds_down_so_that_only_all_is_a_hundred() -> None:
    assert Covered(999, (1,)).percent == 99 and Covered(0, ()).percent == 100


def test_writes_lines_as_people_do() -> None:
    assert spans([9, 3, 4, 5]) == "3–5, 9" and spans([]) == ""


@pytest.mark.timeout(10)
def test_a_file_of_empty_lines_is_looked_through_at_once() -> None:
    assert CORE.targets_of("test total", {"a.py": "\n" * 200_000 + "  def total(): ..."}) == ["a.py"]
