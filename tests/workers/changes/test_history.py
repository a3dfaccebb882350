"""Reading what is committed, to take along."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

from tests.framework.repos import make_repository, write_files


def test_archives_what_is_committed(tmp_path: Path) -> None:
    repository = make_repository(
        tmp_path, {"d/a": b"$Format:%H$\n", ".gitattributes": b"* export-subst\nd export-ignore\n"}
    )
    write_files(repository, {"not": b"committed"})
    with zipfile.ZipFile(io.BytesIO(b"".join(repository.archive("HEAD", "zip")))) as packed:
        assert packed.read("d/a") == b"$Format:%H$\n"
    with tarfile.open(fileobj=io.BytesIO(b"".join(repository.archive("main", "tar.gz")))) as unpacked:
        assert sorted(unpacked.getnames()) == [".gitattributes", "d", "d/a"]
