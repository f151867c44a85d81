"""The analyst with what it needs while the service runs: strategies, news, and bars in a line.

Must not know: settings, or what a signal leads to.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.control.views.status import Light
from bot.core.desk import Desk
from bot.core.messages import Level, Tell
from bot.news.reader import FeedReader
from bot.shell.analyst import Analyst
from bot.shell.bar_queue import BarQueue
from bot.shell.clock import Clock
from bot.shell.errors import SettingFault
from bot.shell.ports import EventSink, Market, Notifier
from bot.shell.strategy_book import Broken, Loaded, StrategyBook
from bot.shell.strategy_files import load
from data.model import Candle


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisPlan:
    """Which strategies there are, and where news come from."""

    loaded: Loaded = field(default_factory=Loaded)
    news_urls: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()  # symbols not for bots that follow the universe
    by_model: bool = False  # a model leads the bots that look by the clock


def plan_analysis(
    strategy_dir: Path | None, news_urls: tuple[str, ...], left_out: frozenset[str] = frozenset()
) -> AnalysisPlan:
    """Find the strategies. `left_out`: excluded symbols, which only bots that name them trade.

    Raises SettingFault for a folder that is none.
    """
    if strategy_dir is not None and not strategy_dir.is_dir():
        raise SettingFault(
            f"STRATEGY_DIR is {str(strategy_dir)!r}; allowed is a folder of strategy files"
        )
    return AnalysisPlan(loaded=load(strategy_dir), news_urls=news_urls, left_out=left_out)


class Analysis:
    """Hears of closed bars, looks at them in its own time, says what broke."""

    def __init__(
        self,
        plan: AnalysisPlan,
        *,
        market: Market,
        clock: Clock,
        desk_of: Callable[[], Desk],
        sink: EventSink,
        notifier: Notifier,
    ) -> None:
        self._desk_of = desk_of
        self._notifier = notifier
        self._book = StrategyBook(plan.loaded, tell=self._tell)
        self._reader = FeedReader(plan.news_urls, clock=clock) if plan.news_urls else None
        self._analyst = Analyst(
            market=market,
            clock=clock,
            desk_of=desk_of,
            sink=sink,
            book=self._book,
            news=self._reader,
        )
        self._analyst.left_out = plan.left_out
        self._analyst.by_model = plan.by_model
        self._queue = BarQueue(self._analyst)

    def hear(self, candle: Candle) -> None:
        """A bar has closed; never blocks."""
        self._queue.hear(candle)

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What must run for as long as the service does."""
        self._book.announce()
        return [self._queue.run(), *([self._reader.run()] if self._reader is not None else [])]

    def light(self) -> Light:
        """What /status shows of the strategies."""
        off = [one.name for one in self._book.broken] + list(self._book.muted)
        return Light(name="Strategies", ok=not off, detail=f"off: {', '.join(off)}" if off else "")

    def _tell(self, broken: Broken) -> None:
        fields = (("strategy", broken.name), ("where", broken.source), ("reason", broken.reason))
        told = Tell(kind="strategy_disabled", level=Level.WARNING, fields=fields)
        self._notifier.tell(told, None, self._desk_of())
