"""The clock of bots that are not led by signals: whose adviser looks next, and at what.

Each such bot has a look every `ai_every_ms` (exchange time), at one of its symbols after the other.
When it looked last is in the desk's record, so a restart neither repeats nor forgets a look. Must
not know: whether an entry is possible, or what is answered.
"""

from collections.abc import Callable

from bot.core.advice import Advice
from bot.core.desk import Desk
from bot.core.directions import AnalysisDue
from bot.core.presets import AiTrigger, BotConfig
from bot.shell.clock import Clock
from bot.shell.ports import EventSink, Market


class Rounds:
    """Posts `AnalysisDue` when a bot's time has come. `tick` is called every second or so."""

    def __init__(
        self,
        *,
        market: Market,
        clock: Clock,
        desk_of: Callable[[], Desk],
        symbols_of: Callable[[], tuple[str, ...]],
        sink: EventSink,
    ) -> None:
        self._market = market
        self._clock = clock
        self._desk_of = desk_of
        self._symbols_of = symbols_of  # watched now: for bots that name none
        self._sink = sink

    async def tick(self) -> None:
        """Look whose time has come."""
        desk, now_ms = self._desk_of(), self._clock.now_ms()
        if not desk.ready:
            return
        for bot_id in desk.running:
            config = desk.bots[bot_id]
            if config.ai_trigger is not AiTrigger.TIMER:
                continue
            advice = desk.advice.get(bot_id, Advice())
            if now_ms - advice.asked_ms >= config.ai_every_ms:
                self._look(config, advice.turn)

    def _look(self, config: BotConfig, turn: int) -> None:
        symbols = config.symbols or self._symbols_of()
        for step in range(len(symbols)):  # the first from its turn on whose prices are at hand
            symbol = symbols[(turn + step) % len(symbols)]
            instrument = self._market.instrument(symbol)
            mark = self._market.mark_price(symbol)
            window = self._market.window(symbol, config.timeframe)
            if instrument is None or mark is None or window is None:
                continue
            due = AnalysisDue(
                bot_id=config.bot_id,
                symbol=symbol,
                instrument=instrument,
                mark_price=mark[0],
                mark_ms=mark[1],
            )
            self._sink(due)
            return
