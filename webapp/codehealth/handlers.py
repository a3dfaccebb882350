"""Housekeeping of code health that the relay runs."""

from webapp.codehealth.services import measurements

__all__ = ["measurements"]
