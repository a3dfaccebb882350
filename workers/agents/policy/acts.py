"""What a tool call would do, as plain facts that rules speak of: one act for each command and each touched place."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from workers.agents.policy.programs import (
    DELETERS,
    FIND_FILTERS,
    INTERPRETERS,
    LOCAL_ARGUMENT,
    NETWORK,
    NETWORK_WORDS,
    NO_PATHS,
    PATTERN_FIRST,
    STAYS,
    WRITERS,
)
from workers.agents.policy.shell import Command, Script, read_script
from workers.agents.policy.wrappers import SHELLS, unwrap

HOME: Final = "/workspace"
"""Where a sandbox shows the run's files; paths below it are told relative to it."""
CountFiles = Callable[[str], int]

_FORK_BOMB: Final = re.compile(r"(?<![\w:])([\w:]{1,100})\s*\(\)\s*\{[^}]{0,300}?\1\s*\|\s*\1")
_PATH_ARGUMENTS: Final = ("path", "paths", "file", "files", "target", "source", "destination", "folder")
_TEXT_ARGUMENTS: Final = ("content", "new_text", "code", "text", "patch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that a call would do."""

    tool: str
    words: tuple[str, ...] = ()
    """Of a command: program and arguments, the program without its folder."""
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    """Paths that it may change, those that it deletes among them. Relative inside the project, whose root is "."."""
    deletes: tuple[str, ...] = ()
    files: int = 0
    """How many files it deletes, as far as it can be told."""
    lines: int = 0
    """How many lines of text it writes."""
    code: str = ""
    """What it hands an interpreter."""
    is_effect: bool = True
    is_outward: bool = False
    is_opaque: bool = False
    """Whether what it does cannot be read from it: text that is computed first and then run."""

    @property
    def effect(self) -> str:
        """`read`, `write` or `outward`."""
        return "outward" if self.is_outward else "write" if self.is_effect else "read"

    @property
    def paths(self) -> tuple[str, ...]:
        return self.reads + self.writes


def acts_of(
    tool: str,
    arguments: Mapping[str, Any],
    *,
    is_effect: bool,
    is_outward: bool = False,
    count_files: CountFiles = lambda path: 0,
) -> list[Act]:
    """Return what a call of this tool would do.

    Args:
        count_files: Says how many files lie at or below a path of the project, as acts name it.
    """
    script = arguments.get("command")
    if isinstance(script, str) and is_effect:
        return _of_script(tool, script, count_files)
    paths = tuple(normal_path(path) for name in _PATH_ARGUMENTS for path in _texts(arguments.get(name)))
    is_delete = is_effect and "delete" in tool
    lines = sum(len(text.splitlines()) for name in _TEXT_ARGUMENTS for text in _texts(arguments.get(name)))
    return [
        Act(
            tool=tool,
            reads=() if is_effect else paths,
            writes=paths if is_effect else (),
            deletes=paths if is_delete else (),
            files=sum(map(count_files, paths)) if is_delete else 0,
            lines=lines if is_effect else 0,
            is_effect=is_effect,
            is_outward=is_outward,
        )
    ]


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def normal_path(path: str, *, folder: str = HOME) -> str:
    """Return a path as rules name it: relative inside the project ("." is its root), else from "/", "~" or a variable.

    What ends in a wildcard for everything is the folder itself.
    """
    path = (
        path.replace("${HOME}", "~").replace("$HOME", "~").replace("${PWD}", folder).replace("$PWD", folder)
    )
    if path.startswith(("~", "$")):
        whole = path.rstrip("/") or path
    else:
        whole = posixpath.normpath(posixpath.join(folder, path or "."))
        whole = "/" + whole.lstrip("/") if whole.startswith("/") else whole
    while whole.rpartition("/")[2] in ("*", "**", ".*", ".[!.]*", "*.*", "?*"):
        whole = whole.rpartition("/")[0] or "/"
    if whole == HOME:
        return "."
    return whole.removeprefix(f"{HOME}/")


def _of_script(tool: str, text: str, count_files: CountFiles) -> list[Act]:
    script = read_script(text)
    acts: list[Act] = []
    if _FORK_BOMB.search(text):
        acts.append(Act(tool=tool, words=("fork-bomb",)))
    if script.is_unclear:
        acts.append(Act(tool=tool, words=("…",), is_opaque=True))
    _Walk(tool, count_files, acts).follow(script)
    return acts


class _Walk:
    """Goes through a script's commands in order, knowing the folder it is in and the variables that were set."""

    def __init__(self, tool: str, count_files: CountFiles, acts: list[Act], *, depth: int = 0) -> None:
        self._tool, self._count_files, self._acts, self._depth = tool, count_files, acts, depth
        self._folder = HOME
        self._variables: dict[str, str] = {}

    def follow(self, script: Script) -> None:
        before: list[str] = []
        for command in script.commands:
            for assignment in command.assignments:
                name, _, value = assignment.partition("=")
                self._variables[name.rstrip("+")] = value
            words = [word for raw in command.words for word in _braces(self._known(raw))]
            if words[:1] in (["cd"], ["pushd"]):
                self._folder = self._moved(words)
            self._add(command, words, before)
            before = words

    def _known(self, word: str) -> str:
        for name, value in self._variables.items():
            if value and "$(" not in value:
                word = re.sub(rf"\$\{{{name}\}}|\${name}\b", lambda _: value, word)  # noqa: B023 - used at once
        return word

    def _moved(self, words: list[str]) -> str:
        target = next((word for word in words[1:] if not word.startswith("-")), "~")
        path = normal_path(target, folder=self._folder)
        return path if path.startswith(("/", "~", "$")) else posixpath.normpath(posixpath.join(HOME, path))

    def _path(self, word: str) -> str:
        if self._folder.startswith(("~", "$")) and not word.startswith(("/", "~", "$")):
            return normal_path(f"{self._folder}/{word}")
        return normal_path(word, folder=self._folder)

    def _add(self, command: Command, words: list[str], before: list[str]) -> None:
        """Add the acts of one command: it, and what it runs in its turn."""
        for inner in unwrap([*words, *_handed_on(command, words, before)]):
            self._acts.append(self._act(command, inner.words, is_opaque=inner.is_opaque))
            if inner.script is not None:
                self._inside(inner.script)
        program = _program(words)
        is_shell = program in SHELLS and all(word.startswith("-") for word in words[1:])
        if is_shell and command.given is not None:
            self._inside(command.given)
        elif command.is_piped and before and is_shell and _program(before) == "echo" and "-e" not in before:
            self._inside(" ".join(before[1:]))
        elif command.is_piped and before and _runs_unseen(words, before, is_shell=is_shell):
            self._acts.append(Act(tool=self._tool, words=(program,), is_opaque=True))

    def _inside(self, text: str) -> None:
        script = read_script(text, depth=self._depth + 1)
        if script.is_unclear or self._depth > 6:
            self._acts.append(Act(tool=self._tool, words=("…",), is_opaque=True))
            return
        walk = _Walk(self._tool, self._count_files, self._acts, depth=self._depth + 1)
        walk._folder, walk._variables = self._folder, dict(self._variables)
        walk.follow(script)

    def _act(self, command: Command, words: list[str], *, is_opaque: bool) -> Act:
        program = _program(words)
        named = [self._path(word) for word in _named_paths(program, words)]
        redirected = tuple(self._path(word) for word in command.writes)
        deletes = _deleted(program, words, named, redirected)
        changes = (
            tuple(named)
            if program in DELETERS | WRITERS or (deletes and words) or _edits(program, words)
            else ()
        )
        return Act(
            tool=self._tool,
            words=(program, *words[1:]) if words else (),
            reads=tuple(self._path(word) for word in command.reads) + (() if changes else tuple(named)),
            writes=changes + redirected,
            deletes=deletes,
            files=sum(map(self._count_files, deletes)),
            lines=len((command.given or "").splitlines()) if redirected or changes else 0,
            code=_code(program, words, command.given),
            is_outward=_goes_out(program, words),
            is_opaque=is_opaque or "$" in program,
        )


def _program(words: list[str]) -> str:
    return words[0].rpartition("/")[2] if words else ""


def _is_path(word: str) -> bool:
    return bool(word) and not word.startswith(("-", "+")) and "://" not in word and len(word) < 500


def _named_paths(program: str, words: list[str]) -> list[str]:
    """Return the words of a command that name files, as far as one can tell."""
    if program in NO_PATHS or (program == "git" and words[1:2] in (["commit"], ["log"], ["grep"])):
        return []
    if program == "find":
        return _found_roots(words)
    if program == "dd":
        return [word.partition("=")[2] for word in words[1:] if word.startswith(("of=", "if="))]
    named = [word for word in words[2 if program == "git" else 1 :] if _is_path(word)]
    if program in PATTERN_FIRST and not {"-e", "-f"} & set(words):
        return named[1:]
    return named


def _found_roots(words: list[str]) -> list[str]:
    """Return the folders that `find` begins at; none when it looks for certain files only."""
    if any(word in FIND_FILTERS for word in words):
        return []
    roots: list[str] = []
    for word in words[1:]:
        if word.startswith(("-", "(", "!")):
            break
        roots.append(word)
    return roots or ["."]


def _handed_on(command: Command, words: list[str], before: list[str]) -> list[str]:
    """Return the words that `xargs` is handed, as far as the script tells them."""
    if _program(words) != "xargs":
        return []
    if command.given is not None:
        return command.given.split()
    if not command.is_piped:
        return []
    if _program(before) == "find":
        return _found_roots(before)
    if _program(before) == "ls" or before[:2] == ["git", "ls-files"]:
        return [word for word in before[1:] if _is_path(word) and word != "ls-files"] or ["."]
    return []


def _braces(word: str) -> list[str]:
    """Return `a{b,c}` as `ab` and `ac`, one pair of braces deep."""
    found = re.search(r"(?<!\$)\{([^{}]*,[^{}]*)\}", word)
    if not found:
        return [word]
    return [word[: found.start()] + part + word[found.end() :] for part in found.group(1).split(",")]


def _deleted(
    program: str, words: list[str], named: list[str], redirected: tuple[str, ...]
) -> tuple[str, ...]:
    """Return what is gone or empty afterwards."""
    if program in ("", ":"):
        return redirected  # `> file` empties it
    if program == "mv" and named and named[-1].startswith(("/", "~", "$")):
        return tuple(named[:-1])
    is_gone = (
        program in DELETERS
        or (program == "find" and "-delete" in words)
        or (program == "git" and words[1:2] in (["rm"], ["clean"]))
        or (program == "truncate" and ("-s0" in words or "0" in words or "--size=0" in words))
    )
    return tuple(named) if is_gone else ()


def _edits(program: str, words: list[str]) -> bool:
    if program in ("sed", "perl"):
        return any(re.match(r"-[a-zA-Z]*i", word) or word.startswith("--in-place") for word in words)
    if program == "git":
        return words[1:2] in (["checkout"], ["restore"], ["mv"], ["reset"], ["apply"])
    return program == "dd"


def _runs_unseen(words: list[str], before: list[str], *, is_shell: bool) -> bool:
    """Return whether what a pipe brings is run as code and stands neither in the script nor in a file."""
    if is_shell:
        return _program(before) != "cat"
    reads_code = INTERPRETERS.match(_program(words)) is not None and (len(words) == 1 or words[1] == "-")
    return reads_code and _program(before) not in ("cat", "echo", "printf")


def _code(program: str, words: list[str], given: str | None) -> str:
    if not INTERPRETERS.match(program):
        return ""
    flags = [
        at
        for at, word in enumerate(words)
        if word in ("-c", "-e", "--eval", "-r", "-p") or re.match(r"-[a-z]*[ce]$", word)
    ]
    code = [words[at + 1] for at in flags[:1] if at + 1 < len(words)]
    return "\n".join([*code, given or ""]).strip()


def _goes_out(program: str, words: list[str]) -> bool:
    """Return whether the command talks to other machines; to the machine itself does not count."""
    targets = [word for word in words[1:] if not word.startswith("-")]
    if program in NETWORK:
        addresses = [word for word in targets if "://" in word]
        return not (any(map(STAYS.match, targets)) and all(map(STAYS.match, addresses)))
    outward = NETWORK_WORDS.get(program)
    if outward is None:
        return any(word.startswith("/dev/tcp/") for word in words)
    if "" in outward:
        return True
    if not targets or targets[0] not in outward:
        return False
    return not (
        "--no-index" in words
        or "--offline" in words
        or (targets[1:] and all(map(LOCAL_ARGUMENT.match, targets[1:])))
    )
