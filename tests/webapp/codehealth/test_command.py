"""`manage.py codehealth`, run as people and CI run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest

from tests.framework.stack import ROOT

SARIF = Path(__file__).parent / "sarif-2.1.0-subset.json"
HARD = "class C:\n    def m(self, a):\n" + "        if a:\n            a -= 1\n" * 17


def codehealth(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYAGENT_HOME": str(home), "LANG": "C.UTF-8"}
    return subprocess.run(
        [sys.executable, "manage.py", "codehealth", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=50,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a hard, an easy and a broken file, and one that git ignores."""
    folder = tmp_path / "code"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "hard one.py").write_text(HARD)
    (folder / "easy.py").write_text("def f():\n    return 1\n")
    (folder / "broken.py").write_text("def (:\n")
    (folder / "made.py").write_text(HARD)
    (folder / ".gitignore").write_text("made.py\n")
    subprocess.run(["git", "init", "-q", str(folder)], check=True, timeout=20)
    return folder


def test_prints_a_table_and_fails_only_over_the_limit(folder: Path, tmp_path: Path) -> None:
    done = codehealth(str(folder), home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert "src/hard one.py:2 C.m" in done.stdout and "made.py" not in done.stdout
    assert "does not parse: broken.py:1" in done.stdout
    assert "3 files" in done.stdout and done.stdout.strip().endswith("1 over 15")
    assert codehealth(str(folder), "--fail-over", "18", home=tmp_path / "home").returncode == 0
    assert codehealth(str(folder), "--fail-over", "17", home=tmp_path / "home").returncode == 1
    absent = codehealth(str(folder / "absent"), home=tmp_path / "home")
    assert absent.returncode == 1 and "There is no file or folder" in absent.stderr


def test_prints_json_and_sarif(folder: Path, tmp_path: Path) -> None:
    plain = json.loads(codehealth(str(folder), "--format", "json", home=tmp_path / "home").stdout)
    assert [file["path"] for file in plain["files"]] == ["broken.py", "easy.py", "src/hard one.py"]
    assert plain["over"] == [{"path": "src/hard one.py", "function": "C.m", "line": 2, "cyclomatic": 18}]
    done = codehealth(str(folder), "--format", "sarif", "--fail-over", "10", home=tmp_path / "home")
    assert done.returncode == 1
    log = json.loads(done.stdout)
    jsonschema_rs.validate(json.loads(SARIF.read_text()), log, validate_formats=True)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    hard, broken = run["results"]
    assert [rules[one["ruleIndex"]] for one in (hard, broken)] == [hard["ruleId"], broken["ruleId"]]
    place = hard["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "src/hard%20one.py"
    assert place["region"] == {"startLine": 2, "endLine": 36}
    assert hard["message"]["text"] == "C.m has complexity 18, over 10."
    assert (broken["ruleId"], broken["level"]) == ("does-not-parse", "error")


def test_sarif_holds_for_every_language_and_odd_names(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "a:b %41 #1.py").write_text(HARD)
    (folder / os.fsdecode(b"odd\xff.py")).write_text(HARD)
    (folder / "broken.js").write_text("function f( {\n")
    (folder / "deep.rs").write_text("fn f(a: u8) {\n" + "    if a > 1 {}\n" * 17 + "}\n")
    log = json.loads(codehealth(str(folder), "--format", "sarif", home=tmp_path / "home").stdout)
    jsonschema_rs.validate(json.loads(SARIF.read_text()), log, validate_formats=True)
    results = log["runs"][0]["results"]
    places = [one["locations"][0]["physicalLocation"] for one in results]
    found = {place["artifactLocation"]["uri"]: one for place, one in zip(places, results, strict=True)}
    assert {"a%3Ab%20%2541%20%231.py", "broken.js", "deep.rs"} < set(found) and len(found) == 4
    assert "{{" in found["broken.js"]["message"]["text"]  # a single brace would begin a placeholder


def test_measures_one_file_and_a_folder_without_git(folder: Path, tmp_path: Path) -> None:
    one = json.loads(codehealth(str(folder / "easy.py"), "--format", "json", home=tmp_path / "home").stdout)
    assert [file["path"] for file in one["files"]] == ["easy.py"]
    subprocess.run(["rm", "-r", str(folder / ".git")], check=True)
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "x.py").write_text("x = 1\n")
    (folder / ".gitignore").write_text("node_modules/\n")
    done = json.loads(codehealth(str(folder), "--format", "json", home=tmp_path / "home").stdout)
    assert [file["path"] for file in done["files"]] == ["broken.py", "easy.py", "made.py", "src/hard one.py"]
