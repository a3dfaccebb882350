"""In which order people read a change: where it matters first, what a machine wrote last and folded, never hidden."""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import PurePosixPath

LOCK_NAMES = frozenset(
    {
        "package-lock.json",
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "bun.lockb",
        "cargo.lock",
        "poetry.lock",
        "uv.lock",
        "pdm.lock",
        "pipfile.lock",
        "go.sum",
        "composer.lock",
        "gemfile.lock",
        "mix.lock",
        "flake.lock",
        "pubspec.lock",
    }
)
_GENERATED = re.compile(
    r"(\.min\.(js|css)|_pb2(_grpc)?\.pyi?|\.pb\.(go|cc|h)|\.snap|\.map|\.g\.dart|\.lock)$", re.IGNORECASE
)
_GENERATED_FOLDERS = frozenset({"node_modules", "vendor", "dist", "third_party", "__snapshots__"})
_TEST_FOLDERS = frozenset({"tests", "test", "testing", "__tests__", "spec", "specs", "e2e"})
_TEST_NAME = re.compile(r"^(test_.+|.+_test|.+\.(test|spec)|conftest|.+Tests?)\.[A-Za-z0-9]+$")
_DOC_ENDINGS = frozenset({".md", ".rst", ".txt", ".adoc"})


class Category(IntEnum):
    """What a file is to a reviewer; lower is read first."""

    SENSITIVE = 0
    SOURCE = 1
    TEST = 2
    DOCS = 3
    GENERATED = 4


LABELS = {
    Category.SENSITIVE: "Look here first",
    Category.SOURCE: "Source",
    Category.TEST: "Tests",
    Category.DOCS: "Documents",
    Category.GENERATED: "Generated and lock files",
}


def category_of(path: str, *, is_sensitive: bool = False) -> Category:
    """Return what the file at `path` is to a reviewer; `is_sensitive` comes from its risk."""
    pure = PurePosixPath(path)
    folders = set(pure.parts[:-1])
    if pure.name.lower() in LOCK_NAMES or _GENERATED.search(pure.name) or folders & _GENERATED_FOLDERS:
        return Category.GENERATED
    if folders & _TEST_FOLDERS or _TEST_NAME.match(pure.name):
        return Category.TEST
    if is_sensitive:
        return Category.SENSITIVE
    if pure.suffix.lower() in _DOC_ENDINGS and not pure.name.lower().startswith("requirements"):
        return Category.DOCS
    return Category.SOURCE
