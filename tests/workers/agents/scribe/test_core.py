from __future__ import annotations

from typing import Any

import pytest

from workers.agents.scribe.core import Entry, Said, ScribeCore

CORE = ScribeCore()
MESSAGES = [
    Said(7, "107", "Ada", "Let us release on Monday.", "2026-11-20T10:00", "release"),
    Said(8, "108", "Bob", "Agreed. Cleo, can you write the notes by Friday?", "2026-11-20T10:01", "release"),
    Said(9, "109", "Cleo [x](y)", "Yes. Who tests?", "2026-11-21T09:00", "release"),
]
KNOWN = {message.number: message for message in MESSAGES}


def entry(**fields: Any) -> dict[str, Any]:
    return {"text": "The release is on Monday.", "messages": [7, 8]} | fields


def checked(kind: str, *items: Any) -> Any:
    return CORE.check({kind: list(items)}, KNOWN)


def test_keeps_entries_whose_messages_are_there() -> None:
    found = checked("decisions", entry())
    assert found.kept == (Entry("decisions", "The release is on Monday.", (7, 8)),) and not found.dropped


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (entry(messages=[7, 99]), "there is no message 99"),
        (entry(messages=[]), "it names no message"),
        (entry(messages="7"), "it names no message"),
        (entry(messages=["7"]), "it names no message"),
        (entry(text="  "), "it says nothing"),
        ("Monday", "it is no object"),
    ],
)
def test_drops_an_entry_that_nobody_can_look_up(item: Any, reason: str) -> None:
    found = checked("decisions", item, entry())
    assert len(found.kept) == 1
    assert found.dropped == (f"decisions, entry 1: {reason}",)
    assert reason in CORE.mend_text(found)


@pytest.mark.parametrize(
    ("owner", "due", "kept"),
    [
        ("Cleo", "by Friday", ("Cleo", "by Friday")),
        ("@ada", "", ("ada", "")),
        ("Dora", "Friday", ("", "Friday")),  # nobody of this name wrote or is named there
        ("Cleo", "2026-12-24", ("Cleo", "")),  # nobody said so
        ("", "", ("", "")),
    ],
)
def test_leaves_out_who_and_when_nobody_said(owner: str, due: str, kept: tuple[str, str]) -> None:
    item = entry(text="Write the notes.", owner=owner, due=due, messages=[8])
    (found,) = checked("actions", item).kept
    assert (found.owner, found.due) == kept


def test_cuts_a_long_channel_into_parts_that_fit() -> None:
    many = [Said(n, str(n), "Ada", "x" * 300) for n in range(20)]
    parts = CORE.parts_of(many, limit=1_000)
    assert [message for part in parts for message in part] == many
    assert len(parts) == 7 and all(sum(len(one.text) for one in part) <= 1_000 for part in parts)
    assert len(CORE.parts_of([Said(1, "1", "Ada", "x" * 5_000)], limit=1_000)) == 1
    assert CORE.parts_of([], limit=1_000) == []


def test_shows_a_part_with_numbers_and_what_was_noted_before() -> None:
    text = CORE.opening_text(
        "", MESSAGES, place="#general", number=2, count=3, so_far=[Entry("questions", "Who tests?", (1,))]
    )
    assert "[8] Bob 2026-11-20 10:01 in release: Agreed." in text
    assert "(part 2 of 3)" in text and "1. (questions) Who tests?" in text


def test_merges_parts_without_what_was_settled_and_without_repetition() -> None:
    so_far = [Entry("questions", "Who tests?", (1,)), Entry("decisions", "Release on Monday.", (2,))]
    fresh = [Entry("decisions", "release on monday", (8,)), Entry("actions", "Test.", (9,), "Bob")]
    assert CORE.merge(so_far, fresh, [1, 77, "x"]) == [
        Entry("decisions", "release on monday", (2, 8)),
        Entry("actions", "Test.", (9,), "Bob"),
    ]
    assert CORE.merge(so_far, [], None) == so_far


def test_writes_sections_with_owner_due_and_links() -> None:
    entries = [
        Entry("decisions", "Release [on](http://evil) Monday.", (7, 9)),
        Entry("actions", "Write the notes.", (8,), "Cleo", "Friday"),
    ]
    text = CORE.summary_text(entries, KNOWN, place="#general", read=MESSAGES, dropped=2)
    assert (
        "## Decisions\n- Release (on)(http://evil) Monday. — [Ada](message:107), [Cleo (x)(y)](message:109)"
        in text
    )
    assert "## Actions\n- **Cleo**: Write the notes. (due Friday) — [Bob](message:108)" in text
    assert "## Open questions\nNone." in text
    assert "3 messages of #general read, 2026-11-20 to 2026-11-21." in text
    assert "2 entries were dropped: the messages they name are not there." in text


def test_reads_messages_from_the_job_and_nothing_that_cannot_be_linked() -> None:
    raw = {
        "id": "107",
        "number": "7",
        "author": "Ada",
        "text": "Hi\x1b[31m",
        "at": "",
        "topic": "t",
        "place": "#g",
    }
    assert CORE.messages_of([raw, {"author": "Ada", "text": "no id"}]) == [
        Said(7, "107", "Ada", "Hi", "", "t")
    ]


def test_an_entry_survives_the_row() -> None:
    one = Entry("actions", "Test.", (9,), "Bob", "Friday")
    assert Entry.from_dict(one.to_dict()) == one
