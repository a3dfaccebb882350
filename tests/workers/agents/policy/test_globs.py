from __future__ import annotations

import random

import pytest

from workers.agents.policy import globs
from workers.agents.policy.globs import fits_path


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("**/.env", [".env", "a/.env", "a/b/.env"], ["x.env", ".env/a", "a/.envs"]),
        ("build/**", ["build/a", "build/a/b"], ["build", "rebuild/a"]),
        ("/tmp/**", ["/tmp/a"], ["/tmp", "tmp/a"]),
        (
            "**/docker-compose*.y*ml",
            ["docker-compose.yml", "a/docker-compose.dev.yaml"],
            ["docker-compose/x.yml"],
        ),
        ("a?c", ["abc"], ["a/c", "ac", "abbc"]),
        ("a**c", ["ac", "a/b/c"], ["a/b"]),
    ],
)
def test_reads_a_pattern_as_gitignore_does(pattern: str, fitting: list[str], others: list[str]) -> None:
    assert [path for path in fitting + others if fits_path(pattern, path)] == fitting


def test_both_ways_of_reading_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    source = random.Random(20261126)
    cases = [
        (
            "".join(source.choices(["a", "b", ".", "/", "?", "*", "**", "**/"], k=source.randint(0, 7))),
            "".join(source.choices("ab./", k=source.randint(0, 9))),
        )
        for _ in range(10_000)
    ]
    quick = [fits_path(pattern, path) for pattern, path in cases]
    monkeypatch.setattr(globs, "MAX_TRIES", -1)
    assert [fits_path(pattern, path) for pattern, path in cases] == quick
    assert 500 < sum(quick) < 9_500


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("**/" * 12 + "x", "/".join("a" * 40)),
        ("*a" * 20, "a" * 60 + "b"),
        ("**/a" * 200, "a/" * 20_000),
        ("**/docker-compose*.y*ml", "docker-compose" + ".y" * 20_000),
    ],
)
def test_no_pattern_and_no_path_takes_long(pattern: str, path: str) -> None:
    assert not fits_path(pattern, path)
