"""A request finds its thread's database open, has the thread for itself, and still learns at once who may no longer come in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connection

from tests.framework.people import Company
from tests.framework.web import let_go_of_the_database
from webapp.asgi import http_application
from webapp.realtime.threads import KEPT, RequestThreads
from webapp.workspaces.models import Membership

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def threads(application: Application) -> Iterator[RequestThreads]:
    """The threads of `application`; what they keep open is closed at the end."""
    threads = RequestThreads(application)
    yield threads
    for executor in tuple(threads._free):
        let_go_of_the_database(executor)
        executor.shutdown()


class Application:
    """Notes the thread and the database connection of each request; waits until it may go on."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await sync_to_async(self._look)()

    def _look(self) -> None:
        connection.ensure_connection()
        self.seen.append((threading.get_ident(), id(connection.connection)))
        self.may_go_on.wait(10)


@pytest.fixture
def application() -> Application:
    return Application()


async def test_asgiref_runs_a_request_in_the_thread_that_it_is_given() -> None:
    """`RequestThreads` stands on this; of all packages it is asgiref that may move, and then pages would only grow slower."""
    moved = (
        "asgiref has moved: webapp/realtime/threads.py must learn its new way of giving a request a thread"
    )
    given = ThreadPoolExecutor(max_workers=1, thread_name_prefix="given")
    seen = []
    try:
        for _ in range(2):
            async with ThreadSensitiveContext(executor=given):
                seen.append(await sync_to_async(threading.current_thread, thread_sensitive=True)())
        seen.append(given.submit(threading.current_thread).result())
    except (TypeError, RuntimeError) as error:
        pytest.fail(f"{moved}: {error}")
    finally:
        given.shutdown()
    assert len(set(seen)) == 1, f"{moved}: it chose threads of its own"


async def test_finds_the_database_open(application: Application, threads: RequestThreads) -> None:
    for _ in range(5):
        await threads({}, None, None)
    assert len(set(application.seen)) == 1


async def test_gives_each_of_many_at_once_a_thread_and_keeps_a_few(
    application: Application, threads: RequestThreads
) -> None:
    application.may_go_on.clear()
    at_once = [asyncio.create_task(threads({}, None, None)) for _ in range(KEPT + 4)]
    while len(application.seen) < len(at_once):
        await asyncio.sleep(0.01)
    application.may_go_on.set()
    await asyncio.gather(*at_once)
    assert len({thread for thread, _ in application.seen}) == len(at_once)
    assert len(threads._free) == KEPT


async def test_does_not_wait_behind_a_visitor_who_has_left(
    application: Application, threads: RequestThreads
) -> None:
    application.may_go_on.clear()
    leaving = asyncio.create_task(threads({}, None, None))
    while not application.seen:
        await asyncio.sleep(0.01)
    leaving.cancel()
    await asyncio.wait([leaving], timeout=0.2)
    staying = asyncio.create_task(threads({}, None, None))
    while len(application.seen) < 2:
        await asyncio.sleep(0.01)
    application.may_go_on.set()
    await asyncio.wait([leaving, staying])
    (first, _), (second, _) = application.seen
    assert first != second
    while len(threads._free) < 2:  # the one who left gives the thread back a little later
        await asyncio.sleep(0.01)


async def test_lets_nobody_in_who_was_removed_or_signed_out_a_moment_ago(company: Company) -> None:
    client = await sync_to_async(company.client)(company.member)
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    path = f"/w/{company.workspace.pk}/runs/"
    transport = httpx.ASGITransport(app=http_application)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", cookies=cookies
    ) as browser:
        assert (await browser.get(path)).status_code == 200
        await Membership.objects.filter(user=company.member).adelete()
        assert (await browser.get(path)).status_code == 404
        assert (await browser.get("/")).status_code == 200
        await sync_to_async(client.logout)()
        assert (await browser.get("/")).status_code == 302
