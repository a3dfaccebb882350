"""The three stores that can be asked now. The large memory over workspaces takes the same door later."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Final, Protocol

from blake3 import blake3

from workers.agents.knowledge.core import SHOWN_CHARS, KnowledgeCore, Piece
from workers.changes.errors import ChangeError
from workers.changes.files import WorkspaceFiles
from workers.errors import PyAgentError
from workers.memory.embedding import Vector, minilm
from workers.queue import Job
from workers.tools.knowing import Kind, Known
from workers.tools.text import bound

MAX_FILES: Final = 2_000
MAX_FILE_BYTES: Final = 256 * 1024
MAX_PIECES: Final = 800
MAX_EMBED_S: Final = 20.0
BATCH: Final = 32
KEPT_VECTORS: Final = 20_000
MIN_SIMILARITY: Final = 0.2
_PROSE: Final = (".md", ".txt", ".rst", ".adoc")


class EmptyScope(PyAgentError):
    """Nobody may be asked for knowledge without saying whose: the scope is empty."""

    code = "empty_scope"


@dataclass(frozen=True, slots=True)
class Scope:
    """The workspaces that the caller may read.

    Raises:
        EmptyScope: there is none.
    """

    workspace_ids: frozenset[int]

    def __post_init__(self) -> None:
        if not self.workspace_ids:
            raise EmptyScope()

    def check(self, workspace_id: int) -> None:
        """Refuse a store of another workspace.

        Raises:
            EmptyScope: the scope does not hold it.
        """
        if workspace_id not in self.workspace_ids:
            raise EmptyScope(
                f"Workspace {workspace_id} lies outside of the scope.", workspace_id=workspace_id
            )


class Store(Protocol):
    """Something that knows. It blocks; asynchronous callers use a thread."""

    kind: Kind

    def know(self, question: str, *, scope: Scope, limit: int) -> list[Known]:
        """Return what fits, best first.

        Raises:
            EmptyScope: what the store holds lies outside of the scope.
        """
        ...


class JobStore:
    """What rows carried into the run: lessons, remarks, the conversation, patterns."""

    kind: Kind = "structured"

    def __init__(self, job: Job) -> None:
        self._job = job

    def know(self, question: str, *, scope: Scope, limit: int) -> list[Known]:
        scope.check(self._job.workspace_id)
        return KnowledgeCore().from_job(asdict(self._job), question)[:limit]


class MeaningStore:
    """Notes, documents and what code says of itself, by meaning."""

    kind: Kind = "semantic"

    def __init__(self, files: WorkspaceFiles, workspace_id: int) -> None:
        self._files, self._workspace_id = files, workspace_id

    def know(self, question: str, *, scope: Scope, limit: int) -> list[Known]:
        scope.check(self._workspace_id)
        core = KnowledgeCore()
        sources = read_texts(self._files, (*_PROSE, ".py"))
        pieces = [piece for path, text in sources.items() for piece in core.pieces_of(path, text)]
        words = core.words_of(question)
        # Those that share words come first, in case there are more than can be looked at in time.
        pieces.sort(key=lambda piece: -core.overlap(words, piece.text))
        pieces = pieces[:MAX_PIECES]
        vectors = _vectors.of([piece.text for piece in pieces])
        asked = minilm.embed([question])[0]
        scored = [(float(vector @ asked), piece) for vector, piece in zip(vectors, pieces, strict=False)]
        scored.sort(key=lambda pair: -pair[0])
        return [self._known(piece, score) for score, piece in scored[:limit] if score >= MIN_SIMILARITY]

    def _known(self, piece: Piece, score: float) -> Known:
        text = bound(piece.text.partition("\n")[2] or piece.text, SHOWN_CHARS)
        return Known(kind="semantic", where=piece.where, text=text, score=round(min(1.0, score), 3))


class TiesStore:
    """Who imports and calls whom in the Python code."""

    kind: Kind = "relational"

    def __init__(self, files: WorkspaceFiles, workspace_id: int) -> None:
        self._files, self._workspace_id = files, workspace_id

    def know(self, question: str, *, scope: Scope, limit: int) -> list[Known]:
        scope.check(self._workspace_id)
        core = KnowledgeCore()
        return core.related(core.tie(read_texts(self._files, (".py",))), question.strip())[:limit]


def read_texts(files: WorkspaceFiles, endings: Sequence[str]) -> Mapping[str, str]:
    """Return the files with these endings, path → text, at most `MAX_FILES`; what cannot be read is left out."""
    texts: dict[str, str] = {}
    for entry in files.walk():
        if (
            entry.kind != "file"
            or not entry.path.endswith(tuple(endings))
            or entry.size_bytes > MAX_FILE_BYTES
        ):
            continue
        try:
            texts[entry.path] = files.read(entry.path).data.decode("utf-8", "replace")
        except ChangeError:
            continue
        if len(texts) >= MAX_FILES:
            break
    return texts


class _Vectors:
    """Vectors by content, kept in this process: the second question costs what changed."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Vector] = OrderedDict()
        self._lock = Lock()

    def of(self, texts: Sequence[str]) -> list[Vector]:
        """Return a vector for each text, fewer when the time for new ones is over; then those of the first texts."""
        keys = [blake3(text.encode("utf-8", "replace")).digest() for text in texts]
        deadline = time.monotonic() + MAX_EMBED_S
        with self._lock:
            missing = [at for at, key in enumerate(keys) if key not in self._kept]
            for start in range(0, len(missing), BATCH):
                if time.monotonic() > deadline:
                    break
                batch = missing[start : start + BATCH]
                for at, vector in zip(batch, minilm.embed([texts[at] for at in batch]), strict=True):
                    self._kept[keys[at]] = vector
            found: list[Vector] = []
            for key in keys:
                if key not in self._kept:
                    break
                self._kept.move_to_end(key)
                found.append(self._kept[key])
            while len(self._kept) > KEPT_VECTORS:
                self._kept.popitem(last=False)
        return found


_vectors = _Vectors()
