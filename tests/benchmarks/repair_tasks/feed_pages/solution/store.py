"""Entries of a feed, in memory."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    id: int
    at: int
    text: str


class Store:
    def __init__(self):
        self._entries = []

    def add(self, at, text):
        entry = Entry(len(self._entries) + 1, at, text)
        self._entries.append(entry)
        return entry

    def newest_first(self):
        return sorted(self._entries, key=lambda entry: (-entry.at, -entry.id))
