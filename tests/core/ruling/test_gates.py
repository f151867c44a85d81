"""Each limit of the desk: it refuses at its bound, says so, and memory only tightens."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.desk_state import DayCount, Desk
from bot.core.messages import CardVerb
from bot.core.presets import ApprovalMode, BotConfig
from bot.core.ruling import gates
from bot.core.trade import Outcome, Phase, Role
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


def test_the_accounts_places_are_counted_over_all_bots() -> None:
    """Two bots with a place each left, an account with one: the second has to wait."""
    one = config(account_open_trades_max=2, open_trades_max=5)
    two = replace(one, bot_id="two")
    case = Case(desk(one, two))
    case.raise_signal(signal("a", symbol="AUSDT"))
    case.raise_signal(signal("b", symbol="BUSDT", bot_id="two"))
    case.raise_signal(signal("c", symbol="CUSDT", bot_id="two"))
    failed = gates.failed(case.trade("c", "two").checks)
    assert [(c.rule, c.limit, c.value) for c in failed] == [("account_open_trades", "< 2", "2")]


def test_outside_its_hours_a_bot_takes_nothing_in() -> None:
    """08:54 UTC on a Thursday: within 08:00 to 16:00, not on Mondays, not from 09:00 on."""
    open_now = config(trading_from="08:00", trading_to="16:00")
    assert refused(desk(open_now)) == []
    later = config(trading_from="09:00", trading_to="16:00")
    assert refused(desk(later)) == ["trading_hours"]
    assert refused(desk(config(trading_weekdays=(0,)))) == ["trading_hours"]
    assert not gates.is_trading_time(later, NOW_MS)
    (check,) = [
        c
        for c in gates.check_entry(desk(later), later, signal(), NOW_MS)
        if c.rule == "trading_hours"
    ]
    assert (check.limit, check.value) == ("09:00-16:00 UTC", "Thu 08:54")


def test_what_is_open_is_managed_at_any_hour() -> None:
    """Hours that end while a position is open do not stop its protection or its closing."""
    case = Case(desk(config(trading_from="08:00", trading_to="09:00"))).to_pending()
    case.now_ms += HOUR_MS
    entry = case.latest(Role.ENTRY)
    case.finish(entry).see(entry.quantity)
    assert case.phase is Phase.POSITION_UNPROTECTED
    assert case.ever_placed(Role.STOP)
    case.report(case.latest(Role.STOP)).report(case.latest(Role.TARGET)).ask_close()
    assert case.placed(Role.CLOSE)


def test_every_limit_that_blocks_is_named() -> None:
    """Score, hours, places, the day's trades, the day's loss and the wallet, all at once."""
    bot = config(
        trading_weekdays=(0,),
        trades_per_day_max=3,
        daily_loss_pct_max=Decimal(5),
        wallet_usdt_min=Decimal(2000),
        signals_per_day_max=2,
    )
    day = DayCount(day=TODAY, entries={BOT: 3}, signals={BOT: 2}, realized_usdt=Decimal(-50))
    case = Case(desk(bot, day=day)).raise_signal(signal(score=10.0))
    names = [c.rule for c in gates.failed(case.trade().checks)]
    assert names == [
        "trading_hours",
        "score",
        "trades_per_day",
        "daily_loss",
        "wallet_min",
        "signals_per_day",
    ]
    assert all(name in case.trade().note for name in names)


# -------------------------------------------------------------------------------- the last place


def test_two_signals_of_one_moment_cannot_both_have_the_last_place() -> None:
    """The first holds it while the adviser is asked; the second is told which limit it was."""
    case = Case(desk(config(open_trades_max=1)))
    case.raise_signal(signal("a", symbol="AUSDT")).raise_signal(signal("b", symbol="BUSDT"))
    assert case.trade("a").phase is Phase.EVALUATING
    assert [c.rule for c in gates.failed(case.trade("b").checks)] == ["open_trades"]


def test_a_card_before_a_person_holds_its_place() -> None:
    """Until it is answered or expires; then the place is free again."""
    bot = config(approval_mode=ApprovalMode.APPROVE, open_trades_max=1, approval_ttl_ms=8_000)
    case = Case(desk(bot)).raise_signal().decide()
    case.raise_signal(signal("b", symbol="BUSDT"))
    assert case.trade("b").outcome is Outcome.BLOCKED
    case.wait(8_000)
    case.raise_signal(signal("c", symbol="CUSDT"))
    assert case.trade("c").phase is Phase.EVALUATING


def test_of_two_cards_only_as_many_taps_count_as_the_day_has_trades() -> None:
    """Two cards may be shown; at the tap the day's last trade goes to whoever is first."""
    bot = config(approval_mode=ApprovalMode.APPROVE, open_trades_max=2, trades_per_day_max=1)
    case = Case(desk(bot))
    for name in ("a", "b"):
        case.raise_signal(signal(name, symbol=f"{name.upper()}USDT")).decide(name=name)
    case.tap(CardVerb.APPROVE, name="a")
    case.tap(CardVerb.APPROVE, name="b")
    assert len(case.ever_placed(Role.ENTRY)) == 1
    assert case.trade("b").outcome is Outcome.BLOCKED
    assert "trades_per_day" in case.trade("b").note


@given(
    st.lists(st.sampled_from(["signal", "decide", "tap", "wait"]), max_size=40),
    st.integers(1, 3),
    st.integers(0, 3),
    st.integers(1, 4),
)
def test_no_interleaving_exceeds_places_or_trades_of_the_day(
    moves: list[str], mine: int, of_account: int, of_day: int
) -> None:
    """Signals, answers, taps and expiries in any order: the limits hold at every step (5)."""
    bot = config(
        approval_mode=ApprovalMode.APPROVE,
        open_trades_max=mine,
        account_open_trades_max=of_account,
        trades_per_day_max=of_day,
        approval_ttl_ms=5_000,
    )
    case, raised = Case(desk(bot)), 0
    for move in moves:
        waiting = {t.phase: t.signal.signal_id for t in case.desk.working() if t.signal}
        if move == "signal":
            raised += 1
            case.raise_signal(signal(f"s{raised}", symbol=f"S{raised}USDT"))
        elif move == "decide" and Phase.EVALUATING in waiting:
            case.decide(name=waiting[Phase.EVALUATING])
        elif move == "tap" and Phase.AWAITING_APPROVAL in waiting:
            case.tap(CardVerb.APPROVE, name=waiting[Phase.AWAITING_APPROVAL])
        else:
            case.wait(1_000)
        working = len(case.desk.working())
        assert working <= mine
        assert not of_account or working <= of_account
        assert len(case.ever_placed(Role.ENTRY)) <= of_day
