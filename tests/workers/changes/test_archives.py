"""Uploaded archives: taken in byte for byte, or refused with nothing left on the disk."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.framework.repos import AUTHOR
from workers.changes.archives import ArchiveLimits
from workers.changes.errors import ArchiveRefused
from workers.changes.repository import Repository

Fill = Callable[[tarfile.TarFile], None]


def add(
    archive: tarfile.TarFile, name: str, data: bytes = b"x", *, mode: int = 0o644, **fields: object
) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    for field, value in fields.items():
        setattr(info, field, value)
    archive.addfile(info, io.BytesIO(data))


def make_tar(path: Path, fill: Fill) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        fill(archive)
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Fill:
    return lambda archive: add(archive, name, b"", type=kind, linkname=target)


def names(*entries: str) -> Fill:
    def fill(archive: tarfile.TarFile) -> None:
        for entry in entries:
            add(archive, entry)

    return fill


def then(*fills: Fill) -> Fill:
    def fill(archive: tarfile.TarFile) -> None:
        for each in fills:
            each(archive)

    return fill


def test_takes_a_source_distribution_without_its_outer_folder(tmp_path: Path) -> None:
    archive = make_tar(
        tmp_path / "project-1.0.tar.gz",
        then(
            names("project-1.0/src/a.py", "project-1.0/.gitignore", "project-1.0/n\udcff"),
            lambda tar: add(tar, "project-1.0/run", b"#!/bin/sh\r\n", mode=0o755),
            link("project-1.0/src/link", "../run"),
            lambda tar: add(tar, "project-1.0/empty", b"", type=tarfile.DIRTYPE),
        ),
    )
    repository = Repository.from_archive(tmp_path / "w", archive, author=AUTHOR)
    assert repository.status() == []
    assert [entry.path for entry in repository.files.walk()] == [
        "empty", "src", "src/a.py", "src/link", ".gitignore", "n\udcff", "run",
    ]  # fmt: skip
    assert repository.read_at("HEAD", "run") == b"#!/bin/sh\r\n"
    assert repository.files.read("run").mode == 0o755
    assert repository.log(limit=1)[0].subject == "Import project-1.0.tar.gz"


def test_takes_a_zip_with_modes_and_links(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Größe/ä.txt", "text")
        script = zipfile.ZipInfo("run")
        script.external_attr = 0o100755 << 16
        archive.writestr(script, "#!")
        target = zipfile.ZipInfo("link")
        target.external_attr = 0o120777 << 16
        archive.writestr(target, "run")
    repository = Repository.from_archive(tmp_path / "w", tmp_path / "a.zip", author=AUTHOR)
    assert repository.read_at("HEAD", "Größe/ä.txt") == b"text"
    assert repository.files.read("run").mode == 0o755
    assert (repository.files_dir / "link").readlink() == Path("run")


def test_a_file_that_an_ignore_rule_names_is_taken_too(tmp_path: Path) -> None:
    archive = make_tar(
        tmp_path / "a.tar.gz", then(lambda tar: add(tar, ".gitignore", b"*.log\n"), names("x.log", "d/y"))
    )
    repository = Repository.from_archive(tmp_path / "w", archive, author=AUTHOR)
    assert repository.read_at("HEAD", "x.log") == b"x"


@pytest.mark.parametrize("stop_at", [1, 30, 70, 101])
def test_what_the_tick_raises_ends_the_work_and_leaves_nothing(tmp_path: Path, stop_at: int) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", names(*(f"f{number}" for number in range(20))))
    ticks, entries = 0, []

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks >= stop_at:
            raise ArchiveRefused("stopped")

    target = tmp_path / "w"
    if stop_at > 100:
        Repository.from_archive(target, archive, author=AUTHOR, on_progress=entries.append, on_tick=tick)
        assert entries == list(range(1, 21))
        assert 70 < ticks < 101
        return
    with pytest.raises(ArchiveRefused):
        Repository.from_archive(target, archive, author=AUTHOR, on_tick=tick)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


REFUSED_TARS: dict[str, tuple[Fill, str]] = {
    "absolute": (names("/etc/evil"), "absolute"),
    "dots": (names("a/../../evil"), "not_plain"),
    "dots at start": (names("../evil"), "not_plain"),
    "git folder": (names(".git/hooks/pre-commit"), "git_folder"),
    "git folder below": (names("a/.GIT/config"), "git_folder"),
    "git by short name": (names("git~1/config"), "git_folder"),
    "git by ignored letters": (names(".g\u200cit/config"), "git_folder"),
    "link out": (link("l", "../../etc"), "link_out_of_tree"),
    "link absolute": (link("l", "/etc/passwd"), "link_out_of_tree"),
    "link out by detour": (link("a/l", "b/../../../x"), "link_out_of_tree"),
    "link without target": (link("l", ""), "link_without_target"),
    "file through a link": (then(link("l", "d"), names("l/evil")), "below_a_file_or_link"),
    "file over a link": (then(link("l", "d"), names("l")), "duplicate"),
    "link over a folder": (then(names("d/x"), link("d", "..")), "duplicate"),
    "hard link": (then(names("a"), link("b", "a", tarfile.LNKTYPE)), "hard_link"),
    "hard link out": (link("b", "/etc/passwd", tarfile.LNKTYPE), "hard_link"),
    "device": (
        lambda tar: add(tar, "null", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        "special_file",
    ),
    "block device": (lambda tar: add(tar, "disk", b"", type=tarfile.BLKTYPE), "special_file"),
    "pipe": (lambda tar: add(tar, "pipe", b"", type=tarfile.FIFOTYPE), "special_file"),
    "twice": (names("a", "a"), "duplicate"),
    "file and folder": (names("a", "a/b"), "below_a_file_or_link"),
    "other case": (names("README", "readme"), "case_collision"),
    "other case of a folder": (names("Dir/a", "dir/b"), "case_collision"),
    "other form of a letter": (names("caf\u00e9", "cafe\u0301"), "case_collision"),
    "too deep": (names("/".join("a" * 70)), "too_deep"),
    "long name": (names("x" * 300), "too_long"),
    "too many": (names(*(f"f{number}" for number in range(40))), "too_many_entries"),
    "too large": (lambda tar: add(tar, "big", os.urandom(3 << 20)), "too_large"),
}


def refuse(tmp_path: Path, archive: Path, **options: object) -> ArchiveRefused:
    """Import, and return why it was refused, after seeing that nothing is left."""
    limits = ArchiveLimits(total_bytes=2 << 20, entries=30, **options)  # type: ignore[arg-type]
    place = tmp_path / "workspaces"
    place.mkdir()
    with pytest.raises(ArchiveRefused) as caught:
        Repository.from_archive(place / "w", archive, author=AUTHOR, limits=limits)
    assert list(place.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir() if path != place] == [archive.name]
    return caught.value


@pytest.mark.parametrize("case", REFUSED_TARS)
def test_refuses_tars(tmp_path: Path, case: str) -> None:
    fill, reason = REFUSED_TARS[case]
    assert refuse(tmp_path, make_tar(tmp_path / "a.tar.gz", fill)).reason == reason


def make_zip(path: Path, *entries: tuple[str, bytes, int]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data, mode in entries:
            info = zipfile.ZipInfo("placeholder")
            info.filename = name
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return path


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([("../evil", b"x", 0o100644)], "not_plain"),
        ([("/etc/evil", b"x", 0o100644)], "absolute"),
        ([("..\\evil", b"x", 0o100644)], "not_plain"),
        ([(".git/config", b"x", 0o100644)], "git_folder"),
        ([("l", b"/etc/passwd", 0o120777)], "link_out_of_tree"),
        ([("l", b"d", 0o120777), ("l/x", b"x", 0o100644)], "below_a_file_or_link"),
        ([("dev", b"", 0o020644)], "special_file"),
        ([("a", b"x", 0o100644), ("A", b"x", 0o100644)], "case_collision"),
        ([("bomb", bytes(3 << 20), 0o100644)], "too_large"),
    ],
)
def test_refuses_zips(tmp_path: Path, entries: list[tuple[str, bytes, int]], reason: str) -> None:
    assert refuse(tmp_path, make_zip(tmp_path / "a.zip", *entries)).reason == reason


def test_refuses_bombs_soon_and_by_what_really_comes_out(tmp_path: Path) -> None:
    bomb = tmp_path / "a.tar.gz"
    with gzip.open(bomb, "wb") as file:
        for _ in range(300):
            file.write(bytes(1 << 20))
    started = time.monotonic()
    assert refuse(tmp_path, bomb, ratio_from_bytes=1 << 19, ratio=3).reason == "compressed_too_much"
    assert time.monotonic() - started < 2


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", ("bomb", bytes(3 << 20), 0o100644))
    data = bytearray(path.read_bytes())
    size = (3 << 20).to_bytes(4, "little")
    while (at := data.find(size)) >= 0:
        data[at : at + 4] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    assert refuse(tmp_path, path).reason in ("unreadable", "too_large")


def test_a_header_that_fills_the_memory_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        add(tar, "a", pax_headers={"comment": "x" * (2 << 20)})
    limits = {"ratio": 10**6}
    assert refuse(tmp_path, archive, **limits).reason in ("header_too_large", "too_large")


@pytest.mark.parametrize(
    "data", [b"", b"no archive", b"\x1f\x8b\x08\x00broken", b"PK\x03\x04broken", os.urandom(999)]
)
def test_refuses_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    assert refuse(tmp_path, tmp_path / "a.zip").reason in ("unknown_format", "unreadable")


def test_refuses_every_truncation(tmp_path: Path) -> None:
    whole = make_tar(tmp_path / "whole", names(*(f"f{number}" for number in range(9)))).read_bytes()
    (tmp_path / "whole").unlink()
    for at in range(0, len(whole) - 1, 11):
        folder = tmp_path / str(at)
        folder.mkdir()
        (folder / "a.tar.gz").write_bytes(whole[:at])
        refuse(folder, folder / "a.tar.gz")


def test_a_link_that_needs_the_outer_folder_keeps_it(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", then(names("p/a"), link("p/up", "../p/a")))
    repository = Repository.from_archive(tmp_path / "w", archive, author=AUTHOR)
    assert repository.files.exists("p/a")


def test_a_list_of_a_million_entries_is_refused_before_it_is_read(tmp_path: Path) -> None:
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, *[0] * 8, 1, *[0] * 6) + b"a"
    listing = entry * 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(listing), 0, 0)
    path = tmp_path / "million.zip"
    path.write_bytes(listing + end)
    begun = time.monotonic()
    with pytest.raises(ArchiveRefused) as refusal:
        Repository.from_archive(tmp_path / "w", path, author=AUTHOR)
    assert refusal.value.facts["reason"] == "header_too_large"
    assert time.monotonic() - begun < 2
    assert not (tmp_path / "w").exists()
