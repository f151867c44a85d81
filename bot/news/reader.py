"""Reads feeds over HTTP again and again, and keeps what they say on the board.

Each answer is bounded in size and time, never unpacked, never followed elsewhere. A feed that fails
is said once a minute at most and tried at the next turn: without news the strategies that want them
are silent, and nothing else changes. Must not know: strategies, symbols.
"""

from collections.abc import Sequence
from typing import Final

import aiohttp
import structlog

from bot.news.board import NewsBoard
from bot.news.feed import BYTES_MAX, FeedUnreadable, parse
from bot.shell.clock import Clock, wall_sleep_s
from bot.shell.hush import Hush

EVERY_S: Final = 600.0  # wall; feeds ask for no more than that
ANSWER_S_MAX: Final = 10.0
FEEDS_MAX: Final = 10
CHUNK_BYTES: Final = 65_536
HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "trading-bot"}

log = structlog.get_logger(__name__)


class FeedReader:
    """The news port over feeds. `run` reads until cancelled."""

    def __init__(self, urls: Sequence[str], *, clock: Clock, every_s: float = EVERY_S) -> None:
        assert len(urls) <= FEEDS_MAX, f"at most {FEEDS_MAX} feeds"
        self._urls = tuple(urls)
        self._clock = clock
        self._every_s = every_s
        self._hush = Hush()
        self.board = NewsBoard()

    def score_of(self, base_asset: str, now_ms: int) -> float | None:
        """What the feeds say of an asset."""
        return self.board.score_of(base_asset, now_ms)

    async def run(self) -> None:
        """Read every feed, one after another, then wait."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_S_MAX)
        async with aiohttp.ClientSession(
            timeout=timeout,
            headers=HEADERS,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            while True:
                for url in self._urls:
                    await self.read(session, url)
                await wall_sleep_s(self._every_s)

    async def read(self, session: aiohttp.ClientSession, url: str) -> int:
        """One feed once; how many items of it were new. Never raises for what a feed does."""
        try:
            items = parse(await _body(session, url))
        except (TimeoutError, ValueError, aiohttp.ClientError, OSError) as fault:
            if count := self._hush.count(url):
                reason = str(fault)[:200] or type(fault).__name__
                log.warning("news_not_read", feed=url, reason=reason, count=count)
            return 0
        added = self.board.add(items, self._clock.now_ms())
        log.debug("news_read", feed=url, items=len(items), added=added)
        return added


async def _body(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url, allow_redirects=False) as answer:
        if answer.status != 200:
            raise FeedUnreadable(f"it answered {answer.status}")
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise FeedUnreadable("it is packed, which was not asked for")
        body = bytearray()
        async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
            body += chunk
            if len(body) > BYTES_MAX:
                raise FeedUnreadable(f"it is longer than {BYTES_MAX} bytes")
        return bytes(body)
