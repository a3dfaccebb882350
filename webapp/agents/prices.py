"""What models cost: the workspace's own table, and a table to begin with. Unknown is never 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Final

from django.db import transaction

from webapp.agents.models import ModelPrice, ModelProfile
from webapp.errors import Conflict, Invalid, NotFound
from webapp.workspaces.models import Workspace
from workers.providers.types import Price

MAX_PRICES: Final = 500
MAX_USD_PER_MTOK: Final = 100_000.0
AS_OF: Final = date(2025, 11, 24)
OPENAI: Final = "https://openai.com/api/pricing/"
ANTHROPIC: Final = "https://claude.com/pricing"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow:
    """A line of the table, in US dollars per million tokens. A cache price that is not given counts as the input price."""

    model: str
    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cached_input_usd_per_mtok: float | None = None
    cache_write_usd_per_mtok: float | None = None
    source: str = ""
    as_of: date | None = None
    is_own: bool = False
    """Whether the workspace wrote it; else it is of the table to begin with."""

    @property
    def price(self) -> Price:
        return Price(
            self.input_usd_per_mtok,
            self.output_usd_per_mtok,
            self.cached_input_usd_per_mtok,
            self.cache_write_usd_per_mtok,
        )


def _rows(
    source: str, lines: Sequence[tuple[str, float, float, float | None, float | None]]
) -> list[PriceRow]:
    return [
        PriceRow(
            model=model,
            input_usd_per_mtok=given,
            output_usd_per_mtok=made,
            cached_input_usd_per_mtok=cached,
            cache_write_usd_per_mtok=written,
            source=source,
            as_of=AS_OF,
        )
        for model, given, made, cached, written in lines
    ]


# Standard prices as published by then, without batch or long-context rates: model, input, output, cached input, cache write.
STARTING: Final = {
    ModelProfile.Provider.OPENAI: _rows(
        OPENAI,
        [
            ("gpt-5.1", 1.25, 10.0, 0.125, None),
            ("gpt-5", 1.25, 10.0, 0.125, None),
            ("gpt-5-mini", 0.25, 2.0, 0.025, None),
            ("gpt-5-nano", 0.05, 0.4, 0.005, None),
            ("gpt-4.1", 2.0, 8.0, 0.5, None),
            ("gpt-4.1-mini", 0.4, 1.6, 0.1, None),
            ("gpt-4.1-nano", 0.1, 0.4, 0.025, None),
            ("gpt-4o", 2.5, 10.0, 1.25, None),
            ("gpt-4o-mini", 0.15, 0.6, 0.075, None),
            ("o3", 2.0, 8.0, 0.5, None),
            ("o4-mini", 1.1, 4.4, 0.275, None),
            ("text-embedding-3-small", 0.02, 0.0, None, None),
            ("text-embedding-3-large", 0.13, 0.0, None, None),
        ],
    ),
    ModelProfile.Provider.ANTHROPIC: _rows(
        ANTHROPIC,
        [
            ("claude-opus-4-5", 5.0, 25.0, 0.5, 6.25),
            ("claude-opus-4-1", 15.0, 75.0, 1.5, 18.75),
            ("claude-sonnet-4-5", 3.0, 15.0, 0.3, 3.75),
            ("claude-haiku-4-5", 1.0, 5.0, 0.1, 1.25),
            ("claude-3-5-haiku", 0.8, 4.0, 0.08, 1.0),
        ],
    ),
}
_PLACES: Final = {
    "https://api.openai.com/v1": ModelProfile.Provider.OPENAI,
    "https://api.anthropic.com": ModelProfile.Provider.ANTHROPIC,
}
_USUAL_PLACE: Final = {ModelProfile.Provider.ANTHROPIC: "https://api.anthropic.com"}


def own_rows(workspace: Workspace) -> list[PriceRow]:
    """Return what the workspace wrote, by model."""
    names = [name for name in PriceRow.__dataclass_fields__ if name != "is_own"]
    rows = ModelPrice.objects.filter(workspace=workspace).values(*names)
    return [PriceRow(**row, is_own=True) for row in rows]


def table(workspace: Workspace) -> list[PriceRow]:
    """Return the whole table by model; what the workspace wrote stands for the line to begin with."""
    own = own_rows(workspace)
    written = {row.model for row in own}
    rest = [row for rows in STARTING.values() for row in rows if row.model not in written]
    return sorted([*own, *rest], key=lambda row: row.model)


def price_of(profile: ModelProfile, workspace: Workspace | None) -> Price | None:
    """Return what the profile's model costs: as the profile says, else the workspace's table, else, at its maker's own address,
    the table to begin with; None when nobody knows."""
    if profile.input_usd_per_mtok is not None and profile.output_usd_per_mtok is not None:
        return Price(profile.input_usd_per_mtok, profile.output_usd_per_mtok)
    if workspace is not None:
        row = ModelPrice.objects.filter(workspace=workspace, model=profile.model).first()
        if row is not None:
            return Price(
                row.input_usd_per_mtok,
                row.output_usd_per_mtok,
                row.cached_input_usd_per_mtok,
                row.cache_write_usd_per_mtok,
            )
    place = profile.base_url or _USUAL_PLACE.get(profile.provider, "")  # type: ignore[call-overload]
    known = STARTING.get(_PLACES.get(place), [])  # type: ignore[arg-type]
    # Makers name one version of a model by a date behind its name.
    name = _without_date(profile.model)
    return next((row.price for row in known if row.model in (profile.model, name)), None)


def _without_date(model: str) -> str:
    head, dash, tail = model.rpartition("-")
    if dash and tail.isdigit() and len(tail) == 8:
        return head
    parts = model.rsplit("-", 3)
    is_dated = (
        len(parts) == 4 and [len(part) for part in parts[1:]] == [4, 2, 2] and "".join(parts[1:]).isdigit()
    )
    return parts[0] if is_dated else model


@transaction.atomic
def set_price(*, workspace: Workspace, row: PriceRow) -> None:
    """Write the workspace's price of a model. Runs that begin from now on count with it, those that wait within 20 s: each time
    that they are rung for.

    Raises:
        Invalid: a price is none, or the model has no name.
        Conflict: there are too many.
    """
    model = row.model.strip()
    if not model or len(model) > 120 or not model.isprintable():
        raise Invalid("Name the model as its provider does, in at most 120 characters.", field="model")
    prices = (
        "input_usd_per_mtok",
        "output_usd_per_mtok",
        "cached_input_usd_per_mtok",
        "cache_write_usd_per_mtok",
    )
    for name in prices:
        price = getattr(row, name)
        if price is not None and not 0 <= price <= MAX_USD_PER_MTOK:
            raise Invalid("A price is between 0 and 100,000 dollars per million tokens.", field=name)
    if len(row.source) > 300 or not row.source.isprintable():
        raise Invalid("Say in at most 300 characters where the price is from.", field="source")
    existing = ModelPrice.objects.filter(workspace=workspace)
    if existing.count() >= MAX_PRICES and not existing.filter(model=model).exists():
        raise Conflict(f"There are {MAX_PRICES} prices already; delete one first.")
    fields = {**asdict(row), "as_of": row.as_of or date.today()}
    for name in ("model", "is_own"):
        del fields[name]
    ModelPrice.objects.update_or_create(workspace=workspace, model=model, defaults=fields)


def delete_price(*, workspace: Workspace, model: str) -> None:
    """Take the workspace's price of a model away; the one to begin with, if any, holds again.

    Raises:
        NotFound: the workspace wrote none.
    """
    deleted, _ = ModelPrice.objects.filter(workspace=workspace, model=model).delete()
    if not deleted:
        raise NotFound("This workspace has no price of its own for this model.")
