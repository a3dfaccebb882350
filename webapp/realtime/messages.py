"""What a browser may send over the workspace socket."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from webapp.events.position import Position


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Standing(_Message):
    """Where a page stands in a group's news; no epoch on a first visit."""

    epoch: Annotated[str, Field(max_length=40)] | None = None
    seq: int = Field(default=0, ge=0)

    @property
    def position(self) -> Position | None:
        """The position, None when the page has none."""
        return Position(self.epoch, self.seq) if self.epoch else None


class Hello(Standing):
    """The first frame: from where the page wants to catch up."""

    type: Literal["hello"]
    person: Standing | None = None


class Ack(_Message):
    """Everything up to the `frames`-th frame, or up to event `seq`, was read."""

    type: Literal["ack"]
    seq: int = 0
    frames: int | None = None


class Command(_Message):
    """A call by name; answered by a `reply` frame with the same id."""

    type: Literal["command"]
    id: int
    name: str = Field(max_length=80)
    args: dict[str, Any] | None = None


class Watch(_Message):
    """Send the token deltas of a run, from after this entry of its stream on."""

    type: Literal["watch"]
    run_id: str = Field(max_length=40)
    after: Annotated[str, Field(pattern=r"^\d{1,20}-\d{1,20}$")] | None = None


class Unwatch(_Message):
    """Send no more token deltas of a run."""

    type: Literal["unwatch"]
    run_id: str = Field(max_length=40)


class PresenceIs(_Message):
    """Whether somebody is at this tab, and what it shows."""

    type: Literal["presence"]
    state: Literal["active", "idle"]
    place: str = Field(default="", max_length=120)


class Ping(_Message):
    """Is somebody there? Answered by a `pong` frame."""

    type: Literal["ping"]


Message = Hello | Ack | Command | Watch | Unwatch | PresenceIs | Ping
_adapter: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])


def parse(data: Any) -> Message:
    """Return the typed message.

    Raises:
        pydantic.ValidationError: it is none of them, or its fields do not fit.
    """
    return _adapter.validate_python(data)
