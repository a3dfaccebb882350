from __future__ import annotations

from pathlib import Path

import pytest

from workers.tools.base import ToolContext


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    """An empty run folder."""
    folder = tmp_path / "files"
    folder.mkdir()
    return ToolContext(files_dir=folder, command_timeout_s=30)
