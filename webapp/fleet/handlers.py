"""What the fleet's rows are told to again and again. Loaded when Django starts."""

from __future__ import annotations

from webapp.events.registry import periodic
from webapp.fleet.services import tell_shares


@periodic(every_s=10.0)
def tell_shares_again() -> None:
    """A Redis that was emptied has forgotten how the fleet is shared."""
    tell_shares()
