"""Radon's, mccabe's and the twins' figures on real source: a fixed sample, or with PYAGENT_STORM=full every file."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import rust_core
from tests.rust_core.agreement import differences
from tests.rust_core.corpus import files_of, packages, sample
from tests.rust_core.radon_twin import figures_within

FILES = 200
FILES_OF_A_PACKAGE = 8
IS_FULL = os.environ.get("PYAGENT_STORM") == "full"
LIMIT_S = 60 if IS_FULL else 5


@pytest.mark.timeout(3600 if IS_FULL else 300)
def test_equals_radon_and_mccabe_wherever_they_give_figures():
    paths = sample(FILES, seed=20261123, max_bytes=40_000)
    for folder in packages().values():
        paths += sample(FILES_OF_A_PACKAGE, seed=1, max_bytes=20_000, files=files_of(folder))
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        theirs = list(pool.map(figures_within, paths, [LIMIT_S] * len(paths), chunksize=8))
    ours = rust_core.audit_paths([str(path) for path in paths])
    compared = [(Path(audit["path"]), audit, peers) for audit, peers in zip(ours, theirs, strict=True)]
    differing = {
        str(path): found
        for path, audit, peers in compared
        if isinstance(peers, dict) and (found := differences(audit, peers))
    }
    refused = {str(path): peers for path, _, peers in compared if isinstance(peers, str)}
    assert not differing
    # Files that a peer rejects or takes too long for are few; a broken comparison would refuse them all.
    assert len(refused) <= len(paths) * 0.03, refused
