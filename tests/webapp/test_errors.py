"""Every error with a name that a person can meet has an answer of its own; a stranger meets no 500."""

from __future__ import annotations

import errno
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client, RequestFactory

import workers.changes
import workers.providers
import workers.sandbox
from tests.framework.people import make_person
from webapp import errors
from webapp.agents import endpoints
from webapp.api import api
from workers.changes.errors import BackupDamaged, JournalDamaged, KernelTooOld, storage_error
from workers.errors import PyAgentError

ROOTS = (workers.changes, workers.providers, workers.sandbox)


def _classes(parent: type[PyAgentError] = PyAgentError) -> Iterator[type[PyAgentError]]:
    for child in parent.__subclasses__():
        yield child
        yield from _classes(child)


def test_every_error_of_files_git_models_and_sandbox_has_a_status() -> None:
    for root in ROOTS:
        for module in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
            importlib.import_module(module.name)
    names = tuple(root.__name__ for root in ROOTS) + (errors.__name__, endpoints.__name__)
    missing = {
        one.code for one in _classes() if one.__module__.startswith(names) and one.code not in errors.STATUS
    }
    assert not missing


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.TooMany("Wait.", retry_after_s=7), "7"),
        (errors.Unavailable(), "5"),
        (storage_error(OSError(errno.EIO, "Input/output error"), "store data"), "60"),
    ],
)
def test_says_when_to_try_again_over_rest_too(error: PyAgentError, expected: str) -> None:
    reply = api.on_exception(RequestFactory().get("/api/v1/me"), error)
    assert reply["Retry-After"] == expected


@pytest.mark.parametrize(
    "error", [JournalDamaged("Unreadable.", Path("/srv/w/1/vault/journal")), BackupDamaged(), KernelTooOld()]
)
def test_does_not_ask_for_another_try_where_a_person_has_to_mend_something_first(error: PyAgentError) -> None:
    reply = api.on_exception(RequestFactory().get("/api/v1/me"), error)
    assert reply.status_code == 503 and "Retry-After" not in reply
    assert b"/srv" not in reply.content


def test_no_error_with_a_name_is_a_fault_of_ours() -> None:
    assert 500 not in errors.STATUS.values()


def test_every_operation_may_answer_that_the_database_is_away() -> None:
    for path, operations in api.get_openapi_schema()["paths"].items():
        for method, operation in operations.items():
            assert 503 in operation["responses"] or "503" in operation["responses"], f"{method} {path}"


@pytest.mark.django_db
def test_answers_the_address_of_a_form_with_a_page_that_leads_back(client: Client) -> None:
    client.force_login(make_person("ada"))
    reply = client.get("/settings/keys/")
    assert (reply.status_code, reply["Allow"]) == (405, "POST")
    assert b"go back to the page before" in reply.content
