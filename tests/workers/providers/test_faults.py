from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.errors import ProviderRejected
from workers.providers.faults import clean, fault_of, fault_of_status, retry_after_s

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Mon, 23 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Mon, 23 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_reads_the_wait_that_a_provider_asks_for(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers, now=NOON) == expected


def test_an_empty_account_is_no_rate_limit() -> None:
    error = fault_of_status(429, "You exceeded your current quota: insufficient_quota", headers={})
    assert type(error) is ProviderRejected and not error.retryable


@given(st.text(max_size=400), st.text(max_size=400))
def test_a_message_never_holds_the_key_and_is_one_short_line(before: str, after: str) -> None:
    secret = "sk-proj-0123456789abcdef"
    said = clean(f"{before}{secret}{after}", secret=secret)
    assert secret not in said and len(said) <= 300
    assert "\n" not in said and "\x1b" not in said


@pytest.mark.parametrize(
    "message", ["Incorrect API key provided: sk-ab12****************wxyz.", "Bearer abcdefghijkl"]
)
def test_a_message_holds_nothing_that_looks_like_a_key(message: str) -> None:
    said = clean(message)
    assert "wxyz" not in said and "abcdefghijkl" not in said


def test_a_mistake_of_ours_is_not_dressed_up_as_the_providers() -> None:
    with pytest.raises(ZeroDivisionError):
        fault_of(ZeroDivisionError(), secret=None)
