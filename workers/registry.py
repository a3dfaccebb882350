"""Names and what they stand for, loaded when first asked for.

A registry line names a class by "module:attribute", so that listing agents or tools imports none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def load(target: str) -> Any:
    """Return the object that `target` ("package.module:attribute") names.

    Raises:
        ImportError: the module is missing.
        AttributeError: the module has no such attribute.
    """
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
