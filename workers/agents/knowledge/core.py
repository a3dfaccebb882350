"""What knowledge is made of, without I/O: pieces of texts, words in common, and the ties between Python files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from workers.tools.knowing import Known
from workers.tools.text import bound, first_line

PIECE_CHARS: Final = 1_200
SHOWN_CHARS: Final = 600
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,}")
_STOP: Final = frozenset(
    ("the", "and", "for", "with", "that", "this", "from", "are", "was", "were", "has", "have", "not", "you", "what", "which")
    + ("where", "how", "does", "into", "its")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file that says one thing."""

    path: str
    line: int
    text: str

    @property
    def where(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(slots=True)
class Ties:
    """Who imports and calls whom, among Python files. Calls are by name: two functions of one name are not told apart."""

    imports: dict[str, set[str]] = field(default_factory=dict)
    """Path → paths that it imports."""
    defines: dict[str, list[Piece]] = field(default_factory=dict)
    """Name → where it is defined."""
    calls: dict[str, list[Piece]] = field(default_factory=dict)
    """Name → where it is called."""


class KnowledgeCore:
    """Plain data in, plain data out."""

    def pieces_of(self, path: str, text: str) -> list[Piece]:
        """Return what a file says, in pieces: a document's paragraphs, or what Python code defines and says of itself."""
        return _of_python(path, text) if path.endswith(".py") else _of_prose(path, text)

    def words_of(self, text: str) -> set[str]:
        """Return the telling words of a text, `snake_case` and `camelCase` in their parts too."""
        words: set[str] = set()
        for found in _WORD.findall(text):
            words.add(found.lower())
            words.update(part.lower() for part in re.findall(r"[A-Z]?[a-z]{3,}|[A-Z]{3,}", found))
        return words - _STOP

    def overlap(self, question: set[str], text: str) -> float:
        """Return which part of a question's words stands in a text, 0–1."""
        return len(question & self.words_of(text)) / len(question) if question else 0.0

    def from_job(self, job: Mapping[str, Any], question: str) -> list[Known]:
        """Return what the run was handed that shares words with the question, best first."""
        words = self.words_of(question)
        found = [
            Known(kind="structured", where=where, text=bound(text, SHOWN_CHARS), score=score)
            for where, text in _facts_of(job)
            if (score := self.overlap(words, text)) > 0
        ]
        return sorted(found, key=lambda known: -known.score)

    def tie(self, sources: Mapping[str, str]) -> Ties:
        """Return the ties between these Python files, path → source; a file that does not parse has none."""
        ties = Ties()
        modules = {_module_of(path): path for path in sources}
        for path, source in sources.items():
            try:
                tree = ast.parse(source)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            ties.imports[path] = {
                found
                for name in _imported(tree, _module_of(path), is_package=path.endswith("__init__.py"))
                if (found := _resolve(name, modules)) is not None and found != path
            }
            lines = source.splitlines()
            for node in ast.walk(tree):
                _note(ties, path, lines, node)
        return ties

    def related(self, ties: Ties, name: str) -> list[Known]:
        """Return what a path, module or name is tied to: definitions, importers, imports, callers."""
        path = name if name in ties.imports else f"{name.replace('.', '/')}.py"
        if path not in ties.imports:
            matches = [known for known in ties.imports if known.endswith(f"/{path}")]
            path = matches[0] if len(matches) == 1 else path
        found: list[Known] = []
        if path in ties.imports:
            importers = sorted(one for one, imported in ties.imports.items() if path in imported)
            found += [_known(one, f"imports {path}", 1.0) for one in importers]
            found += [_known(one, f"is imported by {path}", 0.5) for one in sorted(ties.imports[path])]
        short = name.rpartition(".")[2]
        found += [
            _known(piece.where, f"defines {short}: {piece.text}", 1.0)
            for piece in ties.defines.get(short, ())
        ]
        found += [
            _known(piece.where, f"calls {short}: {piece.text}", 0.8) for piece in ties.calls.get(short, ())
        ]
        return sorted(found, key=lambda known: -known.score)


def _known(where: str, text: str, score: float) -> Known:
    return Known(kind="relational", where=where, text=text, score=score)


def _facts_of(job: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield what rows carried into the job, each with its name."""
    for lesson in job.get("lessons", ()):
        yield (
            f"lesson {lesson.get('id', '')}",
            " ".join(str(lesson.get(key, "")) for key in ("pattern", "cause", "solution")),
        )
    for message in job.get("conversation", ()):
        yield f"said by {message['author']}", str(message["text"])
    for comment in (job.get("revision_of") or {}).get("comments", ()):
        yield (
            f"review comment {comment.get('id', '')}",
            f"{comment.get('path', '')}: {comment.get('text', '')}",
        )
    for rule in job.get("rules", ()):
        yield f"pattern {rule.get('id', '')}", str(rule.get("message", ""))


def _of_prose(path: str, text: str) -> list[Piece]:
    pieces: list[Piece] = []
    line = 1
    for paragraph in re.split(r"(\n\s*\n)", text):
        if paragraph.strip():
            start = line + len(paragraph) - len(paragraph.lstrip("\n"))
            pieces += [
                Piece(path, start, f"{path}\n{paragraph.strip()[at : at + PIECE_CHARS]}")
                for at in range(0, len(paragraph.strip()), PIECE_CHARS)
            ]
        line += paragraph.count("\n")
    return pieces


def _of_python(path: str, text: str) -> list[Piece]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    pieces = [Piece(path, 1, f"{path}\n{doc}")] if (doc := ast.get_docstring(tree)) else []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            said = ast.get_docstring(node) or ""
            names = " ".join(arg.arg for arg in node.args.args) if not isinstance(node, ast.ClassDef) else ""
            spoken = " ".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", node.name))
            pieces.append(
                Piece(path, node.lineno, bound(f"{path} {node.name} ({spoken}) {names}\n{said}", PIECE_CHARS))
            )
    return pieces


def _module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imported(tree: ast.Module, module: str, *, is_package: bool) -> Iterable[str]:
    """Yield the dotted names that a module imports, relative ones made whole."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)


def _resolve(name: str, modules: Mapping[str, str]) -> str | None:
    """Return the file that a dotted name means: the module, or the one that holds the name; also below a source folder."""
    while name:
        for known in (name, f"src.{name}"):
            if known in modules:
                return modules[known]
        name = name.rpartition(".")[0]
    return None


def _note(ties: Ties, path: str, lines: list[str], node: ast.AST) -> None:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        ties.defines.setdefault(node.name, []).append(
            Piece(path, node.lineno, first_line(lines[node.lineno - 1].strip(), 160))
        )
    elif isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name:
            ties.calls.setdefault(name, []).append(
                Piece(path, node.lineno, first_line(lines[node.lineno - 1].strip(), 160))
            )
