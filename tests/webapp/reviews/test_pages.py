from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from tests.webapp.reviews.conftest import THREE_HUNKS, Desk
from webapp.reviews import services
from webapp.reviews.models import ChangeSet, Evidence, ReviewComment

HX = {"HTTP_HX_REQUEST": "true"}


def url(name: str, change_set: ChangeSet, *more: object) -> str:
    return reverse(name, args=[change_set.workspace_id, change_set.pk, *more])


def test_shows_the_header_the_hunks_and_what_can_be_done(desk: Desk) -> None:
    change_set = desk.three_hunks()
    page = desk.company.client(desk.company.maintainer).get(url("review", change_set))
    text = page.content.decode()
    assert page.status_code == 200
    assert text.count('<article class="hunk is-pending"') == 3
    assert "Apply accepted (0 of 3)" in text
    assert "unverified" in text
    assert "reviewer’s turn" in text
    assert f'name="diff_hash" value="{desk.resolved(change_set).revision.diff_hash}"' in text
    assert "style=" not in text
    assert "onclick" not in text


def test_swaps_the_hunk_the_header_and_the_files_row_after_a_decision(desk: Desk) -> None:
    change_set = desk.three_hunks()
    key = desk.hunks(change_set)[0].key
    client = desk.company.client(desk.company.member)
    text = client.post(
        url("review_decide", change_set, key), {"verdict": "accepted", "seen": "0"}, **HX
    ).content.decode()
    assert f'hx-target="#hunk-{key}"' in text
    assert 'hx-target="#review-header"' in text
    assert "1 of 3 accepted" in text
    again = client.post(url("review_decide", change_set, key), {"verdict": "rejected", "seen": "0"}, **HX)
    assert again.status_code == 409
    assert again["HX-Retarget"] == "#notices"


def test_edits_splits_and_undoes_by_forms(desk: Desk) -> None:
    change_set = desk.three_hunks()
    keys = [hunk.key for hunk in desk.hunks(change_set)]
    client = desk.company.client(desk.company.member)
    form = client.get(url("review_edit", change_set, keys[0]), **HX).content.decode()
    text = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", form, re.DOTALL)
    assert text is not None and "return 100" in text.group(1)
    edited = text.group(1).replace("100", "7").replace("\n", "\r\n")
    client.post(
        url("review_decide", change_set, keys[0]), {"verdict": "edited", "text": edited, "seen": "0"}, **HX
    )
    assert desk.hunks(change_set)[0].verdict == "edited"
    shown = client.get(url("review_hunk", change_set, keys[0]), **HX).content.decode()
    assert "return 7" in re.sub(r"<[^>]*>", "", shown)
    cuts = client.get(url("review_split", change_set, keys[1]), **HX).content.decode()
    assert cuts.count('type="checkbox"') == len(desk.hunks(change_set)[1].hunk.lines)
    first_change = next(i for i, line in enumerate(desk.hunks(change_set)[1].hunk.lines) if line.kind == "-")
    after = client.post(
        url("review_decide", change_set, keys[1]), {"verdict": "split", "after": [first_change]}, **HX
    )
    assert after.status_code == 200
    assert len(desk.hunks(change_set)) == 4
    part = desk.hunks(change_set)[1].key
    client.post(url("review_undo", change_set), {"hunk": part}, **HX)
    assert len(desk.hunks(change_set)) == 3
    client.post(url("review_undo", change_set), {"hunk": keys[0]}, **HX)
    assert desk.hunks(change_set)[0].verdict == "pending"


def test_lands_and_takes_out_again_by_two_clicks(desk: Desk) -> None:
    change_set = desk.three_hunks()
    client = desk.company.client(desk.company.maintainer)
    client.post(url("review_decide_all", change_set), {"verdict": "accepted"}, **HX)
    resolved = desk.resolved(change_set)
    seen = {"diff_hash": resolved.revision.diff_hash, "selection": resolved.selection}
    assert client.post(url("review_apply", change_set), seen, **HX)["HX-Refresh"] == "true"
    assert desk.at_head("calc.py") == THREE_HUNKS
    page = client.get(url("review", change_set)).content.decode()
    assert "Landed by Max" in page and "Undo landed" in page and "Audit: 1 Python file" in page
    client.post(url("review_revert", change_set), **HX)
    change_set.refresh_from_db()
    assert change_set.status == "reverted"


def test_shows_why_when_applying_is_refused(desk: Desk) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    client = desk.company.client(desk.company.maintainer)
    client.post(url("review_apply", change_set), {"diff_hash": "0" * 64}, **HX)
    assert (
        "There is a newer revision than the one you saw"
        in client.get(url("review", change_set)).content.decode()
    )
    assert client.post(url("review_apply", change_set), {}, **HX).status_code == 422


def test_comments_on_a_line_answers_and_resolves(desk: Desk) -> None:
    change_set = desk.three_hunks()
    file = desk.resolved(change_set).files[0]
    client = desk.company.client(desk.company.member)
    form = client.get(
        url("review_comment_form", change_set), {"file": file.id, "line": "2", "side": "new"}, **HX
    )
    assert 'name="line" value="2"' in form.content.decode()
    sent = {
        "file": file.id,
        "line": "2",
        "side": "new",
        "kind": "must-fix",
        "text": "No **way** <img src=x onerror=alert(1)>",
    }
    text = client.post(url("review_comment", change_set), sent, **HX).content.decode()
    assert "<strong>way</strong>" in text and "<img" not in text
    assert "1 must-fix" in text
    remark = ReviewComment.objects.get()
    assert (remark.path, remark.line, remark.code) == ("calc.py", 2, "    return 100")
    client.post(url("review_reply", change_set, remark.pk), {"text": "Why?"}, **HX)
    client.post(url("review_resolve", change_set, remark.pk), {"resolved": "yes"}, **HX)
    remark.refresh_from_db()
    assert remark.resolved_at is not None
    bad = client.post(url("review_comment", change_set), {**sent, "line": "4000"}, **HX)
    assert bad.status_code == 422


def test_fetches_large_files_when_they_are_seen_and_folds_lock_files(desk: Desk) -> None:
    many = {f"m{n:02}.py": b"".join(b"x = %d\n" % i for i in range(100)) for n in range(12)}
    change_set = desk.loaded(desk.propose({**many, "poetry.lock": b"x\n"}))
    client = desk.company.client(desk.company.viewer)
    page = client.get(url("review", change_set)).content.decode()
    assert 1 <= page.count('<article class="hunk') < 12
    lazy = re.findall(r'data-hx-get="([^"]+/files/[^"]+)"', page)
    assert page.count("rv-lazy") == len(lazy) == 13 - page.count('<article class="hunk')
    body = client.get(lazy[-1].replace("&amp;", "&"), **HX).content.decode()
    assert body.count('<article class="hunk') == 1
    assert "hidden>" in page.split('class="rv-file is-folded"')[1]


def test_cuts_long_hunks_and_long_lines_and_shows_the_rest_when_asked(desk: Desk) -> None:
    change_set = desk.loaded(desk.propose({"long.txt": b"l\n" * 1000, "wide.txt": b"w" * 3_000_000 + b"\n"}))
    client = desk.company.client(desk.company.viewer)
    page = client.get(url("review", change_set)).content.decode()
    assert len(page) < 400_000
    wide = url("review_file", change_set, desk.resolved(change_set).file("wide.txt").id)
    assert "2,998,000 more characters" in client.get(wide, **HX).content.decode()
    assert "Show 600 more lines" in page
    key = desk.resolved(change_set).file("long.txt").hunks[0].key
    whole = client.get(url("review_hunk", change_set, key) + "?whole=1", **HX).content.decode()
    assert whole.count('class="ln add"') == 1000


@pytest.mark.parametrize(
    "payload",
    [
        "<img src=x onerror=alert(1)>",
        '"><script>alert(1)</script>',
        "</article></hx-partial><b>",
        "{{ 7|add:7 }}",
    ],
)
def test_shows_hostile_names_and_lines_as_text(desk: Desk, payload: str) -> None:
    name = payload.replace("/", "∕") + ".py"
    run = desk.run(goal=payload)
    item = {
        "command": payload,
        "exit_code": 1,
        "duration_ms": 1,
        "output": f"\x1b[31m{payload}\x1b[0m\x1b]0;title\x07",
        "tree": "",
    }
    change_set = desk.loaded(
        desk.propose(
            {name: f"# {payload}\nx = '{payload}'\n".encode()},
            run=run,
            title=payload,
            summary=payload,
            evidence=[item],
        )
    )
    services.comment(change_set=change_set, author=desk.company.member, text=payload, path=name, line=1)
    client = desk.company.client(desk.company.member)
    key = desk.hunks(change_set)[0].key
    pages = [
        client.get(url("review", change_set)),
        client.get(reverse("workspace_reviews", args=[change_set.workspace_id])),
        client.get(url("review_hunk", change_set, key), **HX),
        client.get(url("review_edit", change_set, key), **HX),
        client.get(url("review_split", change_set, key), **HX),
        client.post(url("review_decide", change_set, key), {"verdict": "rejected", "reason": payload}, **HX),
    ]
    for page in pages:
        text = page.content.decode()
        assert page.status_code == 200
        for raw in ("<img", "<script>alert", "<b>", "</article></hx-partial><b>", "\x1b"):
            assert raw not in text
        assert "14.py" not in text


def test_shows_the_summary_as_markdown_and_nothing_that_runs(desk: Desk) -> None:
    summary = (
        "**Faster**, with `cache`:\n\n- one\n- [two](javascript:alert(1))\n\n<img src=x onerror=alert(1)>"
    )
    change_set = desk.loaded(desk.propose({"a.py": b"x = 2\n"}, summary=summary))
    text = desk.company.client(desk.company.viewer).get(url("review", change_set)).content.decode()
    shown = text.partition('<div class="rv-summary')[2].partition("</div>")[0]
    assert "<p><strong>Faster</strong>, with <code>cache</code>:</p>" in shown and "<li>one</li>" in shown
    assert "href" not in shown and "<img" not in shown and "&lt;img src=x" in shown
    change_set.refresh_from_db()
    assert change_set.summary == summary, "the commit and the API have it as it was written"


def test_names_characters_that_hide(desk: Desk) -> None:
    change_set = desk.loaded(
        desk.propose(
            {"a.py": "if is_admin\u202e\u2066:\u200b\n    x = '\x1b[2J'\n".encode()},
            summary="It is\u202e **fine**\u200b",
        )
    )
    text = desk.company.client(desk.company.viewer).get(url("review", change_set)).content.decode()
    for hidden in "\u202e\u2066\u200b\x1b":
        assert hidden not in text
    for named in ("RIGHT-TO-LEFT OVERRIDE", "LEFT-TO-RIGHT ISOLATE", "ZERO WIDTH SPACE", "hides characters"):
        assert named in text


def test_compares_with_what_the_person_saw_last(desk: Desk) -> None:
    change_set = desk.three_hunks()
    client = desk.company.client(desk.company.member)
    client.get(url("review", change_set))
    base = change_set.revisions.get().base_commit
    desk.propose(
        {"calc.py": THREE_HUNKS.replace(b"111", b"112")}, run=desk.run(change_set=change_set), base=base
    )
    page = client.get(url("review", change_set)).content.decode()
    assert "Since revision 1, which you saw last: 1 changed, 2 same" in page
    assert "changed since r1" in page
    assert "as it was in r1" in page and "+    return 111\n" in page
    assert "which you saw last" not in client.get(url("review", change_set)).content.decode()
    old = client.get(url("review", change_set) + "?rev=1").content.decode()
    assert "there is a newer one" in old and 'data-act="accept"' not in old
    assert client.get(url("review", change_set) + "?rev=77").status_code == 404


def test_a_piece_that_comes_afresh_is_compared_as_its_page_is(desk: Desk) -> None:
    change_set = desk.three_hunks()
    client, base = desk.company.client(desk.company.member), change_set.revisions.get().base_commit
    client.get(url("review", change_set))
    desk.propose(
        {"calc.py": THREE_HUNKS.replace(b"111", b"112")}, run=desk.run(change_set=change_set), base=base
    )
    assert 'data-compared-with="1"' in client.get(url("review", change_set)).content.decode()
    key = desk.hunks(change_set)[2].key
    decide = url("review_decide", change_set, key)
    headers = {"HX-Request": "true", "X-Compared-With": "1"}
    after = client.post(decide, {"verdict": "accepted"}, headers=headers).content.decode()
    assert "changed since r1" in after and "as it was in r1" in after
    assert (
        "changed since r1"
        in client.get(url("review_hunk", change_set, key), headers=headers).content.decode()
    )
    for other in ("7", "x", "9" * 40):
        reply = client.get(url("review_hunk", change_set, key), headers={"X-Compared-With": other})
        assert reply.status_code == 200, other
        assert "changed since" not in reply.content.decode()


def test_lists_reviews_page_by_page_without_reading_a_diff(
    desk: Desk, django_assert_max_num_queries: object
) -> None:
    for number in range(55):
        ChangeSet.objects.create(
            workspace=desk.company.workspace, agent="tidy", title=f"Change {number}", target_branch="main"
        )
    client = desk.company.client(desk.company.viewer)
    address = reverse("workspace_reviews", args=[desk.company.workspace.pk])
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        page = client.get(address).content.decode()
    assert page.count('class="review-line"') == 50
    more = re.search(r'data-hx-get="([^"]+rows[^"]+)"', page)
    assert more is not None
    rest = client.get(more.group(1).replace("&amp;", "&"), **HX).content.decode()
    assert rest.count('class="review-line"') == 5
    assert client.get(address + "?which=nonsense").status_code == 422
    assert client.get(address + "?before=x").status_code == 422
    assert "There is no such review" in client.get(address + "?which=landed").content.decode()


READS = ["review", "review_header"]
WRITES = [
    "review_decide_all",
    "review_undo",
    "review_comment",
    "review_send",
    "review_ask_reviewer",
    "review_evidence",
    "review_discard",
    "review_reopen",
]
LANDS = ["review_apply", "review_revert"]


def test_opens_each_door_only_to_whom_it_is_for(desk: Desk) -> None:
    change_set = desk.three_hunks()
    key = desk.hunks(change_set)[0].key
    file_id = desk.resolved(change_set).files[0].id
    remark = services.comment(change_set=change_set, author=desk.company.member, text="x")
    evidence = Evidence.objects.create(revision=change_set.revisions.get(), command="x", tree="")
    reads = [
        *(url(name, change_set) for name in READS),
        url("review_file", change_set, file_id),
        url("review_hunk", change_set, key),
    ]
    reads.append(reverse("workspace_reviews", args=[change_set.workspace_id]))
    member_reads = [
        url("review_edit", change_set, key),
        url("review_split", change_set, key),
        url("review_comment_form", change_set),
    ]
    writes = [
        *(url(name, change_set) for name in WRITES),
        url("review_decide", change_set, key),
        url("review_decide_file", change_set, file_id),
        url("review_reply", change_set, remark.pk),
        url("review_resolve", change_set, remark.pk),
        url("review_cancel_evidence", change_set, evidence.pk),
    ]
    lands = [url(name, change_set) for name in LANDS]
    stranger, viewer, member, nobody = (
        desk.company.client(person)
        for person in (desk.company.stranger, desk.company.viewer, desk.company.member, None)
    )
    for address in [*reads, *member_reads]:
        assert stranger.get(address).status_code == 404, address
        assert nobody.get(address).status_code == 302, address
    for address in [*writes, *lands]:
        assert stranger.post(address, **HX).status_code == 404, address
        assert viewer.post(address, **HX).status_code == 403, address
        assert nobody.post(address).status_code == 302, address
        if "/evidence/" not in address or "cancel" in address:
            assert member.get(address).status_code == 405, address
    for address in member_reads:
        assert viewer.get(address).status_code == 403, address
    for address in lands:
        assert member.post(address, **HX).status_code == 403, address
    for address in reads:
        assert viewer.get(address).status_code == 200, address
    assert desk.hunks(change_set)[0].verdict == "pending"


def test_hides_a_change_set_of_another_workspace_behind_ones_own(desk: Desk) -> None:
    change_set = desk.three_hunks()
    own = desk.company.stranger.memberships.get().workspace_id
    address = reverse("review", args=[own, change_set.pk])
    assert desk.company.client(desk.company.stranger).get(address).status_code == 404


def test_checks_the_forms_token(desk: Desk) -> None:
    change_set = desk.three_hunks()
    client = Client(enforce_csrf_checks=True)
    client.force_login(desk.company.maintainer)
    assert client.post(url("review_apply", change_set), {"diff_hash": "x"}).status_code == 403
