"""Each limit of the desk: it refuses at its bound, says so, and memory only tightens."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.core import gates
from bot.core.desk_state import DayCount, Desk
from bot.core.presets import BotConfig
from bot.core.trade import Phase, Role
from bot.core.universe import Contract
from data.model import Position
from tests.core.build import BOT, NOW_MS, SYMBOL, Case, closed_trade, config, desk, signal

HOUR_MS = 3_600_000
TODAY = NOW_MS // 86_400_000


def refused(given: Desk, bot: BotConfig | None = None, **signal_changes: object) -> list[str]:
    """Rules that would keep one more trade out."""
    bot = bot or given.bots[BOT]
    checks = gates.check_entry(given, bot, signal(**signal_changes), NOW_MS)
    return [c.rule for c in gates.failed(checks)]


def test_a_quiet_desk_lets_a_trade_in() -> None:
    """Nothing refuses."""
    assert refused(desk()) == []


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"ready": False}, "exchange_read"),
        ({"stream_ok": False}, "user_stream"),
        ({"halts": ("panic",)}, "no_halt"),
        ({"running": ()}, "bot_running"),
        ({"wallet_usdt": Decimal("9.99")}, "wallet_min"),
        (
            {"barred": {SYMBOL: Contract(symbol=SYMBOL, status="X", tradable=False)}},
            "symbol_traded",
        ),
        ({"day": DayCount(day=TODAY, entries={BOT: 10})}, "trades_per_day"),
        ({"day": DayCount(day=TODAY, realized_usdt=Decimal(-50))}, "daily_loss"),
    ],
)
def test_each_limit_refuses_by_name(changes: dict[str, object], rule: str) -> None:
    """At its bound, not beyond it."""
    bot = config(trades_per_day_max=10, daily_loss_pct_max=Decimal(5))
    assert refused(replace(desk(bot), **changes)) == [rule]


def test_just_below_each_limit_passes() -> None:
    """Nine of ten trades, 49.99 of 50 lost (5 % of 1,000), 10 in the wallet."""
    bot = config(trades_per_day_max=10, daily_loss_pct_max=Decimal(5))
    day = DayCount(day=TODAY, entries={BOT: 9}, realized_usdt=Decimal("-49.99"))
    assert refused(desk(bot, day=day)) == []
    assert refused(desk(wallet=10)) == []


def test_the_score_must_reach_the_threshold() -> None:
    """75 is enough, 74.9 is not, and no number is not."""
    assert refused(desk(), score=75.0) == []
    assert refused(desk(), score=74.9) == ["score"]
    assert refused(desk(), score=float("nan")) == ["score"]


def test_a_foreign_position_takes_its_symbol() -> None:
    """A position that is not ours blocks the symbol, and only that one."""
    position = Position(
        symbol=SYMBOL, quantity=Decimal(1), entry_price=Decimal(100), updated_ms=NOW_MS
    )
    given = desk(foreign={SYMBOL: position})
    assert refused(given) == ["one_per_symbol"]
    assert refused(given, symbol="ETHUSDT") == []


def losses(count: int, last_ms: int) -> tuple:
    """Losses a minute apart, the last at `last_ms`."""
    return tuple(closed_trade(n, -1, last_ms - (count - 1 - n) * 60_000) for n in range(count))


def test_loss_streak_pauses_entries_and_expires_to_the_millisecond() -> None:
    """Three losses: closed for exactly 12 h from the close of the third (10)."""
    end_ms = NOW_MS - 12 * HOUR_MS
    assert refused(desk(closed=losses(3, end_ms + 1))) == ["memory:loss_streak_pause"]
    assert refused(desk(closed=losses(3, end_ms))) == []
    assert refused(desk(closed=losses(2, NOW_MS))) == []


def test_a_zero_neither_lengthens_nor_breaks_a_streak() -> None:
    """Loss, loss, zero, loss is a streak of three; loss, loss, zero is one of two."""
    three = (
        *losses(2, NOW_MS - 120_000),
        closed_trade(8, 0, NOW_MS - 60_000),
        closed_trade(9, -1, NOW_MS),
    )
    assert refused(desk(closed=three[:3])) == []
    assert refused(desk(closed=three)) == ["memory:loss_streak_pause"]


def test_a_bot_that_does_not_obey_a_rule_is_not_held_by_it() -> None:
    """A rule of memory is switched off by the bot's configuration."""
    bot = config(memory_off=("loss_streak_pause",))
    assert refused(desk(bot, closed=losses(3, NOW_MS))) == []


def test_signals_of_the_day_are_counted() -> None:
    """Five a day, per bot, anew each UTC day."""
    bot = config(signals_per_day_max=5)
    for used, passed in ((4, True), (5, False)):
        given = desk(bot, day=DayCount(day=TODAY, signals={BOT: used}))
        (check,) = gates.check_signals(given, bot, NOW_MS)
        assert check.passed is passed


def test_margin_that_open_trades_bind_is_not_free() -> None:
    """476.4 USDT at 5 times leverage bind 95.28 of 1,000 until the trade is over."""
    case = Case().to_active()
    assert gates.free_usdt(case.desk) == Decimal("904.72")
    case.exit_by(Role.TARGET)
    assert case.phase is Phase.IDLE
    assert gates.free_usdt(case.desk) == Decimal(1000)


def test_every_refusal_is_told_in_words() -> None:
    """Each failed check with its value and limit."""
    checks = gates.check_entry(desk(halts=("panic",)), config(), signal(score=1.0), NOW_MS)
    assert gates.in_words(checks) == "panic; score: 1 (>= 75)"
