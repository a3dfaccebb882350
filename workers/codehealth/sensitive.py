"""Paths whose change deserves a second look, whatever stands in them."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SensitiveKind:
    """A family of paths; `reason` is shown to people, `is_critical` ones make a change high risk alone."""

    reason: str
    is_critical: bool
    pattern: re.Pattern[str]


def _kind(reason: str, pattern: str, *, is_critical: bool = False) -> SensitiveKind:
    return SensitiveKind(reason, is_critical, re.compile(pattern, re.IGNORECASE))


# Matched against the whole path with "/" before it: "/name" means a folder or file of exactly that name.
_KINDS = (
    _kind(
        "CI configuration",
        r"/\.(github/(workflows|actions)|circleci|buildkite|woodpecker|ci)/|/\.(gitlab-ci|travis|drone|appveyor)\.ya?ml$"
        r"|/(jenkinsfile|azure-pipelines\.ya?ml|bitbucket-pipelines\.ya?ml|\.pre-commit-config\.ya?ml)$",
        is_critical=True,
    ),
    _kind(
        "secrets or keys",
        r"/\.env(\.[^/]*)?$|/\.(netrc|npmrc|pypirc|pgpass|htpasswd)$|\.(pem|key|p12|pfx|jks|kdbx|asc|gpg)$"
        r"|/id_(rsa|dsa|ecdsa|ed25519)|/[^/]*(secret|credential|password)s?[^/]*$",
        is_critical=True,
    ),
    _kind(
        "authentication or access",
        # Whole words between separators: `oauth_client.py` is one, `authors.py` is none.
        r"[/_.-](auth|authn|authz|authentication|authorization|o?auth2?|login|logout|sign[_-]?in|sso|saml|oidc|sessions?"
        r"|permissions?|access[_-]control|acl|rbac|csrf|crypto|jwt|mfa|otp)[/_.-]"
        r"|/(access|accounts|security)(\.py$|/)|/codeowners$",
        is_critical=True,
    ),
    _kind(
        "a database migration", r"/(migrations|alembic/versions|db/migrate)/[^/]+$|\.sql$", is_critical=True
    ),
    _kind(
        "a container or deployment",
        r"/(docker|container)file[^/]*$|/[^/]*\.dockerfile$|/(docker-)?compose[^/]*\.ya?ml$|/\.dockerignore$|\.tf(vars)?$"
        r"|/(k8s|kubernetes|helm|charts|ansible|terraform|deploy)/|/procfile$|\.service$",
        is_critical=True,
    ),
    _kind(
        "git's own files",
        r"/\.git(attributes|modules|ignore)$|/\.(husky|githooks)/|/hooks/(pre|post|commit|update)-",
    ),
    _kind(
        "a lock file",
        r"/(poetry\.lock|uv\.lock|pdm\.lock|pipfile\.lock|cargo\.lock|package-lock\.json|npm-shrinkwrap\.json|yarn\.lock"
        r"|pnpm-lock\.yaml|go\.sum|gemfile\.lock|composer\.lock|flake\.lock)$|\.lock$",
    ),
    _kind(
        "a dependency manifest",
        r"/(pyproject\.toml|setup\.(py|cfg)|pipfile|cargo\.toml|package\.json|go\.mod|gemfile|composer\.json|pom\.xml)$"
        r"|/build\.gradle(\.kts)?$|/(requirements|constraints)[^/]*\.(txt|in)$|/requirements/[^/]+$",
    ),
    _kind(
        "a build or shell script",
        r"\.(sh|bash|zsh|ps1|bat|cmd)$|/(gnu)?makefile$|/justfile$|\.mk$|/cmakelists\.txt$",
    ),
    _kind(
        "settings",
        r"/[^/]*(settings|config|configuration)\.(py|toml|ya?ml|json|ini|cfg)$|/(settings|config)/[^/]+$",
    ),
)


def sensitive_kinds(path: str) -> tuple[SensitiveKind, ...]:
    """Return the families that a path (relative, with "/") belongs to, critical ones first; often none."""
    kinds = [kind for kind in _KINDS if kind.pattern.search(f"/{path}")]
    return tuple(sorted(kinds, key=lambda kind: not kind.is_critical))


def is_test_path(path: str) -> bool:
    """Whether a path looks like a test file to the usual runners."""
    folders, _, name = path.lower().rpartition("/")
    if {"test", "tests", "__tests__", "spec", "specs"} & set(folders.split("/")):
        return True
    return bool(
        re.search(r"^(test_.*|.*_test|tests|conftest)\.py$|[._](test|spec)\.[a-z]+$|_test\.go$", name)
    )
