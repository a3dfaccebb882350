"""What a workspace does not want in its files: rules by person, findings in files and reviews, and what a job carries."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from tests.framework.keys import fake_key
from tests.framework.people import Company
from tests.framework.repos import commit_files
from tests.webapp.reviews.conftest import BASE, Desk
from webapp.accounts.models import User
from webapp.agents.services import start_run
from webapp.codehealth.models import PatternRule
from webapp.codehealth.rules import findings_in
from webapp.codehealth.services import add_rule
from webapp.errors import Conflict, Invalid
from webapp.workspaces.repositories import repository_of
from workers.codehealth.errors import InvalidRule

RULE = {"name": "no-sleep", "pattern": r"time\.sleep\(", "message": "Wait for something", "endings": ["py"]}
TOKEN = fake_key("ghp_", 36)


def add(company: Company, **fields: object) -> PatternRule:
    return add_rule(workspace=company.workspace, added_by=company.maintainer, **(RULE | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"name": "No Sleep"}, Invalid),
        ({"kind": "conflict"}, Invalid),
        ({"endings": ["*.py"]}, Invalid),
        ({"message": "  "}, Invalid),
        ({"pattern": "("}, InvalidRule),
        ({"pattern": "x*"}, InvalidRule),
        ({"pattern": "(a{1000}){1000}"}, InvalidRule),
    ],
)
def test_refuses_what_cannot_be_a_rule(
    company: Company, fields: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        add(company, **fields)
    assert not PatternRule.objects.exists()


def test_has_one_rule_of_a_name(company: Company) -> None:
    add(company)
    with pytest.raises(Conflict):
        add(company)


def test_finds_in_the_files_as_they_stand_and_never_tells_the_secret(
    company: Company, api_key: Callable[..., dict[str, str]]
) -> None:
    repository = repository_of(company.workspace)
    commit_files(repository, {"a.py": b"import time\ntime.sleep(3)\n", ".gitignore": b"ignored.env\n"})
    (repository.files_dir / "new.env").write_text(f"KEY={TOKEN}\n")
    (repository.files_dir / "ignored.env").write_text(f"KEY={TOKEN}\n")
    add(company)
    found, has_more = findings_in(company.workspace)
    assert [(one.path, one.finding.rule, one.finding.line) for one in found] == [
        ("new.env", "github-token", 1),
        ("a.py", "no-sleep", 2),
    ]
    assert not has_more
    headers = api_key(company.viewer, "read")
    reply = Client(headers=headers).get(f"/api/v1/workspaces/{company.workspace.pk}/codehealth/findings")
    assert [one["rule"] for one in reply.json()["findings"]] == ["github-token", "no-sleep"]
    page = company.client(company.viewer).get(f"/w/{company.workspace.pk}/health/patterns/").content.decode()
    assert "new.env:1" in page
    assert TOKEN not in reply.content.decode() + page


def test_lets_maintainers_change_rules_and_everybody_here_read_them(
    company: Company, api_key: Callable[..., dict[str, str]]
) -> None:
    address = f"/api/v1/workspaces/{company.workspace.pk}/codehealth/rules"

    def call(method: str, where: str, by: User | None) -> int:
        client = Client(headers=api_key(by, "read", "write", "admin")) if by else Client()
        reply = (
            getattr(client, method)(where, RULE, content_type="application/json")
            if method == "post"
            else getattr(client, method)(where)
        )
        return int(reply.status_code)

    assert call("post", address, None) == 401
    assert call("post", address, company.stranger) == 404
    assert call("post", address, company.member) == 403
    assert call("post", address, company.maintainer) == 201
    assert call("post", address, company.maintainer) == 409
    rule = PatternRule.objects.get()
    assert rule.endings == [".py"]
    assert call("get", address, company.viewer) == 200
    assert call("get", address, company.stranger) == 404
    assert call("delete", f"{address}/{rule.pk}", company.member) == 403
    assert call("delete", f"{address}/{rule.pk}", company.maintainer) == 204
    assert call("delete", f"{address}/{rule.pk}", company.maintainer) == 404


def test_adds_and_deletes_on_the_page(company: Company) -> None:
    client = company.client(company.maintainer)
    address = f"/w/{company.workspace.pk}/health/patterns/"
    bad = client.post(address, RULE | {"kind": "custom", "pattern": "(", "endings": ".py"})
    assert bad.status_code == 422
    assert "rule no-sleep" in bad.content.decode()
    client.post(address, RULE | {"kind": "secret", "endings": ".py, .pyi"})
    rule = PatternRule.objects.get()
    assert (rule.kind, rule.endings) == ("secret", [".py", ".pyi"])
    assert "no-sleep" in client.get(address).content.decode()
    client.post(f"{address}{rule.pk}/delete/")
    assert not PatternRule.objects.exists()


def test_gives_a_run_the_rules_of_its_workspace(company: Company) -> None:
    commit_files(repository_of(company.workspace), BASE)
    add(company, kind="secret")
    run = start_run(workspace=company.workspace, requested_by=company.member, agent="tidy", goal="")
    assert [(rule["id"], rule["kind"], rule["endings"]) for rule in run.job["rules"]] == [
        ("no-sleep", "secret", [".py"])
    ]


def test_tells_a_reviewer_what_a_hunk_brings_in(company: Company) -> None:
    repository = repository_of(company.workspace)
    commit_files(repository, BASE)
    add(company)
    desk = Desk(company, repository)
    changed = (
        BASE["calc.py"].replace(b"def f0():", b"import time; time.sleep(1)\ndef f0():")
        + f"\nKEY = '{TOKEN}'\n".encode()
    )
    change_set = desk.loaded(desk.propose({"calc.py": changed}))
    revision = change_set.revisions.get()
    reasons = [reason for strip in revision.risks.values() for reason in strip["reasons"]]
    assert any("adds: Wait for something" in reason for reason in reasons), reasons
    assert any("adds a secret: GitHub token" in reason for reason in reasons), reasons
    assert change_set.risk == "high"
