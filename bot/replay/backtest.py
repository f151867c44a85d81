"""A tape through the service's own core: the same desk, strategy, rules and pretend exchange.

Signals are approved by nobody: a replay asks what the bot would have done alone (`auto`). Time is
the tape's; nothing waits. A bar's path is the pretend exchange's: open, the nearer extreme, the
other, close. Its signal is traded at once, at the price it closed with.

Must not know: the network, chat, a database.
"""

import csv
import html
import json
import sys
from collections import deque
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from bot.advisor.rules import decide_by_rules
from bot.core import desk as core
from bot.core.desk import Desk
from bot.core.life.moving import reached
from bot.core.messages import (
    AskAdvisor,
    BotConfigured,
    BotSwitched,
    DecisionArrived,
    Event,
    ShowCard,
    StreamRestored,
    Tell,
    Woke,
)
from bot.core.presets import PRESETS, ApprovalMode, BotConfig, faults_of, from_preset, timeframes_of
from bot.news.recorded import RecordedNews
from bot.replay.tape_market import TapeMarket
from bot.sandbox.exchange import Exchange
from bot.sandbox.paper_desk import carry_out
from bot.sandbox.paper_words import events_of
from bot.sandbox.tape import RecordedTape, path_of
from bot.sandbox.tape_instruments import instruments_for
from bot.shell import log as logs
from bot.shell.analyst import Analyst
from bot.shell.clock import VirtualClock
from bot.shell.errors import SettingFault
from bot.shell.ports import News
from bot.shell.process import cpu_s, rss_mb_peak
from bot.shell.questions import Questions
from bot.shell.strategy_book import Loaded, StrategyBook
from bot.shell.strategy_files import load
from data.model import Candle, ClosedTrade
from data.money import ZERO, plain

WOKE_MAX: Final = 1_000  # deadlines that one moment may bring up; more is a loop
COLUMNS: Final = (
    "id",
    "bot",
    "symbol",
    "side",
    "quantity",
    "entry_ms",
    "entry_price",
    "exit_ms",
    "exit_price",
    "exit_reason",
    "fees_usdt",
    "funding_usdt",
    "pnl_usdt",
)


class Backtest:
    """One run over one tape."""

    def __init__(
        self,
        tape: RecordedTape,
        config: BotConfig,
        *,
        loaded: Loaded | None = None,
        news: News | None = None,
    ) -> None:
        instruments = instruments_for(tape.first_prices)
        self.exchange = Exchange(instruments)
        self.desk = Desk(account_id=config.account_id, user_id=config.user_id)
        self.closed: dict[str, ClosedTrade] = {}
        self.bars = 0
        self._tape = tape
        self._clock = VirtualClock(tape.start_ms)
        self._market = TapeMarket(instruments, timeframes_of(config)[1:])
        self._ticks = {one.symbol: one.tick_size for one in instruments}
        self._queue: deque[Event] = deque()
        self._questions = Questions(market=self._market, clock=self._clock)
        self.book = StrategyBook(loaded)
        self._analyst = Analyst(
            market=self._market,
            clock=self._clock,
            desk_of=lambda: self.desk,
            sink=self._queue.append,
            book=self.book,
            news=news,
        )
        self._queue.append(BotConfigured(config=config, by="replay"))
        self._queue.append(BotSwitched(bot_id=config.bot_id, running=True, by="replay"))
        self._queue.append(StreamRestored())

    def run(self, first_ms: int, last_ms: int) -> None:
        """Play every bar that opens within [first_ms, last_ms)."""
        for row in self._tape.rows():
            if first_ms <= row.open_ms < last_ms:
                self._play(row.candles)

    def _play(self, candles: tuple[Candle, ...]) -> None:
        moments = [
            (candle.open_ms + offset_ms, candle.symbol, price)
            for candle in candles
            for offset_ms, price in path_of(candle)
        ]
        for at_ms, symbol, price in sorted(moments, key=lambda moment: moment[0]):
            self._clock.advance_to(max(self._clock.now_ms(), at_ms))
            exact = _on_tick(price, self._ticks[symbol])
            self.exchange.advance(symbol, exact, self._clock.now_ms())
            self._market.marks[symbol] = (exact, self._clock.now_ms())
            trades = self.desk.trades.values()
            self._queue.extend(reached(trades, symbol, exact, self._clock.now_ms()))
            self._pump()
        self.bars += len(candles)
        for candle in candles:
            self._market.close_bar(candle)
        for candle in candles:
            self._analyst.on_bar(candle)
        self._pump()

    def _pump(self) -> None:
        for _ in range(WOKE_MAX):
            for news in self.exchange.drain_events():
                self._queue.extend(events_of(news))
            while self._queue:
                self._step(self._queue.popleft())
                for news in self.exchange.drain_events():
                    self._queue.extend(events_of(news))
            due_ms = core.wake_ms(self.desk)
            if due_ms is None or due_ms > self._clock.now_ms():
                return
            self._queue.append(Woke())
        raise AssertionError("a deadline that is due does not move")

    def _step(self, event: Event) -> None:
        now_ms = self._clock.now_ms()
        stepped = core.step(self.desk, event, now_ms)
        self.desk = stepped.desk
        for command in stepped.commands:
            match command:
                case ShowCard() | Tell():
                    continue
                case AskAdvisor():
                    self._queue.append(self._decided(command))
                case _:
                    self._queue.append(carry_out(self.exchange, command, now_ms))
        for result in reversed(self.desk.closed):
            if self.closed.get(result.trade_id) == result:
                break
            self.closed[result.trade_id] = result

    def _decided(self, command: AskAdvisor) -> Event:
        question = self._questions.question_of(self.desk, command)
        mark = self._market.mark_price(command.symbol)
        assert question is not None, "a tape has its facts at hand"
        assert mark is not None, "a tape has its prices at hand"
        decision = decide_by_rules(question, now_ms=self._clock.now_ms())
        return DecisionArrived(
            trade_id=command.trade_id, decision=decision, mark_price=mark[0], mark_ms=mark[1]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What is replayed, and how. Empty: the preset's own."""

    tape: Path
    preset: str = "signals"
    strategy: str = ""
    trend_timeframe: str = ""
    strategy_dir: Path | None = None
    news: Path | None = None
    span_ms: tuple[int, int] = (0, 2**53)
    symbols: tuple[str, ...] = ()
    out: Path | None = None


def main(options: ReplayOptions) -> int:
    """Replay a tape; `out` gets report.json, report.html and trades.csv. 2: a wrong argument."""
    out = options.out
    try:
        run = _made(options)
    except (SettingFault, OSError, ValueError) as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    logs.configure(level="warning")
    run.run(*options.span_ms)
    report = _report_of(run)
    for name, reason in _what_broke(run):
        sys.stderr.write(f"{name}: {reason}\n")
    if out is None:
        sys.stdout.write(json.dumps(report["metrics"], indent=2) + "\n")
    else:
        _write(report, out)
        sys.stdout.write(f"{len(report['trades'])} trades; see {out / 'report.json'}\n")
    return int(any(_what_broke(run)))


def _made(options: ReplayOptions) -> Backtest:
    if options.preset not in PRESETS:
        raise SettingFault(f"--preset is {options.preset!r}; allowed is {', '.join(PRESETS)}")
    loaded = load(options.strategy_dir)
    if options.strategy and options.strategy not in loaded.strategies:
        known = ", ".join(loaded.strategies)
        reasons = "; ".join(f"{one.name}: {one.reason}" for one in loaded.broken)
        raise SettingFault(f"--strategy is {options.strategy!r}; allowed is {known}. {reasons}")
    found = RecordedTape.open(options.tape, options.symbols)
    config = from_preset(options.preset, bot_id="replay", user_id="owner", account_id="replay")
    config = replace(
        config,
        symbols=found.symbols,
        timeframe=found.timeframe,
        trend_timeframe=options.trend_timeframe or config.trend_timeframe,
        approval_mode=ApprovalMode.AUTO,
        strategy=options.strategy or config.strategy,
        strategy_params=() if options.strategy else config.strategy_params,
    )
    if faults := faults_of(config):
        raise SettingFault(" ".join(faults))
    news = RecordedNews(options.news) if options.news is not None else None
    return Backtest(found, config, loaded=loaded, news=news)


def _what_broke(run: Backtest) -> list[tuple[str, str]]:
    return [*((one.name, one.reason) for one in run.book.broken), *run.book.muted.items()]


def _report_of(run: Backtest) -> dict[str, Any]:
    results = sorted(run.closed.values(), key=lambda result: result.closed_ms)
    wins = sum(result.pnl_usdt > 0 for result in results)
    return {
        "metrics": {
            "trades": len(results),
            "wins": wins,
            "pnl_usdt": plain(sum((result.pnl_usdt for result in results), ZERO)),
            "fees_usdt": plain(sum((result.fees_usdt for result in results), ZERO)),
            "wallet_usdt": plain(run.desk.wallet_usdt),
            "wallet_peak_usdt": plain(run.desk.wallet_peak_usdt),
        },
        "bars": run.bars,
        "cpu_s": round(cpu_s(), 3),
        "rss_mb_peak": rss_mb_peak(),
        "trades": [_row_of(result) for result in results],
    }


def _row_of(result: ClosedTrade) -> dict[str, object]:
    values = (
        result.trade_id,
        result.bot_id,
        result.symbol,
        result.direction.value,
        plain(result.quantity),
        result.opened_ms,
        plain(result.entry_price),
        result.closed_ms,
        plain(result.exit_price),
        result.exit_reason.value,
        plain(result.fees_usdt),
        plain(result.funding_usdt),
        plain(result.pnl_usdt),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _write(report: dict[str, Any], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    with (out / "trades.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(report["trades"])
    cells = [list(COLUMNS), *([str(row[c]) for c in COLUMNS] for row in report["trades"])]
    table = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in cells
    )
    metrics = html.escape(json.dumps(report["metrics"], indent=2))
    page = f"<!doctype html><meta charset=utf-8><title>Replay</title><pre>{metrics}</pre>"
    (out / "report.html").write_text(f"{page}<table>{table}</table>\n", encoding="utf-8")


def _on_tick(price: float, tick: Decimal) -> Decimal:
    return max(tick, (Decimal(str(price)) / tick).to_integral_value() * tick)
