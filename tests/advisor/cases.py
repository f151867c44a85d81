"""Questions and answers that the adviser's tests share."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bot.advisor.prompt import snapshot_id_of
from bot.core.messages import Question
from data.model import Candle, Direction, Signal

MINUTE_MS = 60_000
NOW_MS = 1_760_000_000_000


def candles(closes: list[float]) -> tuple[Candle, ...]:
    """One-minute bars with these closes, newest last."""
    start_ms = NOW_MS - len(closes) * MINUTE_MS
    return tuple(
        Candle(
            symbol="BTCUSDT",
            timeframe="1m",
            open_ms=start_ms + i * MINUTE_MS,
            open=close,
            high=close + 1,
            low=close - 1,
            close=close,
            volume=12.5,
        )
        for i, close in enumerate(closes)
    )


SIGNAL = Signal(
    signal_id="b1-BTCUSDT-1m-1759999940000",
    bot_id="b1",
    strategy="continuation",
    model="continuation",
    symbol="BTCUSDT",
    timeframe="1m",
    bar_open_ms=NOW_MS - MINUTE_MS,
    raised_ms=NOW_MS,
    direction=Direction.LONG,
    entry_price=Decimal("64000.10"),
    stop_price=Decimal("63800.00"),
    target_price=Decimal("64400.30"),
    score=81.5,
    parts=(("trend", 25.0), ("momentum", 20.0)),
    reasons=("Price is above both averages.",),
)

OPENING = Question(
    version=1,
    trade_id="t1",
    bot_id="b1",
    symbol="BTCUSDT",
    purpose="open",
    asked_ms=NOW_MS,
    mark_price=Decimal("64001.5"),
    signal=SIGNAL,
    candles=candles([64000.0 + i for i in range(30)]),
    indicators=(("rsi", 61.25), ("atr", 80.0)),
    wallet_usdt=Decimal("1000.00"),
    open_positions=0,
    position_quantity=Decimal(0),
    position_entry_price=None,
    unrealized_usdt=Decimal(0),
    recent_trades=(("win_rate_pct", "55"),),
    lessons=("Two losses in a row on this symbol.",),
    limits=(("score_threshold", "75"),),
)

MANAGING = replace(
    OPENING,
    purpose="manage",
    signal=None,
    position_quantity=Decimal("0.01"),
    position_entry_price=Decimal(64000),
)


def good_answer(question: Question = OPENING, **changes: Any) -> dict[str, Any]:
    """A whole and believable answer that opens the position, with some fields changed."""
    answer: dict[str, Any] = {
        "bot_id": question.bot_id,
        "symbol": question.symbol,
        "snapshot_id": snapshot_id_of(question),
        "action": "open_position",
        "direction": "long",
        "entry_price": "64000.10",
        "stop_price": "63800",
        "target_price": "64400.3",
        "confidence": 78,
        "reasons": ["Trend and momentum agree."],
        "invalidation": "A close under 63800.",
    }
    return answer | changes


def text_of(answer: dict[str, Any]) -> str:
    """An answer as the model would write it."""
    return json.dumps(answer)
