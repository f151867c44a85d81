"""What an analysis costs without the model's own time, and how many tokens it takes.

One desk with 200 closed trades, one window of 500 bars, one signal: the snapshot is made, kept as
text, asked as a prompt, answered with a sound answer, validated, and judged by the desk with every
check. The floor is what any way must do: hash the snapshot's text, and read and write the prompt's
JSON once. Must not know: the network, or a real model.
"""

import hashlib
import json
import math
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from statistics import median
from typing import Any, Final

from bot.advisor.answer import RawAnswer, Receipt, read_answer
from bot.advisor.budget import Usage, cost_usd_of, tokens_of
from bot.advisor.prompt import SYSTEM, Prompt, prompt_of, snapshot_text, tokens_of_prompt
from bot.core import desk as core
from bot.core.desk_state import Desk
from bot.core.messages import AskAdvisor, DecisionArrived, Question, SignalRaised
from bot.core.presets import ApprovalMode, from_preset
from bot.sandbox.tape_instruments import instrument_of
from bot.shell.clock import VirtualClock, wall_monotonic_s
from bot.shell.ports import Window
from bot.shell.questions import Questions
from data.candles import CandleWindow
from data.model import Candle, ClosedTrade, Direction, ExitReason, Instrument, Signal
from data.money import ZERO
from memory.recall import remember

SYMBOL: Final = "BTCUSDT"
BOT: Final = "bench"
MODEL: Final = "gemini-3.8-flash"
RUNS: Final = 300
BARS: Final = 500
TRADES: Final = 200
BAR_MS: Final = 900_000
NOW_MS: Final = 1_795_000_000_000
OUTPUT_TOKENS: Final = 350  # of an honest answer with four reasons
THOUGHT_TOKENS: Final = 650  # at the low level the service asks for


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Milliseconds (medians) and tokens of one decision."""

    decide_ms: float
    floor_ms: float
    opened: bool
    tokens: int
    static_tokens: int  # the same for every question: what the provider may cache
    cost_usd: Decimal
    cached_usd: Decimal


class _Still:
    """A market in which nothing moves."""

    def __init__(self, instrument: Instrument, window: Window, mark: Decimal) -> None:
        self._instrument, self._window, self._mark = instrument, window, mark

    def instrument(self, symbol: str) -> Instrument | None:
        del symbol
        return self._instrument

    def mark_price(self, symbol: str) -> tuple[Decimal, int] | None:
        del symbol
        return self._mark, NOW_MS

    def window(self, symbol: str, timeframe: str) -> Window | None:
        del symbol, timeframe
        return self._window


def measure(runs: int = RUNS) -> Told:
    """Decide many times on the same facts."""
    market, desk, command = _world()
    questions = Questions(market=market, clock=VirtualClock(NOW_MS))
    question = questions.question_of(desk, command)
    assert question is not None, "the facts are at hand"
    prompt = prompt_of(question)
    raw = RawAnswer(text=_answer(question, prompt), finish_reason="STOP")
    took, bare, opened = [], [], False
    for _ in range(runs):
        began_s = wall_monotonic_s()
        opened = _decide(questions, desk, command, raw)
        took.append(wall_monotonic_s() - began_s)
        text = snapshot_text(question).encode()
        body = prompt.user.partition("\n")[2]
        began_s = wall_monotonic_s()
        hashlib.sha256(text).hexdigest()
        json.dumps(json.loads(body))
        bare.append(wall_monotonic_s() - began_s)
    tokens = tokens_of_prompt(prompt)
    static = tokens - tokens_of(prompt.user)
    usage = Usage(prompt=tokens, output=OUTPUT_TOKENS, thoughts=THOUGHT_TOKENS)
    return Told(
        decide_ms=median(took) * 1e3,
        floor_ms=median(bare) * 1e3,
        opened=opened,
        tokens=tokens,
        static_tokens=static,
        cost_usd=cost_usd_of(MODEL, usage, NOW_MS),
        cached_usd=cost_usd_of(MODEL, replace(usage, cached=static), NOW_MS),
    )


def _decide(questions: Questions, desk: Desk, command: AskAdvisor, raw: RawAnswer) -> bool:
    question = questions.question_of(desk, command)
    assert question is not None, "the facts are at hand"
    snapshot_text(question)  # what is kept before the answer counts
    prompt = prompt_of(question)
    assert prompt.system is SYSTEM, "the static part comes first"
    decision = read_answer(raw, question, Receipt(now_ms=NOW_MS, model_version=MODEL))
    arrived = DecisionArrived(
        trade_id=command.trade_id,
        decision=decision,
        mark_price=question.mark_price,
        mark_ms=NOW_MS,
    )
    done = core.step(desk, arrived, NOW_MS).desk.trades[command.trade_id]
    return done.plan is not None


def _world() -> tuple[_Still, Desk, AskAdvisor]:
    instrument, window = instrument_of(SYMBOL, 64_000.0), _window()
    mark = Decimal(str(round(float(window.close[-1]), 1)))
    config = replace(
        from_preset("futures-ai", bot_id=BOT, user_id="owner", account_id="main"),
        approval_mode=ApprovalMode.APPROVE,
        account_open_trades_max=0,
    )
    closed = _closed()
    desk = Desk(
        account_id="main",
        user_id="owner",
        ready=True,
        bots={BOT: config},
        running=(BOT,),
        wallet_usdt=Decimal(10_000),
        wallet_peak_usdt=Decimal(10_000),
        closed=closed,
        memory=remember(closed),
    )
    signal = Signal(
        signal_id="s1",
        bot_id=BOT,
        strategy="continuation",
        model="continuation",
        symbol=SYMBOL,
        timeframe="15m",
        bar_open_ms=NOW_MS - BAR_MS,
        raised_ms=NOW_MS,
        direction=Direction.LONG,
        entry_price=mark,
        stop_price=mark * Decimal("0.99"),
        target_price=mark * Decimal("1.02"),
        score=88.0,
        atr=Decimal(200),
        parts=(("trend", 35.0), ("momentum", 28.0), ("volume", 15.0), ("volatility", 10.0)),
        reasons=("Price above both averages.", "Momentum rises.", "Volume above its mean."),
    )
    raised = SignalRaised(signal=signal, instrument=instrument, mark_price=mark, mark_ms=NOW_MS)
    stepped = core.step(desk, raised, NOW_MS)
    (command,) = [one for one in stepped.commands if isinstance(one, AskAdvisor)]
    return _Still(instrument, window, mark), stepped.desk, command


def _window() -> CandleWindow:
    dice, window, price = Random(7), CandleWindow(SYMBOL, "15m"), 64_000.0
    for n in range(BARS):
        opened, price = price, price * math.exp(dice.gauss(0, 0.002))
        candle = Candle(
            symbol=SYMBOL,
            timeframe="15m",
            open_ms=NOW_MS - NOW_MS % BAR_MS - (BARS - n) * BAR_MS,
            open=opened,
            high=max(opened, price) * 1.001,
            low=min(opened, price) * 0.999,
            close=price,
            volume=dice.uniform(50, 500),
        )
        window.append(candle)
    return window


def _closed() -> tuple[ClosedTrade, ...]:
    dice, found = Random(8), []
    for n in range(TRADES):
        pnl = Decimal(dice.randint(-80, 120)) / 10
        closed_ms = NOW_MS - (TRADES - n) * 24 * 3_600_000
        price = Decimal(64_000)
        found.append(
            ClosedTrade(
                trade_id=f"t{n}",
                user_id="owner",
                account_id="main",
                bot_id=BOT,
                symbol="ETHUSDT",
                model="continuation",
                direction=Direction.LONG,
                quantity=Decimal("0.01"),
                entry_price=price,
                exit_price=price + pnl,
                opened_ms=closed_ms - 3_600_000,
                closed_ms=closed_ms,
                exit_reason=ExitReason.TAKE_PROFIT if pnl > ZERO else ExitReason.STOP_LOSS,
                realized_usdt=pnl,
                fees_usdt=ZERO,
                funding_usdt=ZERO,
                pnl_usdt=pnl,
                equity_usdt=Decimal(10_000),
            )
        )
    return tuple(found)


def _answer(question: Question, prompt: Prompt) -> str:
    signal = question.signal
    assert signal is not None, "there is a signal"
    answer: dict[str, Any] = {
        "bot_id": question.bot_id,
        "symbol": question.symbol,
        "snapshot_id": prompt.snapshot_id,
        "reasons": ["Trend and momentum agree.", "Volume confirms the move."],
        "action": "open_position",
        "direction": "long",
        "entry_price": str(question.mark_price),
        "stop_price": str(signal.stop_price),
        "target_price": str(signal.target_price),
        "leverage": 5,
        "confidence": 90,
        "invalidation": "A close under the stop.",
    }
    return json.dumps(answer)
