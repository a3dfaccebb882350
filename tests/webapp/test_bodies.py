"""A request brings no more than it may, whoever sends it."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.framework.web import WebProcess
from webapp.bodies import GRACE_S, LARGE_AT_ONCE, LARGE_BODY_BYTES, MIB, SMALL_BODY_BYTES

pytestmark = pytest.mark.django_db(transaction=True)
PIECE = b"a" * MIB


@contextmanager
def request(web: WebProcess, path: str, headers: str) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost:{web.port}\r\n{headers}\r\n\r\n"
        connection.sendall(head.encode())
        yield connection


def status_of(connection: socket.socket) -> int:
    return int(connection.recv(65_536).split()[1])


def test_a_body_that_is_too_large_is_refused_before_it_is_read(web_process: WebProcess) -> None:
    for path, size in (
        ("/accounts/login/", SMALL_BODY_BYTES + 1),
        ("/new", LARGE_BODY_BYTES),
        ("/new/", LARGE_BODY_BYTES + 1),
        ("/api/v1/workspaces/upload?x=1", 2**62),
    ):
        with request(web_process, path, f"Content-Length: {size}") as connection:
            reply = connection.recv(65_536)
            assert reply.startswith(b"HTTP/1.1 413"), (path, reply)
            assert json.loads(reply.partition(b"\r\n\r\n")[2])["error"]["code"] == "too_large"


def test_a_body_without_a_length_is_cut_where_it_grows_too_large(web_process: WebProcess) -> None:
    before = web_process.rss_bytes()
    with request(web_process, "/new/", "Transfer-Encoding: chunked") as connection:
        try:
            for _ in range(200):
                connection.sendall(b"%x\r\n%s\r\n" % (MIB, PIECE))
            reply = connection.recv(65_536)
        except ConnectionError:
            reply = b"HTTP/1.1 413 (the answer was overtaken by the end of the connection)"
    assert reply.startswith(b"HTTP/1.1 413")
    assert web_process.rss_bytes() - before < 64 * MIB


def test_few_large_bodies_are_taken_at_once_and_others_are_told_to_wait(web_process: WebProcess) -> None:
    length = f"Content-Length: {20 * MIB}"
    with ExitStack() as stack:
        for _ in range(LARGE_AT_ONCE):
            stack.enter_context(request(web_process, "/new/", length)).sendall(PIECE)
        time.sleep(0.3)
        with request(web_process, "/new/", length) as connection:
            reply = connection.recv(65_536)
            assert reply.startswith(b"HTTP/1.1 503")
            assert b"Retry-After: 5" in reply
        with request(web_process, "/accounts/login/", "Content-Length: 3") as connection:
            connection.sendall(b"a=b")
            assert status_of(connection) == 403, "small ones go on"
    time.sleep(0.3)
    with request(web_process, "/new/", length) as connection:
        for _ in range(20):
            connection.sendall(PIECE)
        assert status_of(connection) == 403, "there is room again; the form has no token"


def test_who_hardly_sends_keeps_nobody_from_uploading(web_process: WebProcess) -> None:
    length = f"Content-Length: {20 * MIB}"
    with ExitStack() as stack:
        held = [stack.enter_context(request(web_process, "/new/", length)) for _ in range(LARGE_AT_ONCE)]
        for connection in held:
            connection.sendall(b"a")
        held[0].sendall(PIECE)  # fast enough for a while
        time.sleep(GRACE_S + 1)
        for _ in range(LARGE_AT_ONCE - 1):
            with request(web_process, "/new/", length) as connection:
                for _ in range(20):
                    connection.sendall(PIECE)
                assert status_of(connection) == 403, "it was taken; the form has no token"
        refused = [connection for connection in held if _is_answered(connection)]
        assert len(refused) == 1 and refused[0] is not held[0]
        assert status_of(refused[0]) == 408


def _is_answered(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0.2)[0])


def test_a_client_cannot_say_where_the_application_is_mounted(web_process: WebProcess) -> None:
    with request(
        web_process, "/accounts/login/", "Content-Length: 0\r\nDaphne-Root-Path: /evil"
    ) as connection:
        assert b"/evil" not in connection.recv(65_536)
