"""Complexity × changes."""

from __future__ import annotations

from workers.codehealth.auditor import CodeHealthAuditor
from workers.codehealth.hotspots import Churn, hotspots, new_hotspots

HARD = b"def f():\n  def g():\n    if a: pass\n  for x in b:\n    if x: pass\n"
EASY = b"def f():\n  if a: pass\n"

audits = CodeHealthAuditor(threads=1).audit_sources(
    [("calm.py", HARD), ("hot.py", HARD), ("busy.py", EASY), ("flat.py", b"x = 1\n"), ("new.py", HARD)]
)
CHURN = {
    "calm.py": Churn(1),
    "hot.py": Churn(10, 40, 5),
    "busy.py": Churn(12),
    "flat.py": Churn(99),
    "gone.py": Churn(3),
}


def test_puts_complex_files_that_change_often_first():
    found = hotspots(audits, CHURN)
    assert [(one.path, one.complexity, one.score) for one in found] == [
        ("hot.py", 5, 50),
        ("busy.py", 1, 12),
        ("calm.py", 5, 5),
    ]
    assert found[0].worst_function is not None
    assert found[0].worst_function.qualname == "f"
    assert [one.path for one in hotspots(audits, CHURN, limit=1)] == ["hot.py"]


def test_tells_which_hotspots_are_new():
    before = hotspots(audits, {"calm.py": Churn(2)})
    assert [one.path for one in new_hotspots(before, hotspots(audits, CHURN))] == ["hot.py", "busy.py"]
