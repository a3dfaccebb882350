"""Addresses of pages from their titles."""

import re
import unicodedata


def slugify(title):
    text = unicodedata.normalize("NFKD", title.lower().replace("ß", "ss"))
    text = "".join(char for char in text if not unicodedata.combining(char))
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-") or "page"


def unique_slug(title, taken, max_length=60):
    """Return a slug for `title` that is not in the set `taken`."""
    base = slugify(title)
    slug = base[:max_length].rstrip("-")
    number = 2
    while slug in taken:
        suffix = f"-{number}"
        slug = base[: max_length - len(suffix)].rstrip("-") + suffix
        number += 1
    return slug
