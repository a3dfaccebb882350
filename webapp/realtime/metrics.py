"""What this process counts about its sockets; `/metrics` shows it with what the database and Redis know."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

SOCKETS_OPEN = Gauge("pyagent_sockets_open", "Workspace sockets open in this process")
SOCKETS_CLOSED = Counter(
    "pyagent_sockets_closed", "Workspace sockets closed by the server, by close code", ["code"]
)
EVENTS_READ = Counter("pyagent_events_read", "Events read from Redis for the sockets of this process")
FRAMES_SENT = Counter("pyagent_frames_sent", "Frames handed to sockets")
FRAMES_DROPPED = Counter("pyagent_frames_dropped", "Frames left out because a reader was too slow")
RESYNCS = Counter("pyagent_resyncs", "Times a group was told to load afresh")
COMMANDS = Counter("pyagent_commands", "Socket commands, by outcome", ["outcome"])
