"""Pictures of trades: asked for here, drawn in a child process, sent when ready.

The drawing library costs 65 MB and most of a second: neither belongs into the trading process.
Must not know: how a picture is drawn.
"""

import asyncio
import json
import sys
from collections import deque
from dataclasses import dataclass
from typing import Final

import structlog

from bot.control.approvals import slot_of
from bot.control.html import CAPTION_LENGTH_MAX, cut, text
from bot.control.outbox import Message, Outbox, Priority
from bot.core.trade import Trade
from bot.shell.ports import Market

BARS_MAX: Final = 120
ASKED_MAX: Final = 4  # a market in a hurry closes more trades than anyone looks at
DRAW_S_MAX: Final = 30.0
PNG_BYTES_MAX: Final = 5_000_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    trade: Trade
    chat_id: int
    body: bytes


class Pictures:
    """One child process at a time; more than a few waiting wishes are refused."""

    def __init__(self, outbox: Outbox, market: Market) -> None:
        self._outbox = outbox
        self._market = market
        self._wanted: deque[_Wanted] = deque()
        self._news = asyncio.Event()

    def ask(self, trade: Trade, chat_id: int) -> bool:
        """Want a trade's picture; False when there is nothing to draw or too much is waiting."""
        body = self._facts(trade)
        if body is None or not chat_id or len(self._wanted) >= ASKED_MAX:
            return False
        self._wanted.append(_Wanted(trade=trade, chat_id=chat_id, body=json.dumps(body).encode()))
        self._news.set()
        return True

    async def run(self) -> None:
        """Draw until cancelled."""
        while True:
            while self._wanted:
                await self._draw(self._wanted.popleft())
            self._news.clear()
            await self._news.wait()

    async def _draw(self, wanted: _Wanted) -> None:
        png = await draw(wanted.body)
        if png is None:
            return
        trade = wanted.trade
        caption = text(f"{trade.symbol} · {trade.trade_id}")
        self._outbox.post(
            Message(
                chat_id=wanted.chat_id,
                html=cut(caption, CAPTION_LENGTH_MAX),
                picture=png,
                priority=Priority.LATER,
                reply_slot=slot_of(trade.trade_id),
                silent=True,
            )
        )

    def _facts(self, trade: Trade) -> dict[str, object] | None:
        signal = trade.signal
        timeframe = signal.timeframe if signal is not None else "1m"
        window = self._market.window(trade.symbol, timeframe)
        if window is None or len(window.close) < 2:
            return None
        plan = trade.plan
        levels = (
            {
                "entry": float(plan.entry_price),
                "stop": float(plan.stop_price),
                "target": float(plan.target_price),
            }
            if plan is not None
            else {}
        )
        return {
            "title": f"{trade.symbol} · {timeframe}",
            "open_ms": [int(v) for v in window.open_ms[-BARS_MAX:]],
            "open": [float(v) for v in window.open[-BARS_MAX:]],
            "high": [float(v) for v in window.high[-BARS_MAX:]],
            "low": [float(v) for v in window.low[-BARS_MAX:]],
            "close": [float(v) for v in window.close[-BARS_MAX:]],
            "levels": levels,
            "fills": [[f.filled_ms, float(f.price), f.side.value] for f in trade.fills],
        }


async def draw(body: bytes) -> bytes | None:
    """A PNG of these facts (see `charts`), or None when the child failed; it is logged."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot.control.charts",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DRAW_S_MAX):
            png, complaint = await child.communicate(body)
    except TimeoutError:
        log.warning("chart_too_slow", seconds_max=DRAW_S_MAX)
        return None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0 or not 0 < len(png) <= PNG_BYTES_MAX:
        log.warning("chart_failed", reason=complaint.decode(errors="replace")[-200:])
        return None
    return png
