"""Call something again when it fails."""

import time


def call(function, *, tries=3, on=(OSError,), wait=0.1, longest=5.0, sleep=time.sleep):
    """Return what `function()` returns, calling it up to `tries` times.

    Errors of the classes `on` are tried again; the last one is raised.
    """
    for attempt in range(1, tries + 1):
        try:
            return function()
        except KeyboardInterrupt:
            raise
        except on:
            if attempt >= tries:
                raise
        sleep(min(longest, wait))
        wait *= 2
    raise ValueError("tries must be at least 1")
