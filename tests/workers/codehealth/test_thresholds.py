"""Limits that a workspace sets."""

from __future__ import annotations

from workers.codehealth.metrics import audit_source
from workers.codehealth.thresholds import Thresholds, breaches

SOURCE = "def simple(): pass\ndef hard(a):\n" + "    if a + a * 2 > 3: a -= 1\n" * 20


def test_names_every_function_over_the_limit():
    audit = audit_source(SOURCE, path="x.py")
    (breach,) = breaches(audit, Thresholds(max_cyclomatic=15, min_maintainability=None))
    assert breach.sentence == "x.py:2: hard has complexity 21, over 15"


def test_names_a_file_below_the_limit():
    audit = audit_source(SOURCE, path="x.py")
    (breach,) = breaches(audit, Thresholds(max_cyclomatic=None, min_maintainability=90))
    assert breach.function is None
    assert breach.sentence.startswith("x.py: maintainability ")


def test_keeps_silent_when_everything_is_in_order_or_switched_off():
    audit = audit_source("def f(): pass\n", path="x.py")
    assert breaches(audit, Thresholds()) == []
    assert breaches(audit_source(SOURCE, path="x.py"), Thresholds(None, None)) == []
    assert breaches(audit_source("def f(:\n", path="x.py"), Thresholds()) == []
