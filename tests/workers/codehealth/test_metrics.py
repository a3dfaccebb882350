"""The door to the Rust core."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from workers.codehealth.metrics import Diagnosis, audit_paths, audit_source, outline_source

REPOSITORY = Path(__file__).parents[3]


def test_gives_typed_figures():
    audit = audit_source(b"def f(a):\n    if a and b:\n        return a + 1\n", path="pkg/f.py")
    (function,) = audit.functions
    assert (audit.path, audit.language, audit.errors) == ("pkg/f.py", "python", ())
    assert (function.qualname, function.kind, function.line, function.end_line) == ("f", "function", 1, 3)
    assert (function.cyclomatic, function.cyclomatic_mccabe, function.complexity_radon) == (2, 2, 3)
    assert audit.halstead is not None
    assert (audit.halstead.N1, audit.halstead.N2, audit.raw.sloc) == (2, 4, 3)
    assert audit.worst_function is function


def test_gives_a_diagnosis_where_there_are_no_figures():
    audit = audit_source(b"x = (\n", path="x.py")
    assert audit.errors == (Diagnosis(2, 1, "unexpected EOF while parsing"),)
    assert audit.maintainability_index is audit.halstead is audit.worst_function is None


def test_counts_lines_of_other_languages():
    audit = audit_source(b"let a = 1;\n\n", path="a.txt")
    assert (audit.language, audit.functions, audit.raw.loc) == (None, (), 2)


def test_audits_many_files_in_order(tmp_path: Path):
    for number in range(20):
        (tmp_path / f"{number}.py").write_text("def f(): pass\n" * number)
    audits = audit_paths([f"{number}.py" for number in range(20)], root=tmp_path, threads=2)
    assert [len(audit.functions) for audit in audits] == list(range(20))


def test_outlines_a_source():
    outline = outline_source(b"def f(a, b=1): ...\n")
    assert (outline.is_parsed, outline.symbols[0].qualname, outline.symbols[0].signature) == (
        True,
        "f",
        "(a, b=1)",
    )


def test_says_how_to_build_a_core_that_is_missing(tmp_path: Path):
    (tmp_path / "rust_core").mkdir()  # what the import finds in a clone that was not built
    script = f"""
import sys
sys.path = [{str(tmp_path)!r}, {str(REPOSITORY)!r}, *(path for path in sys.path if "site-packages" not in path)]
try:
    import workers.codehealth.metrics
except Exception as error:
    print(error.code, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.startswith("rust_core_missing")
    assert "make rust" in done.stdout
