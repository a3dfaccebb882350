from __future__ import annotations

from pathlib import Path

import pytest

from workers.inference import model_file
from workers.inference.model_file import ModelFileCorrupt, ModelFileMissing, check_model, packaged_model


def test_finds_the_packaged_model_and_it_is_the_one_chosen() -> None:
    path = packaged_model()
    assert path.stat().st_size == 98_362_432
    check_model(path)


def test_refuses_a_file_that_differs_in_one_byte(tmp_path: Path) -> None:
    copy = tmp_path / "model.gguf"
    data = bytearray(packaged_model().read_bytes())
    data[50_000_000] ^= 1
    copy.write_bytes(data)
    with pytest.raises(ModelFileCorrupt):
        check_model(copy)


def test_says_which_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_file, "PACKAGE", "no_such_package_here")
    with pytest.raises(ModelFileMissing, match="no_such_package_here"):
        packaged_model()
