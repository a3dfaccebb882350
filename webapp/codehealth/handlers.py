"""Housekeeping of code health that the relay runs."""

from webapp.codehealth.services import jobs

__all__ = ["jobs"]
