"""Programs that run other programs: what stands behind `sudo`, `xargs`, `timeout`, `sh -c`, `find -exec` and their like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

SHELLS: Final = frozenset(("sh", "bash", "zsh", "dash", "ksh", "ash", "fish"))
MAX_DEPTH: Final = 6
# A wrapper's options that take a word of their own, and how many words stand between them and what it runs.
_WRAPPERS: Final[dict[str, tuple[frozenset[str], int]]] = {
    name: (frozenset(options.split()), words)
    for name, options, words in (
        ("sudo", "-u -g -h -p -C -r -t", 0), ("doas", "-u -C", 0), ("env", "-u -C -S", 0), ("nohup", "", 0),
        ("time", "-f -o", 0), ("nice", "-n", 0), ("ionice", "-c -n -p", 0), ("timeout", "-s -k", 1), ("exec", "-a", 0),
        ("command", "", 0), ("builtin", "", 0), ("stdbuf", "-i -o -e", 0), ("setsid", "", 0), ("busybox", "", 0),
        ("xargs", "-I -n -P -d -L -s -a -E", 0), ("watch", "-n", 0), ("chronic", "", 0), ("parallel", "-j", 0),
    )
}  # fmt: skip
_GIT_OPTIONS: Final = frozenset(("-C", "-c", "--git-dir", "--work-tree"))


@dataclass(frozen=True, slots=True)
class Inner:
    """A command that is run: as it stands, or by another. `script` is shell text that it runs in its turn."""

    words: list[str]
    script: str | None = None
    is_opaque: bool = False


def unwrap(words: list[str], *, depth: int = 0) -> list[Inner]:
    """Return the command and those that it runs, outermost first."""
    if not words:
        return [Inner(words)]
    if depth > MAX_DEPTH:
        return [Inner(words, is_opaque=True)]
    program = words[0].rpartition("/")[2]
    if program == "git":
        return [Inner(_plain_git(words))]
    if (script := _script_of(program, words)) is not None:
        return [Inner(words, script=script, is_opaque=_is_computed(script))]
    inner = _runs(program, words)
    is_computed = program in SHELLS | {".", "source"} and any(word.startswith("$") for word in words[1:])
    return [Inner(words, is_opaque=is_computed), *(unwrap(inner, depth=depth + 1) if inner else ())]


def _script_of(program: str, words: list[str]) -> str | None:
    if program == "eval":
        return " ".join(words[1:])
    if program in SHELLS:
        for at, word in enumerate(words[1:], start=1):
            if re.fullmatch(r"-[a-z]*c[a-z]*", word):
                return words[at + 1] if at + 1 < len(words) else ""
    return None


def _is_computed(script: str) -> bool:
    """Whether the text to be run comes out of a variable or a command."""
    return script.lstrip().startswith("$")


def _runs(program: str, words: list[str]) -> list[str]:
    if program in _WRAPPERS:
        options, skipped = _WRAPPERS[program]
        return _after_options(words[1:], options)[skipped:]
    if program == "find":
        at = next(
            (at for at, word in enumerate(words) if word in ("-exec", "-execdir", "-ok", "-okdir")), None
        )
        inner = words[at + 1 :] if at is not None else []
        ends = [at for at, word in enumerate(inner) if word in (";", "+")]
        found = inner[: ends[0] if ends else None]
        has_filter = any(
            word.startswith(("-name", "-iname", "-path", "-regex", "-mtime", "-size")) for word in words
        )
        root = words[1] if len(words) > 1 and not words[1].startswith("-") else "."
        return [root if word == "{}" and not has_filter else word for word in found]
    if re.fullmatch(r"python[\d.]*", program):
        at = words.index("-m") if "-m" in words[:4] else -1
        return words[at + 1 :] if at > 0 else []
    return []


def _after_options(words: list[str], options: frozenset[str]) -> list[str]:
    at = 0
    while at < len(words) and (words[at].startswith("-") or re.match(r"[A-Za-z_]\w*=", words[at])):
        at += 2 if words[at] in options else 1
    return words[at:]


def _plain_git(words: list[str]) -> list[str]:
    """Return a git command without the options before its verb."""
    rest = _after_options(words[1:], _GIT_OPTIONS)
    return ["git", *rest]
