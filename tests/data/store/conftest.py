"""A furnished store in a folder of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from data.store.store import Store
from tests.data.store.shapes import furnish


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where a database may be made."""
    return f"sqlite+aiosqlite:///{tmp_path}/var/bot.db"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """An open store with two people and one account."""
    opened = await Store.open(url)
    await furnish(opened)
    yield opened
    await opened.close()
