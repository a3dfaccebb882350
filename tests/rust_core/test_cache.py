"""Audits kept on disk: equal to fresh ones, whatever has happened to the folder."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

import rust_core
from tests.rust_core.corpus import sample

PATHS = [str(path) for path in sample(120, seed=11, max_bytes=30_000)]


@pytest.fixture(scope="module")
def fresh() -> list[dict]:
    return rust_core.audit_paths(PATHS)


def packs(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.pack"))


def test_gives_the_same_audits_from_the_cache(tmp_path: Path, fresh: list[dict]):
    assert rust_core.audit_paths(PATHS, cache=tmp_path) == fresh
    assert packs(tmp_path)
    written = {path: path.stat().st_mtime_ns for path in packs(tmp_path)}
    assert rust_core.audit_paths(PATHS, cache=tmp_path) == fresh
    assert {path: path.stat().st_mtime_ns for path in packs(tmp_path)} == written


def test_goes_by_content_and_language_not_by_name(tmp_path: Path):
    source = "def f():\n    return 1\n"
    (tmp_path / "a.py").write_text(source)
    (tmp_path / "b.txt").write_text(source)
    for _ in range(2):
        python, text = rust_core.audit_paths(
            [tmp_path / "a.py", tmp_path / "b.txt"], cache=tmp_path / "cache"
        )
        assert (len(python["functions"]), python["language"]) == (1, "python")
        assert (len(text["functions"]), text["language"]) == (0, None)
    (tmp_path / "a.py").write_text(source * 2)
    assert len(rust_core.audit_paths([tmp_path / "a.py"], cache=tmp_path / "cache")[0]["functions"]) == 2


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "grow", "stir", "folder", "pipe"])
def test_refuses_damaged_packs_and_mends_them(tmp_path: Path, fresh: list[dict], harm: str):
    rust_core.audit_paths(PATHS, cache=tmp_path)
    dice = random.Random(harm)
    for pack in packs(tmp_path):
        _damage(pack, harm, dice)
    assert rust_core.audit_paths(PATHS, cache=tmp_path) == fresh
    if harm in {"folder", "pipe"}:
        return
    sizes = [pack.stat().st_size for pack in packs(tmp_path)]
    assert rust_core.audit_paths(PATHS, cache=tmp_path) == fresh
    assert [pack.stat().st_size for pack in packs(tmp_path)] == sizes


def _damage(pack: Path, harm: str, dice: random.Random) -> None:
    data = bytearray(pack.read_bytes())
    match harm:
        case "flip":
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        case "cut":
            del data[dice.randrange(len(data)) :]
        case "empty":
            data.clear()
        case "grow":
            data += dice.randbytes(40)
        case "stir":
            data = bytearray(dice.randbytes(len(data)))
    pack.unlink()
    match harm:
        case "folder":
            pack.mkdir()
        case "pipe":
            os.mkfifo(pack)
        case _:
            pack.write_bytes(data)


def test_serves_many_processes_at_once(tmp_path: Path, fresh: list[dict]):
    script = (
        "import sys, rust_core\n"
        "paths = sys.stdin.read().split('\\n')\n"
        "expected = rust_core.audit_paths(paths)\n"
        "for start in range(6):\n"
        "    assert rust_core.audit_paths(paths[start::2], cache=sys.argv[1]) == expected[start::2]\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n".join(PATHS))
        process.stdin.close()
    assert [process.wait(60) for process in running] == [0] * 4
    assert rust_core.audit_paths(PATHS, cache=tmp_path) == fresh
    assert not list(tmp_path.rglob("*.tmp"))


def test_works_without_a_place_to_write(tmp_path: Path, fresh: list[dict]):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="directory|exists"):
        rust_core.audit_paths(PATHS[:1], cache=tmp_path / "file")
    rust_core.audit_paths(PATHS[:1], cache=tmp_path / "cache")
    (build,) = (tmp_path / "cache").iterdir()
    for pack in packs(build):
        pack.unlink()
    build.rmdir()
    build.write_text("")
    with pytest.raises(OSError):
        rust_core.audit_paths(PATHS[:1], cache=tmp_path / "cache")


def test_clears_away_what_older_builds_and_dead_writers_left(tmp_path: Path):
    rust_core.audit_paths(PATHS[:1], cache=tmp_path)
    (build,) = tmp_path.iterdir()
    old_build, foreign, dead = tmp_path / ("0" * len(build.name)), tmp_path / "notes", build / "00.1-1.tmp"
    young = build / "00.2-2.tmp"
    for path in (old_build, foreign):
        path.mkdir()
        (path / "00.pack").write_text("")
    dead.write_text("")
    young.write_text("")
    for path in (old_build, foreign, dead):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    rust_core.audit_paths(PATHS[1:], cache=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([build.name, "notes"])
    assert young.exists()
    assert not dead.exists()
