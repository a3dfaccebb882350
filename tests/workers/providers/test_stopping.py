from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from workers.providers.stopping import StopReader

TEXT = st.text("ab\n<", max_size=30)


@settings(deadline=None)
@given(TEXT, st.lists(st.text("ab<", max_size=4), max_size=3), st.lists(st.integers(0, 30), max_size=6))
def test_says_the_same_however_the_stream_is_cut(text: str, stop: list[str], cuts: list[int]) -> None:
    ends = (end for end in range(len(text) + 1) if any(one and text[:end].endswith(one) for one in stop))
    first = next(ends, None)
    found = [one for one in stop if one and first is not None and text[:first].endswith(one)]
    expected = text if first is None else text[: first - max(map(len, found))]
    at = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    reader = StopReader(stop)
    said = "".join(reader.feed(text[begin:end]) for begin, end in zip(at, at[1:], strict=False))
    if not reader.has_stopped:
        said += reader.rest()
    assert (said, reader.has_stopped, reader.said_chars) == (expected, bool(found), len(expected))


def test_holds_back_no_more_than_may_begin_a_stop_sequence() -> None:
    reader = StopReader(("END",))
    assert (reader.feed("the E"), reader.feed("N"), reader.feed("T of it")) == ("the ", "", "ENT of it")
