"""Pytest fixtures; loaded by `tests/conftest.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.framework.provider_double.server import ProviderDouble


@pytest_asyncio.fixture
async def provider_double() -> AsyncIterator[ProviderDouble]:
    """A scripted model provider, started and without a word to say yet."""
    async with ProviderDouble() as double:
        yield double
