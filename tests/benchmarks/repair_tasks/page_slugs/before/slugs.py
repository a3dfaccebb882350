"""Addresses of pages from their titles."""

import re


def slugify(title):
    return re.sub(r"[^a-z0-9]", "-", title.lower())


def unique_slug(title, taken, max_length=60):
    """Return a slug for `title` that is not in the set `taken`."""
    slug = slugify(title)[:max_length]
    if slug in taken:
        slug = slug + "-2"
    return slug
