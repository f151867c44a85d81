"""Where bars become signals.

On each closed bar every running bot that trades the symbol and timeframe looks at the window
through its strategy. Must not know: how a signal is judged.
"""

from collections.abc import Callable

import structlog

from bot.core.desk import Desk
from bot.core.messages import SignalRaised
from bot.core.presets import BotConfig
from bot.core.strategies.registry import evaluate, params_of
from bot.core.strategies.window import Context
from bot.shell.clock import Clock
from bot.shell.ports import EventSink, Market
from data.model import Candle

log = structlog.get_logger(__name__)


class Analyst:
    """Looks at every closed bar for every running bot; posts what the strategies see."""

    def __init__(
        self, *, market: Market, clock: Clock, desk_of: Callable[[], Desk], sink: EventSink
    ) -> None:
        self._market = market
        self._clock = clock
        self._desk_of = desk_of
        self._sink = sink
        self._params: dict[str, tuple[BotConfig, object]] = {}

    def on_bar(self, candle: Candle) -> None:
        """A bar has closed: called once for each, in order."""
        desk = self._desk_of()
        if not desk.ready:
            return
        for bot_id in desk.running:
            config = desk.bots[bot_id]
            if config.timeframe == candle.timeframe and _trades(config, candle.symbol):
                self._look(config, candle)

    def _look(self, config: BotConfig, candle: Candle) -> None:
        instrument = self._market.instrument(candle.symbol)
        window = self._market.window(candle.symbol, candle.timeframe)
        mark = self._market.mark_price(candle.symbol)
        if instrument is None or window is None or mark is None:
            return
        context = Context(
            bot_id=config.bot_id,
            timeframe=candle.timeframe,
            instrument=instrument,
            now_ms=self._clock.now_ms(),
        )
        signal = evaluate(config.strategy, self._params_for(config), window, context)
        if signal is None or signal.score < config.score_threshold:
            return
        log.info("signal_seen", bot=config.bot_id, symbol=signal.symbol, score=signal.score)
        self._sink(
            SignalRaised(signal=signal, instrument=instrument, mark_price=mark[0], mark_ms=mark[1])
        )

    def _params_for(self, config: BotConfig) -> object:
        known = self._params.get(config.bot_id)
        if known is None or known[0] != config:
            known = (config, params_of(config.strategy, config.strategy_params))
            self._params[config.bot_id] = known
        return known[1]


def _trades(config: BotConfig, symbol: str) -> bool:
    return not config.symbols or symbol in config.symbols
