"""The terminal's socket over a real Daphne: who gets a shell, what happens to it when the browser is slow, lost or rude."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.framework.people import PASSWORD, Company
from tests.framework.web import WebProcess
from webapp.accounts.services import sign_out_everywhere
from webapp.editor.terminals import CHUNK, MAX_PER_PERSON, MAX_WAITING_INPUT, WINDOW
from webapp.workspaces.models import Membership
from webapp.workspaces.services import add_member, remove_member, set_role

pytestmark = pytest.mark.django_db(transaction=True)


class Shell:
    """One tab with a terminal."""

    def __init__(
        self,
        process: WebProcess,
        client: Client | None,
        workspace_id: int,
        *,
        origin: str | None = "",
        query: str = "",
    ) -> None:
        cookies = client.cookies.items() if client else []
        headers = (
            {"Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in cookies)} if client else {}
        )
        url = f"ws://localhost:{process.port}/ws/workspaces/{workspace_id}/terminal?rows=30&cols=100{query}"
        self.socket = connect(
            url,
            additional_headers=headers,
            origin=process.origin if origin == "" else origin,
            proxy=None,
            max_size=None,
            max_queue=None,
            legacy=True,
        )
        self.said: list[dict[str, Any]] = []
        self.output = b""
        self.is_acknowledging = True
        self.offset = 0

    def read(self, timeout_s: float = 10.0) -> None:
        """Take in one frame."""
        frame = self.socket.recv(timeout=timeout_s)
        if isinstance(frame, str):
            self.said.append(json.loads(frame))
            if self.said[-1]["type"] == "ready":
                self.offset = self.said[-1]["offset"]
        else:
            self.output += frame
            if self.is_acknowledging:
                self.tell(type="ack", bytes=self.offset + len(self.output))

    def ready(self) -> dict[str, Any]:
        """Return the greeting."""
        while not [message for message in self.said if message["type"] == "ready"]:
            self.read()
        return self.said[-1]

    def until(self, wanted: bytes, *, timeout_s: float = 20.0) -> bytes:
        """Read until the output holds `wanted`; return all of it."""
        until = time.monotonic() + timeout_s
        while wanted not in self.output:
            self.read(max(until - time.monotonic(), 0.01))
        return self.output

    def tell(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def type(self, text: str) -> None:
        self.socket.send(text.encode())

    def close_code(self, timeout_s: float = 10.0) -> int | None:
        """Read until the server closes; return its code."""
        until = time.monotonic() + timeout_s
        try:
            while True:
                self.read(max(until - time.monotonic(), 0.01))
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


@pytest.fixture
def shell(company: Company, web_process: WebProcess) -> Iterator[Callable[..., Shell]]:
    opened: list[Shell] = []

    def open_shell(person: Any = company.member, **options: Any) -> Shell:
        client = company.client(person) if person is not None else None
        opened.append(Shell(web_process, client, company.workspace.pk, **options))
        return opened[-1]

    yield open_shell
    for each in opened:
        try:
            each.tell(type="close")
            each.close_code(5)
        except (ConnectionClosed, TimeoutError):
            pass
        each.socket.close_socket()


def test_runs_a_shell_in_the_workspace(shell: Callable[..., Shell], company: Company) -> None:
    from webapp.workspaces.repositories import repository_of

    tab = shell()
    tab.ready()
    tab.type("stty size; echo made > by-hand; echo do''ne\n")
    assert b"30 100\r\n" in tab.until(b"done\r\n")
    assert (repository_of(company.workspace).files_dir / "by-hand").read_text() == "made\n"
    tab.tell(type="resize", rows=41, cols=121)
    tab.type("stty size\n")
    tab.until(b"41 121\r\n")


@pytest.mark.parametrize(("who", "code"), [("viewer", 4403), ("stranger", 4403), ("nobody", 4401)])
def test_gives_no_shell_to_who_may_not_edit(
    shell: Callable[..., Shell], company: Company, who: str, code: int
) -> None:
    tab = shell(None if who == "nobody" else getattr(company, who))
    assert tab.close_code() == code
    assert tab.output == b""


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example"])
def test_refuses_the_handshake_of_a_foreign_page(shell: Callable[..., Shell], origin: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        shell(origin=origin)
    assert refused.value.response.status_code == 403


def test_comes_back_to_the_same_shell_and_misses_nothing(shell: Callable[..., Shell]) -> None:
    first = shell()
    session = first.ready()["session"]
    first.type("mine=kept; for i in 1 2 3 4 5 6 7 8 9; do echo line-$i; sleep 0.2; done; echo al''l\n")
    first.until(b"line-2\r\n")
    shown = len(first.output)
    first.socket.close_socket()
    time.sleep(0.7)
    second = shell(query=f"&session={session}&after={shown}")
    assert second.ready()["offset"] == shown
    second.until(b"all\r\n")
    whole = first.output + second.output
    assert re.findall(rb"line-\d\r\n", whole) == [b"line-%d\r\n" % number for number in range(1, 10)]
    second.type("echo $mine\n")
    second.until(b"kept\r\n")


def test_gives_nobody_elses_shell(shell: Callable[..., Shell], company: Company) -> None:
    session = shell().ready()["session"]
    other = shell(company.maintainer, query=f"&session={session}&after=0")
    assert other.ready()["session"] != session
    assert other.said[0] == {"type": "gone"}


def test_tells_when_the_shell_has_ended(shell: Callable[..., Shell]) -> None:
    tab = shell()
    tab.ready()
    tab.type("exit 3\n")
    assert tab.close_code() == 1000
    assert tab.said[-1] == {"type": "ended", "exit_code": 3, "ended_by": "exit"}


def test_stops_the_program_while_the_browser_does_not_keep_up(
    shell: Callable[..., Shell], web_process: WebProcess
) -> None:
    tab = shell()
    tab.ready()
    tab.is_acknowledging = False
    before = web_process.rss_bytes()
    tab.type("yes 0123456789abcdef\n")
    with pytest.raises(TimeoutError):
        while True:
            tab.read(2.0)
    assert WINDOW <= len(tab.output) <= WINDOW + CHUNK
    assert web_process.rss_bytes() - before < 16 * 1024 * 1024
    tab.is_acknowledging = True
    tab.tell(type="ack", bytes=len(tab.output))
    held = len(tab.output)
    while len(tab.output) < held + 4 * WINDOW:
        tab.read()
    tab.type("\x03")


def test_bounds_how_many_shells_a_person_has(shell: Callable[..., Shell]) -> None:
    tabs = [shell() for _ in range(MAX_PER_PERSON)]
    for tab in tabs:
        tab.ready()
    refused = shell()
    assert refused.close_code() == 4429
    assert refused.said[-1]["code"] == "too_many"
    tabs[0].socket.close_socket()
    time.sleep(0.5)
    # One without a browser makes room.
    shell().ready()


def test_bounds_what_is_typed_ahead(shell: Callable[..., Shell]) -> None:
    tab = shell()
    tab.ready()
    tab.type("stty raw -echo; echo rea''dy; sleep 60\n")
    tab.until(b"ready")
    with pytest.raises(ConnectionClosed):
        for _ in range(MAX_WAITING_INPUT // 32_768 + 8):
            tab.socket.send(b"x" * 32_768)
            time.sleep(0.02)
        tab.close_code()
        tab.socket.send(b"x")
    assert tab.socket.protocol.close_rcvd is not None
    assert tab.socket.protocol.close_rcvd.code == 4413


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{",
        "[]",
        "null",
        '{"type":"nonsense"}',
        '{"type":"resize","rows":-1,"cols":5}',
        '{"type":"ack","bytes":"all"}',
        b"x" * 70_000,
    ],
)
def test_closes_on_what_is_no_frame(shell: Callable[..., Shell], frame: str | bytes) -> None:
    tab = shell()
    tab.ready()
    tab.socket.send(frame)
    assert tab.close_code() == 4400


SOON_S = 5.0
"""The news take less than 0.1 s at load 12; without them it is looked at every 15 s."""


def _remove(company: Company) -> None:
    remove_member(workspace=company.workspace, user_id=company.member.pk)


def _make_a_viewer(company: Company) -> None:
    set_role(workspace=company.workspace, user_id=company.member.pk, role="viewer")


def _sign_out_everywhere(company: Company) -> None:
    sign_out_everywhere(user=company.member)


@pytest.mark.parametrize(
    ("lose", "code"), [(_remove, 4403), (_make_a_viewer, 4403), (_sign_out_everywhere, 4401)]
)
def test_ends_the_shell_at_once_of_who_may_no_longer_have_one(
    company: Company, web_process: WebProcess, shell: Callable[..., Shell], lose: Callable, code: int
) -> None:
    client = Client()  # signs in by the form, by which the session is known as the person's
    client.post("/accounts/login/", {"login": company.member.email, "password": PASSWORD})
    tab = Shell(web_process, client, company.workspace.pk)
    other = shell(company.maintainer)
    tab.ready()
    other.ready()
    time.sleep(0.5)  # by then the look at the beginning is over, and only news can tell
    lose(company)
    assert tab.close_code(SOON_S) == code
    other.type("echo still he''re\n")
    other.until(b"still here")


def test_ends_the_shell_also_while_no_browser_shows_it(company: Company, shell: Callable[..., Shell]) -> None:
    tab = shell()
    session = tab.ready()["session"]
    tab.socket.close_socket()
    _remove(company)
    time.sleep(SOON_S)
    add_member(workspace=company.workspace, user=company.member, role="member")
    back = shell(query=f"&session={session}&after=0")
    back.ready()
    assert back.said[0] == {"type": "gone"}


def test_ends_the_shell_of_who_is_made_a_viewer_also_without_news(
    shell: Callable[..., Shell], company: Company
) -> None:
    tab = shell()
    tab.ready()
    time.sleep(0.5)
    Membership.objects.filter(user=company.member).update(role="viewer")
    assert tab.close_code(timeout_s=25) == 4403
