from __future__ import annotations

from pathlib import Path

import pytest

from workers.agents.toolloop.overview import MAX_FILES, show_sources
from workers.changes.files import WorkspaceFiles


def files_of(tmp_path: Path, files: dict[str, str]) -> WorkspaceFiles:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return WorkspaceFiles(tmp_path)


def test_shows_a_small_project_whole_and_its_tests_only_when_they_fail(tmp_path: Path) -> None:
    files = files_of(
        tmp_path, {"a.py": "x = 1\n", "b.py": "y = 2\n", "test_a.py": "import a\n", "notes.md": "-"}
    )
    assert show_sources(files, "fix y", "", limit=1000) == "a.py:\n```\nx = 1\n```\nb.py:\n```\ny = 2\n```"
    shown = show_sources(files, "fix y", "test_a.py:1: AssertionError", limit=1000)
    assert "test_a.py:\n```\nimport a\n```" in shown


def test_shows_of_a_large_project_what_the_request_names(tmp_path: Path) -> None:
    many = {f"pkg/part{n}.py": f"def f{n}():\n    pass\n" for n in range(20)}
    files = files_of(tmp_path, many | {"pkg/cart.py": "def total():\n    pass\n", "pkg/tax.py": "RATE = 1\n"})
    shown = show_sources(files, "total forgets the rate of tax.py", "", limit=4000)
    assert "pkg/tax.py:" in shown and "pkg/cart.py:" in shown and "part" not in shown


def test_puts_the_named_file_first_and_leaves_out_what_does_not_fit(tmp_path: Path) -> None:
    files = files_of(
        tmp_path, {"a.py": "a = 1\n" * 100, "z.py": "def zoom():\n    pass\n", "b.py": "b = 1\n"}
    )
    shown = show_sources(files, "zoom is wrong", "", limit=100)
    assert shown.startswith("z.py:") and "b.py:" in shown and "a.py" not in shown


def test_shows_no_more_than_a_few_files(tmp_path: Path) -> None:
    files = files_of(tmp_path, {f"tax{n}.py": "def tax():\n    pass\n" for n in range(20)})
    assert show_sources(files, "tax is wrong", "", limit=100_000).count("```\n") == 2 * MAX_FILES - 1


@pytest.mark.timeout(10)
def test_a_file_of_empty_lines_is_looked_through_at_once(tmp_path: Path) -> None:
    files = files_of(tmp_path, {"a.py": "\n" * 200_000, "b.py": "  def zoom(): ...\n"})
    assert "b.py:" in show_sources(files, "zoom is wrong", "", limit=1000)
