"""Mutated frames, updates and answers through the client and into a desk: no crash, no order.

Real frames and answers (when they are beside this checkout) and the documented shapes below are
broken at random: bytes flipped, cut and doubled, numbers made impossible, fields dropped, renamed
or given another type. Whatever comes, the client says Malformed or something sensible, and a desk
that hears the sensible things places nothing. Seeded: a failure prints what to run again.

    python -m tests.venue.fuzz --count 1000000 [--seed N]
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from bot.core.desk import Desk, step
from bot.core.messages import Event, OrderReported, PlaceOrder
from bot.venue.wire_answers import (
    AccountConfigRow,
    AlgoRow,
    ApiRestrictionsRow,
    BalanceRow,
    IncomeRow,
    ListenKeyRow,
    Malformed,
    OrderRow,
    PositionRow,
    SymbolConfigRow,
    TradeRow,
    algo_report,
    check_moment,
    closed_candles,
    decode,
    fill_of,
    funding_of,
    order_report,
    position_of,
)
from bot.venue.wire_errors import Answer, outcome_of
from bot.venue.wire_frames import moment_of, read_user_frame
from bot.venue.wire_instruments import brackets_of, exchange_info_of
from bot.venue.wire_market import read_market_frame
from tests.core.build import config, desk
from tests.house import ROOT
from tests.venue.fake import NOW_MS

FIXTURES = ROOT.parent / "shared/fixtures"
SAMPLE_BYTES_MAX = 20_000  # of one sample: exchangeInfo is cut to its first symbols
DESK_EVENTS_MAX = 2_000  # then the desk starts anew: foreign positions pile up
STATUSES = (200, 200, 200, 400, 401, 403, 404, 408, 418, 429, 451, 500, 502, 503, 504)

ORDER = {
    "s": "BTCUSDT",
    "c": "tbabcdefg-bot1-abcdefghij-e0",
    "S": "BUY",
    "o": "MARKET",
    "X": "PARTIALLY_FILLED",
    "x": "TRADE",
    "i": 42,
    "T": NOW_MS,
    "q": "3",
    "l": "1",
    "z": "2",
    "L": "100.5",
    "ap": "100.25",
    "n": "0.05",
    "N": "USDT",
    "t": 7,
    "m": False,
    "rp": "0",
    "er": "0",
}
USER: tuple[Any, ...] = (
    {"e": "ORDER_TRADE_UPDATE", "T": NOW_MS, "E": NOW_MS, "o": ORDER},
    {"e": "ORDER_TRADE_UPDATE", "T": NOW_MS, "o": {**ORDER, "c": "autoclose-1", "X": "NEW"}},
    {
        "e": "ACCOUNT_UPDATE",
        "T": NOW_MS,
        "a": {
            "m": "ORDER",
            "B": [{"a": "USDT", "wb": "10.5", "bc": "-1"}],
            "P": [{"s": "BTCUSDT", "pa": "-0.5", "ep": "100", "ps": "BOTH"}],
        },
    },
    {
        "e": "ALGO_UPDATE",
        "T": NOW_MS,
        "o": {"caid": "tbabcdefg-bot1-abcdefghij-s0", "s": "BTCUSDT", "X": "TRIGGERED", "ai": "9"},
    },
    {"e": "TRADE_LITE", "T": NOW_MS, "s": "X", "c": "a", "i": 1, "t": 2, "l": "1", "L": "2"},
    {"e": "ACCOUNT_CONFIG_UPDATE", "T": NOW_MS, "ac": {"s": "BTCUSDT", "l": 20}},
    {"e": "listenKeyExpired", "E": NOW_MS, "listenKey": "k"},
    {"e": "MARGIN_CALL", "E": NOW_MS, "p": []},
)
MARKET: tuple[Any, ...] = (
    {"e": "markPriceUpdate", "s": "BTCUSDT", "p": "100", "E": NOW_MS, "st": 1},
    {
        "stream": "btcusdt@kline_1m",
        "data": {
            "e": "kline",
            "s": "BTCUSDT",
            "k": {"t": 1, "i": "1m", "o": "1", "h": "3", "l": "1", "c": "2", "v": "9", "x": True},
        },
    },
    {"result": None, "id": 1},
    {"error": {"code": 2, "msg": "Invalid request"}, "id": "a"},
)
ANSWERS: tuple[Any, ...] = (
    {"code": -1003, "msg": "Way too many requests; IP banned until 1760000100000."},
    {"code": -2011, "msg": "Unknown order sent."},
    {"clientOrderId": "a", "orderId": 1, "symbol": "X", "status": "NEW", "executedQty": "0"},
    {"clientAlgoId": "a", "symbol": "X", "algoStatus": "NEW", "algoId": 1, "actualOrderId": ""},
    [{"symbol": "X", "positionAmt": "1", "entryPrice": "2", "positionSide": "BOTH"}],
    [{"asset": "USDT", "balance": "10"}],
    [{"symbol": "X", "marginType": "ISOLATED", "leverage": 5}],
    [[1, "1", "3", "1", "2", "9", 59_999], [60_000, "1", "3", "1", "2", "9", 119_999]],
    {"dualSidePosition": False, "multiAssetsMargin": False, "canTrade": True},
    {"ipRestrict": True, "enableWithdrawals": False},
    {"listenKey": "k"},
    {
        "id": 1,
        "symbol": "X",
        "orderId": 2,
        "side": "BUY",
        "price": "1",
        "qty": "2",
        "realizedPnl": "0",
        "commission": "0.1",
        "commissionAsset": "USDT",
        "time": 5,
    },
    {
        "symbol": "X",
        "incomeType": "FUNDING_FEE",
        "income": "-1",
        "asset": "USDT",
        "time": 5,
        "tranId": 6,
    },
)
ODD_VALUES = (
    b"NaN",
    b'"NaN"',
    b'"Infinity"',
    b'"-1"',
    b"-1",
    b"1e400",
    b'"1e400"',
    b"99999999999999999999",
    b"9" * 400,
    b'""',
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'"\xff"',
    b'"\\ud800"',
    str(NOW_MS + 2 * 86_400_000).encode(),
    b"[" * 2_000,
)


class Crash(AssertionError):
    """What must not happen happened; the text says with what input."""


class Fuzzer:
    """Breaks samples and feeds them, one at a time."""

    def __init__(self, seed: int) -> None:
        self._dice = Random(seed)
        self._desk: Desk = desk(config())
        self._heard = 0
        self.counts: Counter[str] = Counter()
        self._kinds: tuple[tuple[Callable[[bytes], None], tuple[bytes, ...]], ...] = (
            (self._user, _samples(USER, "nautilus/ws-user/*.json", "captured-frames/user*")),
            (self._market, _samples(MARKET, "nautilus/ws-market/*.json", "captured-frames/*")),
            (self._answer, _samples(ANSWERS, "nautilus/rest/*.json", "leverage/*", "ex*/*")),
        )

    def run(self, count: int, progress: Callable[[int], None] = lambda _done: None) -> None:
        """Feed `count` broken inputs; raises Crash with the input."""
        for number in range(count):
            feed, samples = self._dice.choice(self._kinds)
            text = self._broken(self._dice.choice(samples))
            try:
                feed(text)
            except Malformed:
                self.counts["malformed"] += 1
            except Exception as fault:
                raise Crash(f"input {number}: {fault!r} on {text[:2_000]!r}") from fault
            if number % 50_000 == 0:
                progress(number)

    # The breaking of samples

    def _broken(self, sample: bytes) -> bytes:
        text = sample
        for _ in range(self._dice.choice((1, 1, 2, 3))):
            text = self._dice.choice(self._WAYS)(self, text)
        return text

    def _flip(self, text: bytes) -> bytes:
        if not text:
            return text
        at = self._dice.randrange(len(text))
        return text[:at] + bytes([self._dice.randrange(256)]) + text[at + 1 :]

    def _cut(self, text: bytes) -> bytes:
        first, last = sorted(self._dice.randrange(len(text) + 1) for _ in range(2))
        return text[:first] + text[last:] if last - first < len(text) // 2 else text[:last]

    def _double(self, text: bytes) -> bytes:
        first = self._dice.randrange(len(text) + 1)
        return text[:first] + text[first : first + 40] + text[first:]

    def _odd_value(self, text: bytes) -> bytes:
        colons = [at for at, byte in enumerate(text) if byte == 0x3A]
        if not colons:
            return text
        at = self._dice.choice(colons) + 1
        end = at
        while end < len(text) and text[end] not in b",}]":
            end += 1
        return text[:at] + self._dice.choice(ODD_VALUES) + text[end:]

    def _other_key(self, text: bytes) -> bytes:
        quotes = [at for at in range(len(text) - 1) if text[at : at + 2] == b'":']
        if not quotes:
            return text
        at = self._dice.choice(quotes)
        return text[:at] + b"_" + text[at:]

    def _digit(self, text: bytes) -> bytes:
        digits = [at for at, byte in enumerate(text) if 0x30 <= byte <= 0x39]
        if not digits:
            return text
        at = self._dice.choice(digits)
        return text[:at] + b"%d" % self._dice.randrange(10) + text[at + 1 :]

    # Most keep the JSON whole, so that the readers behind it are reached.
    _WAYS = (_flip, _cut, _double, *[_odd_value] * 4, *[_other_key] * 2, *[_digit] * 5)

    # The feeding of what is broken

    def _user(self, text: bytes) -> None:
        self.counts["user"] += 1
        news = read_user_frame(text, trade_lite=self._dice.random() < 0.5)
        for event in news.events:
            check_moment(moment_of(event), now_ms=NOW_MS)
        for event in news.events:
            self._tell_desk(event)

    def _market(self, text: bytes) -> None:
        self.counts["market"] += 1
        read_market_frame(text)

    def _answer(self, text: bytes) -> None:
        self.counts["answer"] += 1
        status = self._dice.choice(STATUSES)
        headers = {"retry-after": text[:20].decode("latin-1")}
        for is_write in (False, True):
            outcome = outcome_of(status=status, body=text, headers=headers, is_write=is_write)
            assert isinstance(outcome, Answer) == (status == 200)
        for read in READERS:
            try:
                for event in read(text):
                    self._tell_desk(event)
            except Malformed:
                self.counts["unread"] += 1

    def _tell_desk(self, event: Event) -> None:
        self.counts["events"] += 1
        self._heard += 1
        if self._heard % DESK_EVENTS_MAX == 0:
            self._desk = desk(config())
        stepped = step(self._desk, event, NOW_MS)
        orders = [command for command in stepped.commands if isinstance(command, PlaceOrder)]
        assert not orders, f"an order came of it: {orders}"
        self._desk = stepped.desk


def _read_orders(text: bytes) -> Iterator[Event]:
    yield OrderReported(report=order_report(decode(text, OrderRow), now_ms=NOW_MS))


def _read_algos(text: bytes) -> Iterator[Event]:
    rows = decode(text, list[AlgoRow]) if text[:1] == b"[" else [decode(text, AlgoRow)]
    for row in rows:
        yield OrderReported(report=algo_report(row, now_ms=NOW_MS))


def _read_the_rest(text: bytes) -> Iterator[Event]:
    readers: tuple[Callable[[], object], ...] = (
        lambda: [position_of(row, now_ms=NOW_MS) for row in decode(text, list[PositionRow])],
        lambda: decode(text, list[BalanceRow]),
        lambda: decode(text, list[SymbolConfigRow]),
        lambda: decode(text, AccountConfigRow),
        lambda: decode(text, ApiRestrictionsRow),
        lambda: decode(text, ListenKeyRow),
        lambda: fill_of(decode(text, TradeRow)),
        lambda: funding_of(decode(text, IncomeRow)),
        lambda: brackets_of(text),
        lambda: exchange_info_of(text),
        lambda: closed_candles(text, symbol="X", timeframe="1m", asked_ms=NOW_MS, margin_ms=0),
    )
    for read in readers:
        try:
            read()
        except Malformed:
            continue
    yield from ()


READERS = (_read_orders, _read_algos, _read_the_rest)


def _samples(own: tuple[Any, ...], *patterns: str) -> tuple[bytes, ...]:
    found = [json.dumps(sample, separators=(",", ":")).encode() for sample in own]
    for pattern in patterns:
        for path in sorted(FIXTURES.glob(pattern)):
            whole = path.read_bytes()
            texts = whole.splitlines() if path.suffix == ".jsonl" else [whole]
            found += [text[:SAMPLE_BYTES_MAX] for text in texts[:50] if text.strip()]
    return tuple(found)


def main(arguments: list[str]) -> int:
    """Feed as many as asked; 1 and the input when something broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.venue.fuzz")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    fuzzer = Fuzzer(chosen.seed)
    try:
        fuzzer.run(chosen.count, lambda done: sys.stderr.write(f"fuzz: {done:,}\n"))
    except Crash as crash:
        sys.stdout.write(f"seed {chosen.seed}: {crash}\n")
        return 1
    counted = ", ".join(f"{kind} {number:,}" for kind, number in sorted(fuzzer.counts.items()))
    sys.stdout.write(f"fuzz: {chosen.count:,} inputs, no crash, no order ({counted})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
