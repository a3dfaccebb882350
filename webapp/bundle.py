"""The built front end, under a server that goes on while it is built anew.

Names of built files hold a hash of their content, and `manifest.json`, which the build replaces last and at once, says which
belong together. It is looked at before each page, so that a page is of one build; the build leaves the files of the builds
before it for the tabs that are open.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Final, TypeVar

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware

from workers.errors import ConfigError
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
FOLDER: Final = "dist/"
T = TypeVar("T")


class Bundle:
    """The names of the built files as of the last look, and how many times they have changed."""

    def __init__(self) -> None:
        self.changes = 0
        self._names: dict[str, str] | None = None
        self._seen: tuple[Any, ...] = ()

    def look(self) -> None:
        """Read the manifest if there is another one than at the last look; what cannot be read leaves the names as they are."""
        path = settings.ASSET_MANIFEST
        try:
            now = path.stat()
        except OSError:
            now = None
        seen = (path, now and (now.st_ino, now.st_mtime_ns, now.st_size))
        if seen == self._seen:
            return
        try:
            names: dict[str, str] = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            self._seen = seen
            log.error(
                "the front end's manifest cannot be read; run `make web`", path=str(path), error=str(error)
            )
            return
        if self._names is not None and names != self._names:
            log.warning("the front end was built anew; pages use it from now on", path=str(path))
        if names != self._names:
            self._names = names
            self.changes += 1
        self._seen = seen  # last: another thread that finds it said needs the names

    def file_of(self, name: str) -> str:
        """Return the built file of a source, e.g. "app-1A2B3C4D.css" for "app.css".

        Raises:
            ConfigError: the front end was never built, or has no such file.
        """
        if self._names is None:
            self.look()
        if self._names is None:
            raise ConfigError("The front end is not built; run `make web`.")
        try:
            return FOLDER + self._names[name]
        except KeyError as error:
            raise ConfigError(f"The front end has no file {name}; run `make web`.", name=name) from error


bundle = Bundle()


def once_a_build(make: Callable[[], T]) -> Callable[[], T]:
    """Return a function that asks `make` once for each build of the front end, for what names built files."""

    @lru_cache(maxsize=1)
    def made_for(changes: int) -> T:
        return make()

    @wraps(make)
    def kept() -> T:
        return made_for(bundle.changes)

    return kept


class StaticFiles(WhiteNoiseMiddleware):
    """WhiteNoise, which lists all files once, and beside it the files of builds that come and go after that."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Return the static file that was asked for, else the page."""
        path = request.path_info
        if not path.startswith(self.static_prefix):
            bundle.look()
            return self.get_response(request)
        if self.autorefresh:
            return super().__call__(request)
        return self._served(path, request) or self._served_anew(path, request) or self.get_response(request)

    def _served(self, path: str, request: HttpRequest) -> HttpResponseBase | None:
        """Return a file that is listed and still there."""
        known = self.files.get(path)
        if known is None:
            return None
        try:
            return self.serve(known, request)
        except FileNotFoundError:
            self.files.pop(path, None)  # another request may have found it gone as well
            log.warning(
                "a file of an earlier front end is gone; whoever asked is to load the page again", path=path
            )
            return None

    def _served_anew(self, path: str, request: HttpRequest) -> HttpResponseBase | None:
        """Return a built file that was not there when all were listed."""
        if not path.startswith(self.static_prefix + FOLDER):
            return None
        found = self.find_file(path)
        if found is None:
            return None
        self.files[path] = found
        return self._served(path, request)
