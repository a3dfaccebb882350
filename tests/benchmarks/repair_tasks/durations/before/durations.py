"""Durations in words, such as 1h30m."""

import re

UNITS = {"h": 60, "m": 1, "s": 1}


def parse_duration(text):
    """Return the seconds of a duration such as `1h30m` or `45s`."""
    parts = re.findall(r"(\d+)([hms])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"no duration: {text}")
    return sum(int(number) * UNITS[unit] for number, unit in parts)
