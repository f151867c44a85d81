"""Where bars become signals.

On each closed bar every running bot that trades the symbol and timeframe looks at the window
through its strategy. A bar that is not news any more (closed longer ago than its own length, or
followed by a newer one already, as after a healed gap) is skipped and said so: its price is gone.
Must not know: how a signal is judged.
"""

from collections.abc import Callable
from typing import Final

import structlog

from bot.core.desk import Desk
from bot.core.messages import SignalRaised
from bot.core.presets import AiTrigger, BotConfig
from bot.core.ruling.gates import is_trading_time
from bot.core.ruling.remembering import in_turn
from bot.core.strategies.strategy import Strategy
from bot.core.strategies.window import Bars, Context, closed_before
from bot.shell.clock import Clock
from bot.shell.hush import Hush
from bot.shell.ports import EventSink, Forming, Market, News, Window
from bot.shell.strategy_book import StrategyBook
from data.candles import timeframe_ms
from data.model import Candle, Instrument

AGE_BARS_MAX: Final = 1  # how many bars after its close a bar may still signal

log = structlog.get_logger(__name__)


class Analyst:
    """Looks at every closed bar for every running bot; posts what the strategies see."""

    def __init__(
        self,
        *,
        market: Market,
        clock: Clock,
        desk_of: Callable[[], Desk],
        sink: EventSink,
        book: StrategyBook | None = None,
        news: News | None = None,
    ) -> None:
        self._market = market
        self._clock = clock
        self._desk_of = desk_of
        self._sink = sink
        self._book = book or StrategyBook()
        self._news = news
        self._hush = Hush()
        self.skipped = 0
        self.left_out: frozenset[str] = frozenset()  # not for those who follow the universe
        self.by_model = False  # bots of a timer are led by a model; without one by signals

    def on_bar(self, candle: Candle) -> None:
        """A bar has closed: every bot's look at it, at once. Called once for each, in order."""
        for bot_id in self.bots_of(candle):
            self.look(bot_id, candle)

    def bots_of(self, candle: Candle) -> tuple[str, ...]:
        """The running bots that trade this symbol at this timeframe and hour, in their turn."""
        desk = self._desk_of()
        if not desk.ready:
            return ()
        now_ms = self._clock.now_ms()
        looking = [
            bot_id
            for bot_id in desk.running
            if desk.bots[bot_id].timeframe == candle.timeframe
            and self._trades(desk.bots[bot_id], candle.symbol)
            and not (self.by_model and desk.bots[bot_id].ai_trigger is AiTrigger.TIMER)
            and is_trading_time(desk.bots[bot_id], now_ms)
        ]
        return in_turn(desk, looking, now_ms)

    def look(self, bot_id: str, candle: Candle) -> None:
        """One bot's look at one bar; nothing when the bar is old, or the bot has gone since."""
        desk = self._desk_of()
        config = desk.bots.get(bot_id)
        if config is None or bot_id not in desk.running or config.timeframe != candle.timeframe:
            return
        instrument = self._market.instrument(candle.symbol)
        window = self._market.window(candle.symbol, candle.timeframe)
        mark = self._market.mark_price(candle.symbol)
        strategy = self._book.strategy_of(config)
        if instrument is None or window is None or mark is None or strategy is None:
            return
        if (reason := self._why_old(window, candle)) is not None:
            self.skip(candle, reason)
            return
        context = self._context_of(config, strategy, instrument, candle)
        signal = self._book.ask(config, window, context)
        if signal is None or signal.score < config.score_threshold:
            return
        log.info("signal_seen", bot=config.bot_id, symbol=signal.symbol, score=signal.score)
        self._sink(
            SignalRaised(signal=signal, instrument=instrument, mark_price=mark[0], mark_ms=mark[1])
        )

    def skip(self, candle: Candle, reason: str) -> None:
        """Count a bar that nobody looks at; the log says so once a minute and kind."""
        self.skipped += 1
        if count := self._hush.count(reason):
            log.info(
                "bar_skipped",
                symbol=candle.symbol,
                timeframe=candle.timeframe,
                bar_open_ms=candle.open_ms,
                reason=reason,
                count=count,
            )

    def _why_old(self, window: Window, candle: Candle) -> str | None:
        if not len(window.open_ms) or int(window.open_ms[-1]) != candle.open_ms:
            return "a newer bar has closed since"
        step_ms = timeframe_ms(candle.timeframe)
        if self._clock.now_ms() - (candle.open_ms + step_ms) > AGE_BARS_MAX * step_ms:
            return "it closed longer than a bar ago"
        return None

    def _context_of(
        self,
        config: BotConfig,
        strategy: Strategy,
        instrument: Instrument,
        candle: Candle,
    ) -> Context:
        now_ms = self._clock.now_ms()
        news = self._news if strategy.wants_news else None
        return Context(
            bot_id=config.bot_id,
            timeframe=candle.timeframe,
            instrument=instrument,
            now_ms=now_ms,
            trend_timeframe=config.trend_timeframe,
            trend=self._trend_of(config, candle),
            news_score=None if news is None else news.score_of(instrument.base_asset, now_ms),
            provisional=self._forming(candle) if strategy.wants_provisional else None,
        )

    def _forming(self, candle: Candle) -> Candle | None:
        if not isinstance(self._market, Forming):
            return None
        return self._market.provisional(candle.symbol, candle.timeframe)

    def _trend_of(self, config: BotConfig, candle: Candle) -> Bars | None:
        if not config.trend_timeframe:
            return None
        window = self._market.window(candle.symbol, config.trend_timeframe)
        if window is None:
            return None
        return closed_before(window, timeframe_ms(config.trend_timeframe), candle.open_ms)

    def _trades(self, config: BotConfig, symbol: str) -> bool:
        return symbol in config.symbols if config.symbols else symbol not in self.left_out
