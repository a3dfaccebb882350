"""Paths that deserve a second look."""

from __future__ import annotations

import pytest

from workers.codehealth.sensitive import is_test_path, sensitive_kinds

SENSITIVE = {
    "CI configuration": [
        ".github/workflows/ci.yml",
        ".gitlab-ci.yml",
        "Jenkinsfile",
        ".pre-commit-config.yaml",
    ],
    "secrets or keys": [
        ".env",
        "deploy/.env.production",
        "certs/server.pem",
        "config/secrets.yml",
        ".ssh/id_ed25519",
    ],
    "authentication or access": [
        "app/auth.py",
        "lib/oauth_client.js",
        "webapp/accounts/access.py",
        "src/login/view.ts",
    ],
    "a database migration": ["shop/migrations/0002_price.py", "db/migrate/1_x.rb", "schema.sql"],
    "a container or deployment": [
        "Dockerfile",
        "web/Dockerfile.dev",
        "docker-compose.yml",
        "k8s/web.yaml",
        "main.tf",
    ],
    "git's own files": [".gitattributes", ".gitmodules", ".husky/pre-commit"],
    "a lock file": ["poetry.lock", "web/package-lock.json", "go.sum", "requirements/base.lock"],
    "a dependency manifest": [
        "pyproject.toml",
        "requirements.txt",
        "requirements/dev.in",
        "web/package.json",
        "setup.py",
    ],
    "a build or shell script": ["run.sh", "Makefile", "tools/build.ps1"],
    "settings": ["webapp/settings.py", "config/app.yaml", "settings/base.py"],
}
ORDINARY = [
    "src/parser.py",
    "README.md",
    "docs/author.md",
    "web/app.js",
    "shop/models.py",
    "lib/authors.py.txt",
]


@pytest.mark.parametrize(
    ("reason", "path"), [(reason, path) for reason in SENSITIVE for path in SENSITIVE[reason]]
)
def test_knows(reason: str, path: str):
    assert reason in [kind.reason for kind in sensitive_kinds(path)]


@pytest.mark.parametrize("path", ORDINARY)
def test_leaves_alone(path: str):
    assert sensitive_kinds(path) == ()


def test_puts_critical_families_first():
    kinds = sensitive_kinds(".github/workflows/release.sh")
    assert [kind.is_critical for kind in kinds] == [True, False]


@pytest.mark.parametrize(
    ("path", "is_test"),
    [
        ("tests/a/b.py", True),
        ("pkg/test_a.py", True),
        ("pkg/a_test.py", True),
        ("web/a.spec.ts", True),
        ("web/a.test.js", True),
        ("pkg/a_test.go", True),
        ("conftest.py", True),
        ("pkg/contest.py", False),
        ("pkg/testing.py", False),
        ("latest/a.py", False),
    ],
)
def test_tells_test_files_from_others(path: str, is_test: bool):
    assert is_test_path(path) is is_test
