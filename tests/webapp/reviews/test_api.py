from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.webapp.reviews.conftest import BASE, THREE_HUNKS, Desk
from webapp.accounts.models import User
from webapp.reviews.models import ChangeSet

Headers = Callable[..., dict[str, str]]
EVERYTHING = ("read", "write", "run", "review", "apply")


@pytest.fixture
def call(desk: Desk, api_key: Headers) -> Callable[..., Any]:
    """Return a function that asks the API as a person."""

    def ask(
        method: str,
        change_set: ChangeSet | None,
        where: str = "",
        /,
        *,
        by: User,
        scopes: tuple[str, ...] = EVERYTHING,
        **body: Any,
    ) -> Any:
        address = f"/api/v1/workspaces/{desk.company.workspace.pk}/reviews"
        address += f"/{change_set.pk}{where}" if change_set is not None else where
        client = Client(headers=api_key(by, *scopes))
        if method == "get":
            return client.get(address, body)
        return client.post(address, body, content_type="application/json")

    return ask


def test_does_the_whole_review_without_a_page(desk: Desk, call: Callable[..., Any]) -> None:
    change_set = desk.three_hunks()
    member, maintainer = desk.company.member, desk.company.maintainer
    (row,) = call("get", None, by=member).json()["reviews"]
    assert (row["id"], row["hunk_count"], row["status"]) == (change_set.pk, 3, "open")
    review = call("get", change_set, by=member).json()
    (file,) = review["files"]
    keys = [hunk["key"] for hunk in file["hunks"]]
    detail = call("get", change_set, f"/hunks/{keys[0]}", by=member).json()
    assert [line["text"] for line in detail["lines"] if line["kind"] == "+"] == ["    return 100"]
    call("post", change_set, f"/hunks/{keys[0]}/decision", by=member, verdict="accepted", seen=0)
    assert (
        call(
            "post", change_set, f"/hunks/{keys[0]}/decision", by=member, verdict="rejected", seen=0
        ).status_code
        == 409
    )
    assert call("post", change_set, "/decision", by=member, verdict="accepted", path="calc.py").json() == {
        "count": 2
    }
    assert len(call("post", change_set, "/undo", by=member).json()["hunk_keys"]) == 2
    remark = call(
        "post", change_set, "/comments", by=member, text="No", kind="must-fix", path="calc.py", line=2
    ).json()
    call("post", change_set, "/comments", by=member, text="Why?", parent_id=remark["id"])
    review = call("get", change_set, by=member).json()
    assert (review["accepted"], review["must_fix"], len(review["comments"])) == (1, 1, 2)
    seen = {"diff_hash": review["diff_hash"], "selection": review["selection"]}
    assert call("post", change_set, "/apply", by=maintainer, **seen).json()["error"]["facts"] == {
        "must_fix": 1
    }
    assert (
        call("post", change_set, f"/comments/{remark['id']}/resolve", by=member).json()["is_resolved"] is True
    )
    landed = call("post", change_set, "/apply", by=maintainer, **seen).json()
    assert (landed["status"], landed["landed_by"], landed["landed_commit"]) == (
        "landed",
        "Max",
        desk.repository.head(),
    )
    assert b"return 100\n" in desk.at_head("calc.py") and b"return 105\n" not in desk.at_head("calc.py")
    assert call("post", change_set, "/revert", by=maintainer).json()["status"] == "reverted"
    assert desk.at_head("calc.py") == BASE["calc.py"]
    assert call("post", change_set, "/reopen", by=member).json()["status"] == "open"
    assert call("post", change_set, "/discard", by=member).json()["status"] == "discarded"
    assert call("get", None, by=member, which="discarded").json()["reviews"][0]["id"] == change_set.pk


def test_compares_two_revisions(desk: Desk, call: Callable[..., Any]) -> None:
    change_set = desk.three_hunks()
    base = change_set.revisions.get().base_commit
    desk.propose(
        {"calc.py": THREE_HUNKS.replace(b"111", b"112")}, run=desk.run(change_set=change_set), base=base
    )
    review = call("get", change_set, by=desk.company.viewer, since=1).json()
    assert [hunk["change"] for hunk in review["files"][0]["hunks"]] == ["same", "same", "changed"]
    assert review["revisions"] == [1, 2]


@pytest.mark.parametrize(
    ("path", "body", "scope"),
    [
        ("/undo", {}, "review"),
        ("/decision", {"verdict": "accepted"}, "review"),
        ("/comments", {"text": "x"}, "review"),
        ("/discard", {}, "review"),
        ("/send", {}, "run"),
        ("/evidence", {"command": "true"}, "run"),
        ("/apply", {"diff_hash": "x"}, "apply"),
        ("/revert", {}, "apply"),
    ],
)
def test_asks_for_the_scope_and_the_role(
    desk: Desk, call: Callable[..., Any], path: str, body: dict[str, Any], scope: str
) -> None:
    change_set = desk.three_hunks()
    without = tuple(each for each in EVERYTHING if each != scope)
    assert call("post", change_set, path, by=desk.company.owner, scopes=without, **body).status_code == 403
    assert call("post", change_set, path, by=desk.company.viewer, **body).status_code == 403
    assert call("post", change_set, path, by=desk.company.stranger, **body).status_code == 404
    assert (
        Client()
        .post(f"/api/v1/workspaces/{change_set.workspace_id}/reviews/{change_set.pk}{path}")
        .status_code
        == 401
    )
    assert desk.hunks(change_set)[0].verdict == "pending"


@pytest.mark.parametrize("number", [0, 10**18 * 9, 10**30])
def test_answers_numbers_that_no_row_has(desk: Desk, call: Callable[..., Any], number: int) -> None:
    change_set = ChangeSet(pk=number)
    for path in ("", "/apply", f"/comments/{number}/resolve"):
        method = "post" if path else "get"
        assert call(method, change_set, path, by=desk.company.owner, diff_hash="x").status_code in (404, 422)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/undo", {"hunk_key": "\x00"}),
        ("/comments", {"text": "\x00"}),
        ("/comments", {"text": "x", "path": "\x00\x01"}),
        ("/comments", {"text": "x", "line": 3}),
        ("/comments", {"text": "x", "parent_id": 5}),
        ("/decision", {"verdict": "edited"}),
        ("/decision", {"verdict": "accepted", "path": "no/such"}),
        ("/evidence", {"command": "\x00 "}),
    ],
)
def test_refuses_what_makes_no_sense(
    desk: Desk, call: Callable[..., Any], path: str, body: dict[str, Any]
) -> None:
    answer = call("post", desk.three_hunks(), path, by=desk.company.member, **body)
    assert answer.status_code in (201, 404, 422), answer.content
