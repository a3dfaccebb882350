"""Sizes of files for people."""

UNITS = ["B", "KB", "MB", "GB"]


def format_size(size):
    """Return a number of bytes in the largest unit of which there is at least one."""
    unit = 0
    while size > 1024 and unit < len(UNITS) - 1:
        size /= 1024
        unit += 1
    return f"{size:.1f} {UNITS[unit]}"
