"""Housekeeping of workspaces that the relay runs."""

from webapp.workspaces import preparing

__all__ = ["preparing"]
