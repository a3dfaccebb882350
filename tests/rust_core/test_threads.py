"""The core beside Python's own threads: it lets them run, and many may call it at once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import rust_core
from tests.rust_core.corpus import corpus, sample


def test_lets_other_threads_run_while_it_works():
    paths = [str(path) for path in corpus()[:1_500]]
    ticks, is_done = [], threading.Event()

    def tick() -> None:
        while not is_done.wait(0.002):
            ticks.append(time.perf_counter())

    ticking = threading.Thread(target=tick)
    ticking.start()
    start = time.perf_counter()
    rust_core.audit_paths(paths, threads=1)
    wall_s = time.perf_counter() - start
    is_done.set()
    ticking.join()
    # With the GIL held all along there would be none. Dicts are made under it at the end.
    during = [at for at in ticks if at < start + wall_s / 2]
    assert len(during) >= 3


def test_answers_many_threads_at_once_as_it_answers_one():
    sources = [path.read_bytes() for path in sample(60, seed=3, max_bytes=30_000)]
    expected = [rust_core.audit_source(source) for source in sources]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert list(pool.map(rust_core.audit_source, sources)) == expected
