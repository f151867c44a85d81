"""The tape's market: longer bars are whole or not there, and a hole starts a fresh window."""

from bot.replay.tape_market import Folder, TapeMarket
from data.candles import WINDOW_BARS
from data.model import Candle

MINUTE_MS = 60_000


def bar(number: int, close: float = 100.0, volume: float = 1.0) -> Candle:
    """The one-minute bar of that number since the epoch."""
    return Candle(
        symbol="BTCUSDT",
        timeframe="1m",
        open_ms=number * MINUTE_MS,
        open=close - 1,
        high=close + 2,
        low=close - 3,
        close=close,
        volume=volume,
    )


def test_five_minutes_are_one_bar_of_five() -> None:
    """Open of the first, close of the last, extremes of all, volumes added; on its last minute."""
    folder = Folder("5m")
    told = [folder.add(bar(10 + n, close=100.0 + n, volume=n)) for n in range(5)]
    assert told[:4] == [[], [], [], []]
    ((whole,),) = told[4:]
    assert (whole.open_ms, whole.timeframe) == (10 * MINUTE_MS, "5m")
    assert (whole.open, whole.high, whole.low, whole.close) == (99.0, 106.0, 97.0, 104.0)
    assert whole.volume == 10.0


def test_a_bar_joined_in_its_middle_is_none() -> None:
    """What began before the tape did is left out; the next one counts."""
    folder = Folder("5m")
    told = [one for n in range(12, 20) for one in folder.add(bar(n))]
    assert [one.open_ms for one in told] == [15 * MINUTE_MS]


def test_a_bar_that_lost_its_end_is_told_with_the_next() -> None:
    """A hole in the tape: the exchange closed that bar too, on what was traded."""
    folder = Folder("5m")
    for number in (10, 11, 12):
        assert folder.add(bar(number)) == []
    (cut,) = folder.add(bar(15))
    assert (cut.open_ms, cut.volume) == (10 * MINUTE_MS, 3.0)


def test_the_market_shows_both_timeframes() -> None:
    """Minutes and the longer bars made of them; nothing for a timeframe nobody asked for."""
    market = TapeMarket([], ["5m"])
    for number in range(10, 22):
        market.close_bar(bar(number))
    minutes, fives = market.window("BTCUSDT", "1m"), market.window("BTCUSDT", "5m")
    assert minutes is not None
    assert fives is not None
    assert len(minutes.close) == 12
    assert list(fives.open_ms) == [10 * MINUTE_MS, 15 * MINUTE_MS]
    assert market.window("BTCUSDT", "15m") is None


def test_after_a_hole_a_fresh_window_grows() -> None:
    """Bars on both sides of a hole never stand side by side."""
    market = TapeMarket([])
    for number in (*range(10), *range(20, 23)):
        market.close_bar(bar(number))
    window = market.window("BTCUSDT", "1m")
    assert window is not None
    assert list(window.open_ms) == [n * MINUTE_MS for n in (20, 21, 22)]


def test_the_window_holds_what_a_live_one_holds() -> None:
    """Strategies see the same length in replay as live."""
    market = TapeMarket([])
    for number in range(WINDOW_BARS + 50):
        market.close_bar(bar(number))
    window = market.window("BTCUSDT", "1m")
    assert window is not None
    assert len(window.close) == WINDOW_BARS
