"""How late this machine is now, for bounds that a test asks of the product and not of whoever else uses the processors."""

from __future__ import annotations

import time


def lateness_s() -> float:
    """Return how late 400 short sleeps in a row would end now, judged by 20 of them; next to nothing on a quiet machine."""
    started = time.monotonic()
    for _ in range(20):
        time.sleep(0.01)
    return 20 * max(0.0, time.monotonic() - started - 0.2)
