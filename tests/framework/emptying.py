"""Empties the database after a test that commits: deletes rows instead of Django's `flush`.

`flush` truncates each table on PostgreSQL, which makes and syncs new files for all of them, and then builds
content types and permissions anew. With more than a hundred tables, most of them empty, that took longer than
the tests. Deleting leaves those two tables as the migrations made them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase

KEPT = frozenset({"django_migrations", "django_content_type", "auth_permission"})


@cache
def _tables(database: str) -> tuple[str, ...]:
    names = connections[database].introspection.django_table_names(only_existing=True, include_views=False)
    return tuple(sorted(set(names) - KEPT))


def _empty(connection: BaseDatabaseWrapper, tables: tuple[str, ...]) -> None:
    quoted = [connection.ops.quote_name(name) for name in tables]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # As replica, no foreign key is checked; the order of the tables does not matter.
            deletes = "".join(f"DELETE FROM {name}; " for name in quoted)
            cursor.execute(f"DO $$ BEGIN SET LOCAL session_replication_role = replica; {deletes} END $$")
            return
        with connection.constraint_checks_disabled(), transaction.atomic(connection.alias):
            for name in quoted:
                cursor.execute(f"DELETE FROM {name}")


def _empty_all(case: TransactionTestCase) -> None:
    for database in case._databases_names(include_mirrors=False):  # type: ignore[attr-defined]
        _empty(connections[database], _tables(database))


@pytest.fixture(scope="session", autouse=True)
def _fast_emptying() -> Iterator[None]:
    """Put the deleting in the place of `flush` for the whole run."""
    patch = pytest.MonkeyPatch()
    patch.setattr(TransactionTestCase, "_fixture_teardown", _empty_all)
    yield
    patch.undo()
