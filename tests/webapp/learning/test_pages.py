"""The pages of lessons and the same over REST, for members, viewers, strangers and nobody."""

from __future__ import annotations

import re

import pytest
from django.http import HttpResponse
from django.test import Client

from tests.webapp.learning.conftest import MONEY, School
from webapp.accounts.models import User
from webapp.accounts.services import create_api_key
from webapp.learning import services
from webapp.learning.models import Lesson, LessonEvidence, LessonUse, Outcome


def page(school: School, *more: object) -> str:
    return "/".join(["", "w", str(school.company.workspace.pk), "lessons", *map(str, more), ""])


def rest(school: School, *more: object) -> str:
    return "/".join(["/api/v1/workspaces", str(school.company.workspace.pk), "lessons", *map(str, more)])


def key_of(person: User, *scopes: str) -> dict[str, str]:
    _, token = create_api_key(user=person, name="k", scopes=list(scopes))
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def lesson(school: School) -> Lesson:
    """A lesson from a rejected hunk, given to a run, that helped once."""
    change_set = school.desk.three_hunks()
    school.desk.decide(change_set, 0, "rejected", reason=MONEY)
    services.settle_all()
    run = school.run()
    school.give(run)
    services.record_outcome(runs=[run], outcome=Outcome.HELPED)
    return Lesson.objects.get()


def test_shows_lessons_with_weight_evidence_and_how_often_they_helped(school: School, lesson: Lesson) -> None:
    viewer = school.company.client(school.company.viewer)
    listed = viewer.get(page(school)).content.decode()
    assert MONEY in listed and "helped 1 of 1 time" in listed and 'value="0.67"' in listed
    assert "@coder" in listed and "Write a lesson" not in listed
    shown = viewer.get(page(school, lesson.pk)).content.decode()
    evidence, use = LessonEvidence.objects.get(), LessonUse.objects.get()
    assert f"/reviews/{evidence.change_set_id}/#hunk-{evidence.hunk_key}" in shown
    assert f"/runs/{evidence.run_id}/" in shown and f"/runs/{use.run_id}/" in shown
    assert "Helped: the change was applied" in shown and "<textarea" not in shown


def test_members_write_edit_pin_archive_bring_back_and_delete(school: School) -> None:
    member = school.company.client(school.company.member)
    said = {"pattern": "Close the file after reading.", "cause": "", "solution": "with open"}
    reply = member.post(page(school, "new"), said)
    lesson = Lesson.objects.get()
    assert reply.status_code == 302 and reply["Location"] == page(school, lesson.pk)
    assert member.post(page(school, "new"), said).status_code == 422
    assert member.post(page(school, "new"), {"pattern": "no"}).status_code == 422
    member.post(page(school, lesson.pk), said | {"solution": "Use a with block."})
    member.post(page(school, lesson.pk, "pin"), {"pinned": "1"})
    lesson.refresh_from_db()
    assert (lesson.solution, lesson.is_pinned, lesson.edited_by) == (
        "Use a with block.", True, school.company.member,
    )  # fmt: skip
    member.post(page(school, lesson.pk, "archive"))
    assert "Bring back" in member.get(page(school) + "?which=archived").content.decode()
    assert lesson.pattern not in member.get(page(school)).content.decode()
    member.post(page(school, lesson.pk, "restore"))
    assert lesson.pattern in member.get(page(school)).content.decode()
    member.post(page(school, lesson.pk, "delete"))
    assert not Lesson.objects.exists()


def test_an_edit_of_what_somebody_else_has_edited_meanwhile_is_said_and_kept(school: School) -> None:
    """Trap: whoever saved last took the other's words away, and nobody was told."""
    mia, max_ = (school.company.client(one) for one in (school.company.member, school.company.maintainer))
    mia.post(page(school, "new"), {"pattern": "Close the file after reading.", "solution": "with open"})
    lesson = Lesson.objects.get()

    def seen(client: Client, reply: HttpResponse | None = None) -> str:
        text = (reply or client.get(page(school, lesson.pk))).content.decode()
        found = re.search(r'name="seen" value="([0-9a-f]{16})"', text)
        assert found is not None
        return found[1]

    was = seen(mia)
    said = {"pattern": lesson.pattern, "cause": "", "solution": "Use a with block.", "seen": seen(max_)}
    assert max_.post(page(school, lesson.pk), said).status_code == 302
    mine = {"pattern": lesson.pattern, "cause": "Handles leak.", "solution": "with open"}
    reply = mia.post(page(school, lesson.pk), mine | {"seen": was})
    text = reply.content.decode()
    assert reply.status_code == 422
    assert "Use a with block." in text and "Handles leak." in text, "theirs to read, mine not lost"
    lesson.refresh_from_db()
    assert (lesson.cause, lesson.solution) == ("", "Use a with block.")
    assert mia.post(page(school, lesson.pk), mine | {"seen": seen(mia, reply)}).status_code == 302
    lesson.refresh_from_db()
    assert (lesson.cause, lesson.solution) == ("Handles leak.", "with open")


def test_over_rest_a_digest_guards_the_words_that_were_read(school: School, lesson: Lesson) -> None:
    """Trap: a PATCH carried no digest, and so took away what somebody else had written meanwhile."""
    client, headers = Client(), key_of(school.company.member, "read", "write")

    def patch(**body: object) -> HttpResponse:
        return client.patch(rest(school, lesson.pk), body, "application/json", headers=headers)

    was = client.get(rest(school, lesson.pk), headers=headers).json()["seen"]
    assert client.get(rest(school), headers=headers).json()["lessons"][0]["seen"] == was
    first = patch(cause="Handles leak.", seen=was).json()
    assert first["seen"] != was and first["seen"] == Lesson.objects.get().seen
    for stale in ({"solution": "with open"}, {"is_pinned": True}, {"cause": "Mine.", "is_pinned": True}):
        refused = patch(**stale, seen=was)
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (409, "conflict")
        assert "Handles leak." in error["message"], "it says what stands now"
        assert error["facts"] == {"seen": first["seen"]}
    lesson.refresh_from_db()
    assert (lesson.cause, lesson.is_pinned) == ("Handles leak.", False)
    both = patch(solution="with open", is_pinned=True, seen=error["facts"]["seen"]).json()
    assert (both["cause"], both["solution"], both["is_pinned"]) == ("Handles leak.", "with open", True)
    assert patch(solution="Unread.").status_code == 200, "who sends no digest replaces what stands there"


def test_viewers_read_and_change_nothing(school: School, lesson: Lesson) -> None:
    viewer = school.company.client(school.company.viewer)
    for more in (
        ("new",),
        (lesson.pk,),
        (lesson.pk, "pin"),
        (lesson.pk, "archive"),
        (lesson.pk, "restore"),
        (lesson.pk, "delete"),
    ):
        assert viewer.post(page(school, *more), {"pattern": "Something else entirely"}).status_code == 403
    headers = key_of(school.company.viewer, "read", "write")
    assert viewer.get(rest(school), headers=headers).status_code == 200
    assert viewer.delete(rest(school, lesson.pk), headers=headers).status_code == 403
    lesson.refresh_from_db()
    assert lesson.pattern == MONEY


def test_a_lesson_does_not_open_through_another_workspace(school: School, lesson: Lesson) -> None:
    own = school.company.stranger.memberships.get().workspace_id
    stranger = school.company.client(school.company.stranger)
    for path in (f"/w/{own}/lessons/{lesson.pk}/", page(school, lesson.pk), page(school)):
        assert stranger.get(path).status_code == 404
    assert Client().get(page(school)).status_code == 302


def test_text_of_lessons_is_text(school: School) -> None:
    evil = "<script>alert(1)</script> must not run"
    school.lesson(evil)
    shown = school.company.client(school.company.viewer).get(page(school)).content.decode()
    assert "<script>alert(1)" not in shown and "&lt;script&gt;alert(1)" in shown


def test_does_everything_over_rest_with_a_key(school: School, lesson: Lesson) -> None:
    client, headers = Client(), key_of(school.company.member, "read", "write")

    def send(method: str, *more: object, **body: object) -> object:
        reply = getattr(client, method)(
            rest(school, *more),
            headers=headers,
            **({"data": body, "content_type": "application/json"} if body else {}),
        )
        assert reply.status_code in (200, 201, 204), reply.content
        return reply.json() if reply.content else None

    (found,) = send("get")["lessons"]
    assert (found["pattern"], found["hits"], found["successes"]) == (MONEY, 1, 1)
    assert found["weight"] == pytest.approx(2 / 3)
    detail = send("get", lesson.pk)
    assert detail["evidence"][0]["source"] == "hunk" and detail["uses"][0]["outcome"] == "helped"
    made = send("post", pattern="Close the file after reading.")
    changed = send("patch", made["id"], solution="Use with.", is_pinned=True)
    assert (changed["pattern"], changed["solution"], changed["is_pinned"]) == (
        "Close the file after reading.", "Use with.", True,
    )  # fmt: skip
    assert send("post", made["id"], "archive")["archived_at"] is not None
    assert send("post", made["id"], "restore")["archived_at"] is None
    assert send("delete", made["id"]) is None
    weights = client.get(rest(school).replace("lessons", "agent-weights"), headers=headers).json()
    assert [(one["agent"], one["successes"]) for one in weights] == [("coder", 1)]
    reading = key_of(school.company.member, "read")
    assert client.delete(rest(school, lesson.pk), headers=reading).status_code == 403


def test_suggests_first_who_does_best(school: School) -> None:
    run = school.run(agent="tidy")
    services.record_outcome(runs=[run], outcome=Outcome.HELPED)
    member = school.company.client(school.company.member)
    reply = member.get(f"/api/v1/workspaces/{school.company.workspace.pk}/mentions").json()
    agents = [one["handle"] for one in reply if one["kind"] == "agent"]
    assert agents[0] == "tidy" and len(agents) > 1
