"""The health pages for a member, a stranger and nobody, with much, little and nothing to show."""

from __future__ import annotations

import re

import pytest

from tests.framework.people import Company
from tests.framework.repos import commit_files, write_files
from webapp.codehealth.checking import limits_of
from webapp.codehealth.models import Measurement
from webapp.codehealth.services import refresh_workspace, set_limits, start_measurement
from webapp.codehealth.services.trend import fill_trend
from webapp.workspaces.repositories import repository_of

HARD = b"class C:\n    def m(self, a):\n" + b"        if a:\n            a -= 1\n" * 17


@pytest.fixture
def base(company: Company) -> str:
    """The address of the health pages of a measured workspace."""
    repository = repository_of(company.workspace)
    commit_files(repository, {"easy.py": b"def f():\n    return 1\n", "src/hard.py": HARD})
    commit_files(repository, {"src/hard.py": HARD + b"# more\n", "src/<b>.py": b"x = 1\n"})
    write_files(repository, {"broken.py": b"def (:\n"})
    refresh_workspace(company.workspace)
    return f"/w/{company.workspace.pk}/health/"


def test_the_overview_shows_map_hotspots_and_files(company: Company, base: str) -> None:
    page = company.client(company.viewer).get(base).content.decode()
    assert re.search(
        r"<title>src/hard.py, 37 lines, maintainability \d+, highest complexity 18</title>", page
    )
    assert "&lt;b&gt;.py" in page and "<b>.py" not in page
    assert f'href="{base}file/?path=src/hard.py"' in page
    assert f"/w/{company.workspace.pk}/files/?path=src/hard.py&amp;line=2" in page
    assert "does not parse" in page
    assert "there is no line before two of them" in page
    assert "Audit everything" not in page
    assert "style=" not in page
    assert "Audit everything" in company.client(company.member).get(base).content.decode()


def test_a_folder_is_shown_alone_and_coloured_by_complexity(company: Company, base: str) -> None:
    page = (
        company.client(company.viewer).get(base, {"folder": "src", "colour": "cyclomatic"}).content.decode()
    )
    assert "src/hard.py" in page and "easy.py" not in page
    assert 'class="g4"' in page  # 18 is between 16 and 30
    assert company.client(company.viewer).get(base, {"colour": "size"}).status_code == 422
    assert company.client(company.viewer).get(base, {"offset": "x"}).status_code == 422
    assert (
        "No source file below no/where"
        in company.client(company.viewer).get(base, {"folder": "no/where"}).content.decode()
    )


def test_the_trend_is_drawn_from_two_commits_on(company: Company, base: str) -> None:
    fill_trend(company.workspace, commits=10)
    page = company.client(company.viewer).get(base).content.decode()
    assert page.count("<polyline") == 3
    assert re.search(r'aria-label="Lines: from 0 to \d+"', page) or "Lines: from" in page


def test_a_file_shows_each_function_with_its_figures(company: Company, base: str) -> None:
    set_limits(
        workspace=company.workspace, set_by=company.maintainer, max_cyclomatic=10, max_cognitive=None,
        min_maintainability=99.0, no_worse=False, is_required=False,
    )  # fmt: skip
    client = company.client(company.viewer)
    page = client.get(f"{base}file/", {"path": "src/hard.py"}).content.decode()
    assert "C.m" in page and "over the limit" in page and "below 99" in page
    assert f"/w/{company.workspace.pk}/files/?path=src/hard.py&amp;line=2" in page
    assert "Does not parse" in client.get(f"{base}file/", {"path": "broken.py"}).content.decode()
    assert "has no function" in client.get(f"{base}file/", {"path": "src/<b>.py"}).content.decode()
    assert client.get(f"{base}file/", {"path": "absent.py"}).status_code == 404
    assert client.get(f"{base}file/").status_code == 404


def test_an_open_page_asks_for_its_body_alone(company: Company, base: str) -> None:
    client = company.client(company.viewer)
    for where in (base, f"{base}file/?path=easy.py"):
        piece = client.get(where, headers={"HX-Request": "true"}).content.decode()
        assert piece.startswith('<div id="health-body"') and "<html" not in piece


def test_an_unmeasured_and_an_empty_workspace_say_so(company: Company) -> None:
    base = f"/w/{company.workspace.pk}/health/"
    client = company.client(company.viewer)
    assert "Not measured yet" in client.get(base).content.decode()
    refresh_workspace(company.workspace)
    assert "No source file yet" in client.get(base).content.decode()


def test_members_start_and_cancel_a_measurement(company: Company, base: str) -> None:
    client = company.client(company.member)
    assert client.post(f"{base}measurements/start/", {"kind": "workspace"}).status_code == 302
    measurement = Measurement.objects.get(kind="workspace")
    assert "Audit of all files" in client.get(base).content.decode()
    Measurement.objects.filter(pk=measurement.pk).update(state="running", done=3, total=9)
    assert 'max="9" value="3"' in client.get(f"{base}measurements/").content.decode()
    client.post(f"{base}measurements/{measurement.pk}/cancel/")
    measurement.refresh_from_db()
    assert measurement.is_cancel_asked
    assert client.post(f"{base}measurements/start/", {"kind": "all"}).status_code == 422
    viewer = company.client(company.viewer)
    assert viewer.post(f"{base}measurements/start/", {"kind": "trend"}).status_code == 403
    assert viewer.post(f"{base}measurements/{measurement.pk}/cancel/").status_code == 403


def test_maintainers_set_limits(company: Company) -> None:
    address = f"/w/{company.workspace.pk}/health/limits/"
    client = company.client(company.maintainer)
    assert client.post(address, {"max_cyclomatic": "12", "is_required": "on"}).status_code == 302
    limits = limits_of(company.workspace)
    assert (limits.max_cyclomatic, limits.max_cognitive, limits.is_required, limits.no_worse) == (
        12, None, True, False,
    )  # fmt: skip
    assert 'value="12"' in client.get(address).content.decode()
    assert client.post(address, {"max_cyclomatic": "0"}).status_code == 422
    member = company.client(company.member)
    assert member.post(address, {"max_cyclomatic": "1"}).status_code == 403
    assert "Maintainers set them" in member.get(address).content.decode()


def test_a_stranger_and_nobody_see_nothing(company: Company, base: str) -> None:
    start_measurement(workspace=company.workspace, kind="workspace", requested_by=company.member)
    for where in ("", "file/?path=easy.py", "limits/", "measurements/"):
        assert company.client(company.member).get(base + where).status_code == 200
        assert company.client(company.stranger).get(base + where).status_code == 404
        reply = company.client(None).get(base + where)
        assert reply.status_code == 302 and "/accounts/login/" in reply["Location"]
