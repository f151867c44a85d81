"""The market in motion: matching comes before telling, and bars close in every timeframe."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from bot.sandbox.exchange import Exchange
from bot.sandbox.exchange_dialect import Json
from bot.sandbox.exchange_floor import Floor
from bot.sandbox.exchange_records import OrderEvent, OrderRequest, Refusal, UserEvent
from bot.sandbox.tape import Tape
from bot.sandbox.tape_instruments import instruments_for
from data.model import OrderKind, Side
from tests.sandbox.exchange_client import START_MS, flat_tape

MINUTE_MS = 60_000


class Ear:
    """Listens to everything it was told to and keeps what it heard, in order."""

    def __init__(self, *suffixes: str, everything: tuple[str, ...] = ()) -> None:
        self._suffixes = dict.fromkeys(suffixes)
        self._everything = everything
        self.heard: list[tuple[str, object]] = []

    def wanted(self, symbol: str) -> Mapping[str, object]:
        """The same suffixes for every symbol."""
        return self._suffixes

    def wants(self, stream: str) -> bool:
        """The chosen all-symbols streams."""
        return stream in self._everything

    def market(self, stream: str, payload: Json | list[Json]) -> None:
        """Keep it."""
        self.heard.append((stream, payload))

    def user(self, events: list[UserEvent], now_ms: int) -> None:
        """Keep them."""
        self.heard.extend(("user", event) for event in events)


def floor_of(tape: Tape, ear: Ear, history_bars: int = 20) -> Floor:
    """A floor on a tape, warmed up."""
    instruments = instruments_for(tape.first_prices)
    return Floor(
        tape=tape,
        instruments=instruments,
        exchange=Exchange(instruments),
        listener=ear,
        history_bars=history_bars,
    )


def test_fills_are_told_before_the_price_that_made_them(tmp_path: Path) -> None:
    """The user's events of a step come before any market frame of that step."""
    ear = Ear("kline_1m")
    floor = floor_of(flat_tape(tmp_path), ear)
    request = OrderRequest(
        symbol="BTCUSDT",
        side=Side.BUY,
        kind=OrderKind.LIMIT,
        quantity=Decimal("0.1"),
        price=Decimal(9999),
    )
    floor.exchange.place(request, floor.now_ms)
    floor.exchange.drain_events()
    floor.play()
    ear.heard.clear()
    floor.play()  # the low of 9999
    kinds = [name for name, _ in ear.heard]
    assert kinds[:3] == ["user"] * 3
    assert set(kinds[3:]) == {"btcusdt@kline_1m", "ethusdt@kline_1m"}
    assert isinstance(ear.heard[2][1], OrderEvent)


def test_longer_bars_close_with_their_last_minute(tmp_path: Path) -> None:
    """x:true comes once for five minutes, with the whole bar, and the next one opens anew."""
    ear = Ear("kline_5m")
    floor = floor_of(flat_tape(tmp_path), ear)
    while (moment_ms := floor.next_moment_ms()) and moment_ms < START_MS + 26 * MINUTE_MS:
        floor.play()
    bars = [p["k"] for name, p in ear.heard if name == "btcusdt@kline_5m" and isinstance(p, dict)]
    closed = [bar for bar in bars if bar["x"]]
    assert [bar["t"] for bar in closed] == [START_MS + 20 * MINUTE_MS]
    assert (closed[0]["o"], closed[0]["h"], closed[0]["l"]) == ("10000.0", "10002.0", "9999.0")
    assert float(closed[0]["v"]) == 45  # five minutes of 9
    assert bars[-1]["t"] == START_MS + 25 * MINUTE_MS


def test_all_symbols_streams_carry_every_symbol_that_moved(tmp_path: Path) -> None:
    """One array a step: the rows that moved as USD-M, and one of the coin-margined market."""
    ear = Ear(everything=("!miniTicker@arr", "!bookTicker"))
    floor = floor_of(flat_tape(tmp_path), ear)
    floor.play()
    names = [name for name, _ in ear.heard]
    assert names == ["!miniTicker@arr", "!bookTicker", "!bookTicker", "!bookTicker"]
    rows = ear.heard[0][1]
    assert isinstance(rows, list)
    moved = [("BTCUSDT", 1), ("ETHUSDT", 1), ("BTCUSD_PERP", 2)]
    assert [(row["s"], row["st"]) for row in rows] == moved


def test_warm_up_is_history_and_gives_prices(tmp_path: Path) -> None:
    """After the warm-up every symbol has a price and no order was matched against the past."""
    floor = floor_of(flat_tape(tmp_path), Ear(), history_bars=10)
    assert floor.now_ms == START_MS + 10 * MINUTE_MS
    assert floor.rows_played == 10
    assert floor.exchange.markets["ETHUSDT"].last == Decimal(251)
    assert len(floor.history.bars("BTCUSDT", "1m", None, None, 500)) == 10


def test_hand_set_price_moves_the_open_bar(tmp_path: Path) -> None:
    """A price set by hand shows in the bar being built and on the streams."""
    ear = Ear("kline_1m")
    floor = floor_of(flat_tape(tmp_path), ear)
    floor.set_price("BTCUSDT", Decimal(10_400), floor.now_ms)
    floor.set_price("BTCUSDT", Decimal(10_100), floor.now_ms + 5)
    bar = floor.history.current("BTCUSDT", "1m")
    assert bar is not None
    assert (bar.open, bar.high, bar.low, bar.close) == (10_400, 10_400, 10_100, 10_100)
    assert [name for name, _ in ear.heard] == ["btcusdt@kline_1m"] * 2


def test_a_pulse_tells_open_bars_again_and_moves_nothing(tmp_path: Path) -> None:
    """Four times a second the real streams say how the open bar stands: never that it closed."""
    ear = Ear("kline_1m", "kline_5m", "markPrice@1s", "aggTrade")
    floor = floor_of(flat_tape(tmp_path), ear)
    floor.play()
    before, ear.heard = list(ear.heard), []
    floor.pulse(marks=True)
    told = {name for name, _ in ear.heard}
    assert told == {name for name, _ in before if not name.endswith("aggTrade")}
    assert ear.heard == [pair for pair in before if not pair[0].endswith("aggTrade")]
    ear.heard = []
    floor.pulse(marks=False)
    assert not [name for name, _ in ear.heard if "markPrice" in name]


def test_a_delisting_is_told_with_a_row_of_the_other_market(tmp_path: Path) -> None:
    """`!contractInfo` carries both markets, and exchangeInfo shows the new status."""
    ear = Ear()
    floor = floor_of(flat_tape(tmp_path), ear)
    symbol = next(iter(floor.instruments))
    floor.set_status(symbol, "SETTLING")
    rows = [row for name, row in ear.heard if name == "!contractInfo" and isinstance(row, dict)]
    assert [(row["s"], row["cs"], row["st"]) for row in rows] == [
        (symbol, "SETTLING", 1),
        ("BTCUSD_PERP", "SETTLING", 2),
    ]
    assert not floor.instruments[symbol].tradable


def test_a_contract_that_stops_trading_is_told_and_takes_no_entries(tmp_path: Path) -> None:
    """`!contractInfo` with its delivery, -4140 for what would open, and an exit goes through."""
    ear = Ear()
    floor = floor_of(flat_tape(tmp_path), ear)
    entry = OrderRequest(
        symbol="BTCUSDT", side=Side.BUY, kind=OrderKind.MARKET, quantity=Decimal("0.1")
    )
    floor.exchange.place(entry, floor.now_ms)
    floor.set_status("BTCUSDT", "SETTLING", 5)
    stream, frame = ear.heard[0]
    assert stream == "!contractInfo"
    assert isinstance(frame, dict)
    assert (frame["s"], frame["cs"], frame["dt"]) == ("BTCUSDT", "SETTLING", 5)
    refused = floor.exchange.place(entry, floor.now_ms)
    assert isinstance(refused, Refusal)
    assert refused.code == -4140
    floor.exchange.place(replace(entry, side=Side.SELL), floor.now_ms)
    assert floor.exchange.position("BTCUSDT").quantity == 0
    floor.set_status("BTCUSDT", "TRADING")
    assert not isinstance(floor.exchange.place(entry, floor.now_ms), Refusal)
