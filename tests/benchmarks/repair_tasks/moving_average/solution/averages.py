"""Averages over a window that moves along a list."""


def moving_average(values, size):
    """Return the mean of each `size` neighbouring values, in order."""
    if size < 1:
        raise ValueError("size must be at least 1")
    return [sum(values[start : start + size]) / size for start in range(len(values) - size + 1)]
