"""The analyst: news is looked at, old bars are not, a broken strategy hurts nobody else."""

from dataclasses import dataclass, field, replace

import pytest

from bot.core.desk import Desk
from bot.core.messages import Event, SignalRaised
from bot.core.strategies.registry import STRATEGIES
from bot.core.strategies.strategy import Strategy
from bot.core.strategies.window import Bars, Context
from bot.shell.analyst import Analyst
from bot.shell.clock import VirtualClock
from bot.shell.strategy_book import Broken, Loaded, StrategyBook
from data.model import Candle
from tests.core.build import config
from tests.shell.market import MINUTE_MS, FakeMarket, always, bar, running, saying


@dataclass
class Room:
    """An analyst on fakes."""

    strategies: tuple[Strategy, ...] = (always(),)
    desk: Desk = field(default_factory=running)
    market: FakeMarket = field(default_factory=FakeMarket)
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(0))
    heard: list[Event] = field(default_factory=list)
    told: list[Broken] = field(default_factory=list)
    news: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mine = {one.name: one for one in self.strategies}
        self.book = StrategyBook(Loaded(strategies={**STRATEGIES, **mine}), tell=self.told.append)
        self.analyst = Analyst(
            market=self.market,
            clock=self.clock,
            desk_of=lambda: self.desk,
            sink=self.heard.append,
            book=self.book,
            news=self,
        )

    def score_of(self, base_asset: str, now_ms: int) -> float | None:
        """The news port."""
        del now_ms
        return self.news.get(base_asset)

    def close(self, *candles: Candle, after_ms: int = 50) -> "Room":
        """Bars close and are heard of that much after the last one's end."""
        self.market.close(candles)
        last = candles[-1]
        self.clock.advance_to(last.open_ms + MINUTE_MS + after_ms)
        for candle in candles:
            self.analyst.on_bar(candle)
        return self

    @property
    def bars(self) -> list[int]:
        """The bars that signalled, by number."""
        return [
            event.signal.bar_open_ms // MINUTE_MS
            for event in self.heard
            if isinstance(event, SignalRaised)
        ]


def test_each_fresh_bar_is_looked_at_once() -> None:
    """From the third bar on (what the strategy needs) every bar signals, under its own id."""
    room = Room()
    for number in range(5):
        room.close(bar(number))
    assert room.bars == [2, 3, 4]
    ids = [e.signal.signal_id for e in room.heard if isinstance(e, SignalRaised)]
    assert ids[0] == f"{room.desk.running[0]}-BTCUSDT-1m-120000"
    assert len(set(ids)) == 3


def test_outside_its_hours_a_bot_looks_at_nothing() -> None:
    """Bars at midnight: a bot that trades from 00:04 on looks at the bars that close after that."""
    bot = config(
        timeframe="1m", strategy="always", symbols=(), trading_from="00:04", trading_to="08:00"
    )
    room = Room(desk=running(bot))
    for number in range(6):
        room.close(bar(number))
    assert room.bars == [3, 4, 5]  # bar 3 closes at 00:04


def test_bars_of_a_healed_gap_are_skipped_but_for_the_newest() -> None:
    """Four bars arrive at once: only the last one's price is still there."""
    room = Room().close(bar(0), bar(1), bar(2))
    room.heard.clear()
    room.close(bar(3), bar(4), bar(5), bar(6))
    assert room.bars == [6]
    assert room.analyst.skipped == 3 + 2


def test_of_two_bars_that_come_at_once_only_the_newer_is_looked_at() -> None:
    """Both are young enough; asking twice about one window would signal the newer one twice."""
    room = Room().close(bar(0)).close(bar(1)).close(bar(2))
    room.heard.clear()
    room.close(bar(3), bar(4), after_ms=0)
    assert room.bars == [4]


@pytest.mark.parametrize(("late_ms", "bars"), [(MINUTE_MS, [2]), (MINUTE_MS + 1, [])])
def test_a_bar_older_than_one_bar_is_not_sent(late_ms: int, bars: list[int]) -> None:
    """One bar's length after its close it may still signal, a millisecond later it may not."""
    room = Room()
    room.close(bar(0), bar(1))
    room.close(bar(2), after_ms=late_ms)
    assert room.bars == bars


def test_nothing_is_looked_at_while_the_desk_or_the_market_is_not_ready() -> None:
    """No account, no running bot, no price, no window: no signal."""
    for desk in (replace(running(), ready=False), replace(running(), running=())):
        assert not Room(desk=desk).close(bar(0), bar(1), bar(2)).heard
    room = Room()
    room.market.deaf.add("BTCUSDT")
    assert not room.close(bar(0), bar(1), bar(2)).heard
    room = Room()
    room.clock.advance_to(3 * MINUTE_MS)
    room.analyst.on_bar(bar(2))
    assert not room.heard


def test_a_bot_looks_at_its_own_symbols_and_timeframe() -> None:
    """A bot that names its symbols sees no others; another timeframe is not its bar."""
    bot = config(timeframe="1m", strategy="always", symbols=("ETHUSDT",))
    room = Room(desk=running(bot))
    room.close(bar(0), bar(1), bar(2))
    assert not room.heard
    room.close(*(bar(n, "ETHUSDT") for n in range(3)))
    assert room.bars == [2]
    assert not Room(desk=running(replace(bot, timeframe="4m"))).close(bar(0), bar(1), bar(2)).heard


def test_a_signal_under_the_bots_threshold_stays_here() -> None:
    """The score is 90: a bot that wants 91 hears nothing."""
    bot = config(timeframe="1m", strategy="always", symbols=(), score_threshold=91.0)
    assert not Room(desk=running(bot)).close(bar(0), bar(1), bar(2)).heard


def test_a_strategy_that_raises_is_switched_off_and_the_rest_go_on() -> None:
    """It is told once with its traceback; the other bot's strategy signals on."""

    def fails(bars: Bars, context: Context) -> None:
        raise RuntimeError("I am broken")

    bots = (
        config(timeframe="1m", strategy="fails", symbols=()),
        config(bot_id="b2", timeframe="1m", strategy="always", symbols=()),
    )
    room = Room(strategies=(always(), saying("fails", fails)), desk=running(*bots))
    for number in range(5):
        room.close(bar(number))
    assert room.bars == [2, 3, 4]
    (broken,) = room.told
    assert (broken.name, broken.reason) == ("fails", "RuntimeError: I am broken")
    assert 'raise RuntimeError("I am broken")' in broken.traceback
    assert room.book.broken == (broken,)


@pytest.mark.parametrize("wild", [SystemExit("bye"), AssertionError(), RecursionError("deep")])
def test_nothing_a_strategy_raises_gets_through(wild: BaseException) -> None:
    """Not even an attempt to end the process."""

    def fails(bars: Bars, context: Context) -> None:
        raise wild

    bot = config(timeframe="1m", strategy="fails", symbols=())
    room = Room(strategies=(saying("fails", fails),), desk=running(bot))
    room.close(bar(0)).close(bar(1)).close(bar(2))
    assert [one.name for one in room.told] == ["fails"]


def test_nonsense_from_a_strategy_is_no_signal() -> None:
    """What is no proposal switches the strategy off, in words."""
    bot = config(timeframe="1m", strategy="odd", symbols=())
    room = Room(strategies=(saying("odd", lambda bars, context: "buy"),), desk=running(bot))
    room.close(bar(0)).close(bar(1)).close(bar(2)).close(bar(3))
    assert not room.heard
    assert [one.reason for one in room.told] == [
        "StrategyFault: odd: it returned str; allowed is a Proposal or None"
    ]


def test_an_unknown_strategy_or_a_wrong_parameter_mutes_the_bot_until_it_is_edited() -> None:
    """Said once, not each bar; a corrected configuration is asked again."""
    wrong = config(timeframe="1m", strategy="always", symbols=(), strategy_params=(("bars", 0.0),))
    room = Room(desk=running(wrong))
    for number in range(4):
        room.close(bar(number))
    assert [one.reason for one in room.told] == [
        "ValueError: bars is 0; allowed is a whole number 1 to 100."
    ]
    assert list(room.book.muted) == [wrong.bot_id]
    room.desk = running(replace(wrong, strategy="astrology"))
    room.close(bar(4))
    assert room.told[-1].reason == "there is no strategy called 'astrology'"
    room.desk = running(replace(wrong, strategy_params=()))
    room.close(bar(5))
    assert room.bars == [5]
    assert not room.book.muted


def test_a_strategy_is_told_news_only_when_it_asks() -> None:
    """The score of exactly this base asset, for a strategy that wants it."""
    seen: list[float | None] = []

    def look(bars: Bars, context: Context) -> None:
        seen.append(context.news_score)

    for wants, expected in ((True, 0.4), (False, None)):
        bot = config(timeframe="1m", strategy="reader", symbols=())
        reader = saying("reader", look, wants_news=wants)
        room = Room(strategies=(reader,), desk=running(bot), news={"BTC": 0.4, "ETH": -1.0})
        room.close(bar(0)).close(bar(1)).close(bar(2))
        assert seen == [expected]
        seen.clear()


def test_the_unfinished_bar_is_shown_only_to_a_strategy_that_asks() -> None:
    """Others never see it."""
    seen: list[Candle | None] = []

    def look(bars: Bars, context: Context) -> None:
        seen.append(context.provisional)

    started = replace(bar(3), closed=False)
    for wants, expected in ((True, started), (False, None)):
        bot = config(timeframe="1m", strategy="eager", symbols=())
        room = Room(strategies=(saying("eager", look, wants_provisional=wants),), desk=running(bot))
        room.close(bar(0), bar(1))
        room.market.close([bar(2), started])
        room.clock.advance_to(3 * MINUTE_MS)
        room.analyst.on_bar(bar(2))
        assert seen == [expected]
        seen.clear()


def test_a_higher_timeframe_is_shown_as_it_was_before_the_bar_began() -> None:
    """Bars of four minutes; the minute 12 sees those closed by 12:00, even when a later one has."""
    seen: list[list[int] | None] = []

    def look(bars: Bars, context: Context) -> None:
        assert context.trend_timeframe == "4m"
        trend = context.trend
        seen.append(None if trend is None else [int(ms) // MINUTE_MS for ms in trend.open_ms])

    bot = config(timeframe="1m", trend_timeframe="4m", strategy="high", symbols=())
    room = Room(strategies=(saying("high", look),), desk=running(bot))
    room.market.close(bar(n, timeframe="4m") for n in range(2))  # up to minute 8
    room.market.close(bar(n) for n in range(11))
    room.close(bar(11))
    room.close(bar(12))
    room.market.close([bar(2, timeframe="4m")])
    room.close(bar(13))
    room.close(bar(14))
    room.close(bar(15))
    room.market.close([bar(3, timeframe="4m")])
    room.close(bar(16))
    # 11 sees 0..8; 12 wants the bar of 8..12, which is not here yet; 13 to 15 see it.
    assert seen == [[0, 4], None, [0, 4, 8], [0, 4, 8], [0, 4, 8], [0, 4, 8, 12]]


def test_the_bar_that_closes_at_the_same_moment_is_not_seen() -> None:
    """Which frame comes first is chance; the strategy must not depend on it."""
    seen: list[int] = []

    def look(bars: Bars, context: Context) -> None:
        assert context.trend is not None
        seen.append(len(context.trend.open_ms))

    for higher_first in (True, False):
        bot = config(timeframe="1m", trend_timeframe="4m", strategy="high", symbols=())
        room = Room(strategies=(saying("high", look),), desk=running(bot))
        room.market.close([bar(0, timeframe="4m")])
        room.market.close(bar(n) for n in range(7))
        if higher_first:
            room.market.close([bar(1, timeframe="4m")])
        room.close(bar(7))
    assert seen == [1, 1]


@pytest.mark.parametrize(("symbols", "bars"), [((), []), (("BTCUSDT",), [2, 3])])
def test_an_excluded_symbol_is_for_those_who_name_it(
    symbols: tuple[str, ...], bars: list[int]
) -> None:
    """A follower of the universe leaves it alone, also while it is watched for another bot."""
    bot = config(timeframe="1m", strategy="always", symbols=symbols)
    room = Room(desk=running(bot))
    room.analyst.left_out = frozenset({"BTCUSDT"})
    for number in range(4):
        room.close(bar(number))
    assert room.bars == bars
