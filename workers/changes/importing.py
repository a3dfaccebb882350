"""Making a repository: empty, or from an archive. It is built beside its place and renamed when it is
whole."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.changes.archives import ArchiveLimits, unpack
from workers.changes.errors import WorkspaceExists, storage_error
from workers.changes.git import Git
from workers.changes.removal import remove_tree
from workers.changes.revisions import Author
from workers.changes.staging import refresh, stage_paths
from workers.errors import PyAgentError

__all__ = ["ArchiveLimits", "building", "create_repository", "import_archive", "init_bare"]

# The highest place for attributes: whatever a repository's own .gitattributes say, content is kept byte for
# byte, and no file can be hidden from a diff as "binary".
_ATTRIBUTES = (
    "* !text !eol !crlf !ident !filter !working-tree-encoding !diff !merge !export-subst !export-ignore\n"
)


@contextmanager
def building(root: Path) -> Iterator[Path]:
    """Give a folder beside `root` that becomes `root` at the end, and is gone when anything fails.

    Raises:
        WorkspaceExists: something is at `root`.
    """
    if root.exists():
        raise WorkspaceExists(path=root.name)
    place = root.with_name(f".{root.name}.partial-{secrets.token_hex(6)}")
    try:
        place.mkdir(mode=0o700, parents=True)
        yield place
        if root.exists():
            raise WorkspaceExists(path=root.name)
        place.rename(root)
    except PyAgentError:
        remove_tree(place)
        raise
    except OSError as error:
        remove_tree(place)
        raise storage_error(error, "make the workspace") from error
    except BaseException:
        remove_tree(place)
        raise


def init_bare(place: Path, *, branch: str, on_tick: Callable[[], None] | None = None) -> Git:
    """Return git on a new bare repository at `place/repo.git`, without hooks or templates."""
    git_dir = place / "repo.git"
    git_dir.mkdir()
    git = Git(git_dir, on_tick=on_tick)
    git.run("check-ref-format", f"refs/heads/{branch}")
    git.run("init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}")
    (git_dir / "info").mkdir(exist_ok=True)
    (git_dir / "info" / "attributes").write_text(_ATTRIBUTES)
    return git


def create_repository(root: Path, *, branch: str, author: Author) -> None:
    """Make a repository with one empty commit."""
    with building(root) as place:
        git = init_bare(place, branch=branch)
        (place / "files").mkdir()
        _commit_tree(git, git.text("mktree"), "Start the repository", branch, author)


def import_archive(
    root: Path,
    archive: Path,
    *,
    author: Author,
    limits: ArchiveLimits,
    branch: str,
    on_progress: Callable[[int], None] | None,
    on_tick: Callable[[], None] | None,
) -> None:
    """Make a repository whose first commit holds everything in an archive; nothing is left when `on_tick` raises."""
    with building(root) as place:
        (place / "files").mkdir()
        paths = unpack(archive, place / "files", limits, on_progress=on_progress, on_tick=on_tick)
        bare = init_bare(place, branch=branch, on_tick=on_tick)
        git = Git(place / "repo.git", place / "files", place / "index", on_tick)
        stage_paths(git, place / "files", paths)
        refresh(git)
        _commit_tree(bare, git.text("write-tree"), f"Import {archive.name}", branch, author)


def _commit_tree(git: Git, tree: str, message: str, branch: str, author: Author) -> None:
    sha = git.text("commit-tree", tree, "-m", message, env=author.environment())
    git.run("update-ref", f"refs/heads/{branch}", sha)
