"""The front end is built anew under a server that runs: pages go on, of one build each, and say so in the log."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client, override_settings

from tests.framework.stack import ROOT
from webapp.bundle import bundle
from webapp.workspaces.templatetags.workspaces import place_links

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(180)]
PAGE = "/accounts/login/"


class Sources:
    """A folder with what the front end is built from, which may be changed, and what is built of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.dist = folder, folder / "static" / "dist"

    def build(self, mark: str) -> None:
        """Build it, with `mark` in the stylesheet and the script of every page, and an icon more."""
        for name, line in (
            ("css/app.css", f".{mark}{{color:red}}"),
            ("js/shell.js", f'window.built = "{mark}"; // icon("anchor")'),
        ):
            with (self.folder / "static" / name).open("a") as source:
                source.write(f"\n{line}\n")
        command = ["node", str(ROOT / "build.mjs")]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr

    def names(self) -> set[str]:
        """Return the addresses of all files that pages may name now."""
        return {
            f"/static/dist/{name}" for name in json.loads((self.dist / "manifest.json").read_text()).values()
        }


@pytest.fixture(scope="module")
def first_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one build, to be copied."""
    folder = tmp_path_factory.mktemp("front")
    shutil.copytree(ROOT / "static", folder / "static")
    for name in ("templates", "webapp", "node_modules"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "static" / "dist" / "builds.json").unlink(missing_ok=True)
    Sources(folder).build("first")
    return folder


@pytest.fixture
def sources(first_build: Path, tmp_path: Path) -> Iterator[Sources]:
    """What the server under test serves, as in the product: all files are listed once."""
    shutil.copytree(first_build, tmp_path, symlinks=True, dirs_exist_ok=True)
    sources = Sources(tmp_path)
    with override_settings(
        STATICFILES_DIRS=[tmp_path / "static"],
        ASSET_MANIFEST=sources.dist / "manifest.json",
        WHITENOISE_AUTOREFRESH=False,
    ):
        yield sources
    bundle.look()


def named_by(client: Client) -> set[str]:
    """Return the addresses of the built files on a page."""
    page = client.get(PAGE)
    assert page.status_code == 200
    return set(re.findall(r'/static/dist/[^"#]+', page.content.decode()))


def body(client: Client, path: str, **headers: str) -> bytes:
    reply = client.get(path, headers=headers)
    assert reply.status_code == 200, path
    return b"".join(reply.streaming_content)  # type: ignore[arg-type]


def stylesheet(names: set[str]) -> str:
    return next(name for name in names if "/app-" in name)


def test_pages_go_on_with_the_new_build_and_open_ones_with_theirs(
    sources: Sources, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    client = Client()
    old = named_by(client)
    old_links = place_links(3, "/")
    assert old <= sources.names()
    sources.build("second")
    new = named_by(client)
    assert new <= sources.names() and stylesheet(new) not in old
    assert b".second" in body(client, stylesheet(new))
    packed = client.get(stylesheet(new), headers={"Accept-Encoding": "br"})
    assert packed["Content-Encoding"] == "br" and "immutable" in packed["Cache-Control"]
    assert b".second" not in body(client, stylesheet(old))
    for name in old | new:
        body(client, name)
    assert all(name in sources.names() for name in re.findall(r'/static/dist/[^"#]+', place_links(3, "/")))
    assert old_links.count("<li>") == place_links(3, "/").count("<li>")
    assert "the front end was built anew" in caplog.text + capfd.readouterr().out


def test_a_file_of_a_build_that_is_long_gone_is_absent(
    sources: Sources, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    client = Client()
    old = named_by(client)
    body(client, stylesheet(old))
    for mark in ("second", "third"):
        sources.build(mark)
    body(client, stylesheet(old))
    sources.build("fourth")
    assert client.get(stylesheet(old)).status_code == 404
    assert client.get(stylesheet(old)).status_code == 404
    for name in named_by(client):
        body(client, name)
    assert "a file of an earlier front end is gone" in caplog.text + capfd.readouterr().out


def test_pages_go_on_while_there_is_no_manifest(
    sources: Sources, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    client = Client()
    before = named_by(client)
    manifest = sources.dist / "manifest.json"
    text = manifest.read_text()
    for broken in (None, "{"):
        manifest.unlink() if broken is None else manifest.write_text(broken)
        assert named_by(client) == before
    assert "manifest cannot be read" in caplog.text + capfd.readouterr().out
    manifest.write_text(text)
    assert named_by(client) == before


@pytest.mark.parametrize(
    "path", ["nothing-1A2B3C4D.js", "chunks", "chunks/", "../css/app.css", "%2e%2e/%2e%2e/build.mjs", "a%00b"]
)
def test_what_was_never_built_is_absent(client: Client, settings, path: str) -> None:  # type: ignore[no-untyped-def]
    settings.WHITENOISE_AUTOREFRESH = False
    assert client.get(f"/static/dist/{path}").status_code in (400, 404)
