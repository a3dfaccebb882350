"""What can go wrong with files, git, diffs and landings; edges turn the codes into replies."""

from __future__ import annotations

import errno
from pathlib import Path

from workers.errors import PyAgentError


class ChangeError(PyAgentError):
    """A file or a repository could not be read or changed."""

    code = "change_failed"


class PathRefused(ChangeError):
    """The path is not a plain path inside the workspace; `path` says which, `reason` why."""

    code = "path_refused"


class FileMissing(ChangeError):
    """Nothing is at this path."""

    code = "file_missing"


class NotAFile(ChangeError):
    """The path is a directory, a link or a special file where a regular file is needed."""

    code = "not_a_file"


class AccessDenied(ChangeError):
    """The file's own permissions keep us from it."""

    code = "access_denied"


class FileTooLarge(ChangeError):
    """The file is too large to be opened or saved here."""

    code = "file_too_large"


class PathTaken(ChangeError):
    """Something is already at this path."""

    code = "path_taken"


class VersionConflict(ChangeError):
    """Somebody else's newer version is at `path`; `expected` and `found` are versions, None means absent."""

    code = "version_conflict"

    def __init__(self, path: str, expected: str | None, found: str | None) -> None:
        super().__init__("The file has changed since it was read.", path=path, expected=expected, found=found)
        self.path, self.expected, self.found = path, expected, found


class TransactionRefused(ChangeError):
    """These changes contradict each other and cannot be one transaction."""

    code = "transaction_refused"


class WorkspaceBusy(ChangeError):
    """Another writer has held the workspace for too long."""

    code, retryable = "workspace_busy", True


class StorageFull(ChangeError):
    """The disk is full; nothing was changed."""

    code, retryable = "storage_full", True


class StorageFailed(ChangeError):
    """The disk refused to store or return data; `operation` and `errno` say more."""

    code, retryable = "storage_failed", True


class BackupDamaged(StorageFailed):
    """The bytes of a backup in the vault are not the ones it was named after; `version` says which."""

    code, retryable = "backup_damaged", False


class KernelTooOld(StorageFailed):
    """This kernel cannot open files the way that keeps inside a workspace."""

    code, retryable = "kernel_too_old", False


class JournalDamaged(ChangeError):
    """The vault's journal cannot be read; `path` is the journal, seen from the workspace's folder."""

    code = "journal_damaged"

    def __init__(self, problem: str, path: Path) -> None:
        shown = f"{path.parent.name}/{path.name}"
        super().__init__(
            f"{problem} Nothing in this workspace changes until whoever runs this server restores {shown} in its folder from "
            "a backup, or moves it away: then its files stay as they are now, and a change that was cut off is not finished.",
            path=shown,
        )


class SearchPatternInvalid(ChangeError):
    """The search pattern is not a regular expression."""

    code = "search_pattern_invalid"


class GitFailed(ChangeError):
    """Git answered with an error; `command`, `exit_code` and `detail` say which."""

    code = "git_failed"


class GitTimeout(GitFailed):
    """Git did not finish in time."""

    code, retryable = "git_timeout", True


class FilesHoldGitUp(GitFailed):
    """Git waits for ever, or reads without end, because of what lies at `paths`: pipes, links to devices."""

    code = "files_hold_git_up"


class GitOutputTooLarge(GitFailed):
    """Git's answer is larger than the limit."""

    code = "git_output_too_large"


class UnknownRevision(GitFailed):
    """No commit, branch or file has this name."""

    code = "unknown_revision"


class BranchAmbiguous(ChangeError):
    """Remotes have different branches of this name; `remotes` says which, and one of them must be named."""

    code = "branch_ambiguous"


class RefMoved(GitFailed):
    """The branch is not where it was expected; `ref`, `expected` and `found` say more."""

    code, retryable = "ref_moved", True


class NothingToCommit(ChangeError):
    """No staged change differs from the last commit."""

    code = "nothing_to_commit"


class WorkspaceExists(ChangeError):
    """A repository is already in this place."""

    code = "workspace_exists"


class RemoteRefused(ChangeError):
    """This address may not be fetched from; `reason` says why."""

    code = "remote_refused"


class RemoteTooLarge(ChangeError):
    """The remote repository is larger than allowed."""

    code = "remote_too_large"


_ARCHIVE_WORDS = {
    "absolute": "an entry has an absolute path",
    "not_plain": "an entry points out of the archive or has no plain path",
    "git_folder": "an entry lies in a .git folder",
    "too_long": "an entry's path is too long",
    "too_large": "it is too large once unpacked",
    "compressed_too_much": "it unpacks to far more than its size, as an archive bomb does",
    "too_many_entries": "it has too many entries",
    "too_deep": "its folders are nested too deeply",
    "case_collision": "two entries differ only in upper and lower case or in how they are spelled",
    "below_a_file_or_link": "an entry lies below a file or a link",
    "duplicate": "an entry comes twice",
    "encrypted": "it is protected by a password",
    "special_file": "an entry is a device, a pipe or the like",
    "hard_link": "an entry is a hard link",
    "link_out_of_tree": "a link leads out of the archive",
    "link_without_target": "a link leads nowhere",
    "header_too_large": "a header in it is too large",
    "unknown_format": "it is neither a .zip nor a .tar.gz",
    "unreadable": "it is damaged or cut off",
}


class ArchiveRefused(ChangeError):
    """The archive holds something that is not taken in; `reason` and `entry` say what and where."""

    code = "archive_refused"

    def __init__(self, reason: str, entry: str = "") -> None:
        words = _ARCHIVE_WORDS.get(reason, reason.replace("_", " "))
        at = f" ({entry[:120]})" if entry else ""
        super().__init__(
            f"The archive was refused: {words}{at}. Nothing was kept.", reason=reason, entry=entry
        )
        self.reason, self.entry = reason, entry


class DiffUnreadable(ChangeError):
    """A diff does not have the form that was expected."""

    code = "diff_unreadable"


class HunkMismatch(ChangeError):
    """A hunk does not fit the file it is to change, or its key is unknown."""

    code = "hunk_mismatch"


class LandingConflict(ChangeError):
    """The change overlaps with edits that are not committed, or with a newer commit; `paths` says where."""

    code = "landing_conflict"


def storage_error(error: OSError, operation: str) -> StorageFull | StorageFailed:
    """Return the named error for what the file system answered."""
    facts = {"operation": operation, "errno": errno.errorcode.get(error.errno or 0, str(error.errno))}
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull("The disk is full; nothing was changed.", **facts)
    return StorageFailed(
        f"The disk failed to {operation}: {error.strerror}. Try again once whoever runs this server has looked at it.",
        **facts,
    )


class PushRejected(GitFailed):
    """The remote has commits that this branch lacks, or does not take pushes; `detail` says more."""

    code = "push_rejected"


class RemoteAuthFailed(GitFailed):
    """The remote asks for a credential, or does not accept this one."""

    code = "remote_auth_failed"


class RemoteUnavailable(GitFailed):
    """The remote cannot be reached, or its connection is not to be trusted."""

    code, retryable = "remote_unavailable", True
