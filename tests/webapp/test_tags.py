"""What stands on every page is made once; what varies is made each time."""

from __future__ import annotations

import pytest
from django.template import Context, Template
from django.urls import NoReverseMatch

from webapp.workspaces.templatetags.workspaces import place_links


def test_makes_a_tag_without_variables_once(monkeypatch: pytest.MonkeyPatch) -> None:
    template = Template('{% url "home" %} {% icon "menu" %} {% asset "app.css" %}')
    first = template.render(Context())
    assert first.startswith("/ <svg") and "/static/dist/app-" in first
    monkeypatch.setattr("django.template.defaulttags.URLNode.render", lambda *_: "asked again")
    assert template.render(Context()) == first


def test_makes_a_tag_with_variables_each_time() -> None:
    address = Template('{% url "workspace_runs" number %}{% icon image label="Go" %}')
    one, two = (address.render(Context({"number": n, "image": i})) for n, i in ((1, "menu"), (2, "bot")))
    assert one.startswith("/w/1/runs/") and two.startswith("/w/2/runs/")
    assert "#menu" in one and "#bot" in two
    stored = Template('{% url "home" as here %}[{{ here }}]{% url "nowhere" as missing %}[{{ missing }}]')
    assert stored.render(Context()) == stored.render(Context()) == "[/][]"


def test_asks_for_an_address_only_where_it_is_shown() -> None:
    template = Template('{% if wanted %}{% url "nowhere" %}{% endif %}')
    assert template.render(Context({"wanted": False})) == ""
    with pytest.raises(NoReverseMatch):
        template.render(Context({"wanted": True}))


@pytest.mark.parametrize(
    ("path", "here"),
    [
        ("/w/3/runs/", "/w/3/runs/"),
        ("/w/3/reviews/7/", "/w/3/reviews/"),
        ("/w/3/settings/", "/w/3/settings/"),
        ("/w/3/settings/models/", None),
        ("/w/33/runs/", None),
        ("/w/3/c/general/", None),
    ],
)
def test_marks_the_place_that_a_page_belongs_to(path: str, here: str | None) -> None:
    links = place_links(3, path)
    assert links.count("<li>") > 7
    assert links.count("aria-current") == (here is not None)
    assert here is None or f'<a href="{here}" aria-current="page">' in links
