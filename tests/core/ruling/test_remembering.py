"""Memory at the desk: each rule keeps out what it should, under its own name, and only tightens."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.desk_state import DayCount, Desk
from bot.core.messages import Tell
from bot.core.presets import BotConfig
from bot.core.ruling import gates
from bot.core.ruling.remembering import in_turn, limits_of, verdicts_for
from bot.core.trade import Check, Outcome, Phase, Role
from data.model import ClosedTrade, OrderStatus
from memory.recall import remember
from memory.verdict import RULE_IDS
from tests.core.build import (
    BOT,
    NOW_MS,
    SYMBOL,
    Case,
    closed_trade,
    config,
    desk,
    instrument,
    number_of,
    signal,
)

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def ended(letters: str, *, first: int = 0, **changes: object) -> tuple[ClosedTrade, ...]:
    """Closed trades a minute apart, the last now: W won, L lost. Each in a symbol of its own."""
    return tuple(
        closed_trade(
            first + n,
            1 if letter == "W" else -1,
            NOW_MS - (len(letters) - 1 - n) * MINUTE_MS,
            **{"symbol": f"X{first + n}USDT"} | changes,
        )
        for n, letter in enumerate(letters)
    )


def only(rule: str, **changes: object) -> BotConfig:
    """A bot that obeys one rule of memory alone."""
    return config(memory_off=tuple(r for r in RULE_IDS if r != rule), **changes)


def said(given_desk: Desk, rule: str, **signal_changes: object) -> list[Check]:
    """What memory's check of that rule says of a signal."""
    bot = given_desk.bots[BOT]
    checks = gates.check_entry(given_desk, bot, signal(**signal_changes), NOW_MS)
    checks += gates.check_signals(given_desk, bot, NOW_MS)
    return [check for check in checks if check.rule == f"memory:{rule}"]


def test_a_quiet_memory_adds_no_check() -> None:
    """Nothing is said of rules that are not in force."""
    checks = gates.check_entry(desk(), config(), signal(), NOW_MS)
    assert not [check for check in checks if check.rule.startswith("memory:")]


def test_a_low_win_rate_asks_for_more_score() -> None:
    """75 and 5: 79.9 is refused and 80 is not."""
    given_desk = desk(only("winrate_threshold"), closed=ended("LW" * 6))
    (low,) = said(given_desk, "winrate_threshold", score=79.9)
    (high,) = said(given_desk, "winrate_threshold", score=80.0)
    assert (low.passed, low.limit, low.value) == (False, ">= 80", "79.9")
    assert high.passed


def test_a_symbol_that_lost_twice_is_left_alone_and_no_other() -> None:
    """Its cooldown names the symbol and its end."""
    lost = ended("LL", symbol=SYMBOL)
    (check,) = said(desk(only("symbol_cooldown"), closed=lost), "symbol_cooldown")
    assert not check.passed
    assert f"memory:symbol_cooldown {SYMBOL}: no entries until 2025-10-10 08:54 UTC" in check.text
    other = desk(only("symbol_cooldown"), closed=ended("LL", symbol="ADAUSDT"))
    assert said(other, "symbol_cooldown") == []


def test_a_symbol_with_a_low_win_rate_needs_more_score() -> None:
    """Two of five: 75 and 5."""
    given_desk = desk(only("symbol_threshold"), closed=ended("LLLWW", symbol=SYMBOL))
    assert not said(given_desk, "symbol_threshold", score=79.0)[0].passed
    assert said(given_desk, "symbol_threshold", score=80.0)[0].passed


def test_a_model_that_is_off_gets_nothing_in() -> None:
    """The reversal model is; the continuation model is not hurt by that."""
    given_desk = desk(only("model_off"), closed=ended("L" * 10, model="reversal"))
    assert not said(given_desk, "model_off", model="reversal")[0].passed
    assert said(given_desk, "model_off", model="continuation")[0].passed


def test_a_drawdown_leaves_two_signals_a_day() -> None:
    """5.1 % below the peak: the second of the day is taken up, the third is not."""
    fallen = (
        *ended("W", equity_usdt=Decimal(1000)),
        *ended("L", first=5, equity_usdt=Decimal(949)),
    )
    bot = only("drawdown_signals")
    for used, passed in ((1, True), (2, False)):
        day = DayCount(day=NOW_MS // 86_400_000, signals={BOT: used})
        (check,) = said(desk(bot, closed=fallen, day=day), "drawdown_signals")
        assert (check.passed, check.limit, check.value) == (passed, "< 2", str(used))


def test_a_deep_drawdown_halves_the_risk() -> None:
    """0.5 % instead of 1: 5 / 2.099 is 2.382 units, and the record names the rule."""
    fallen = (
        *ended("W", equity_usdt=Decimal(1000)),
        *ended("L", first=5, equity_usdt=Decimal(900)),
    )
    case = Case(desk(only("drawdown_risk"), closed=fallen)).to_pending()
    plan = case.trade().plan
    assert plan is not None
    assert plan.quantity == Decimal("2.382")
    checks = {check.rule: check for check in case.trade().checks}
    assert checks["memory:drawdown_risk"].passed
    assert checks["memory:drawdown_risk"].limit == "<= 0.5 %"


def test_a_trade_that_only_memory_made_too_small_is_counted_to_its_rule() -> None:
    """Half a percent is under the least quantity, one would not be: the refusal says why."""
    fallen = (
        *ended("W", equity_usdt=Decimal(1000)),
        *ended("L", first=5, equity_usdt=Decimal(900)),
    )
    listing = instrument(quantity_min=Decimal(3))
    case = Case(desk(only("drawdown_risk"), closed=fallen), listing=listing).to_pending()
    assert case.trade().outcome is Outcome.BLOCKED
    failed = [check.rule for check in gates.failed(case.trade().checks)]
    assert failed == ["quantity_min", "memory:drawdown_risk"]
    rich = Case(desk(only("drawdown_risk"), closed=fallen, wallet=20), listing=listing)
    rich.to_pending()
    assert "memory:drawdown_risk" not in rich.trade().note  # too small without it as well


def test_every_rule_that_keeps_a_signal_out_is_named() -> None:
    """A streak, a cold symbol and two low rates at once, beside a limit of the desk's own."""
    lost = ended("WWWWWLLLLLL", symbol=SYMBOL)
    case = Case(desk(closed=lost, halts=("panic",))).raise_signal(signal(score=76.0))
    assert case.trade().outcome is Outcome.BLOCKED
    assert [check.rule for check in gates.failed(case.trade().checks)] == [
        "no_halt",
        "memory:winrate_threshold",
        "memory:loss_streak_pause",
        "memory:symbol_cooldown",
        "memory:symbol_threshold",
    ]
    for rule in ("winrate_threshold", "loss_streak_pause", "symbol_cooldown", "symbol_threshold"):
        assert f"memory:{rule}" in case.trade().note


# ------------------------------------------------------------------------------ model_preferred

STRONG = ended("W" * 8 + "L" * 3)


def crowded(places: int, working: int, *bots: BotConfig) -> Desk:
    """A desk with so many trades at work, of an account with so many places."""
    bot = only("model_preferred", account_open_trades_max=places, open_trades_max=10)
    case = Case(desk(bot, *bots, closed=STRONG))
    for n in range(working):
        case.raise_signal(signal(f"w{n}", symbol=f"W{n}USDT"))
    return case.desk


@pytest.mark.parametrize(
    ("places", "working", "model", "passed"),
    [
        (3, 1, "reversal", True),
        (3, 2, "reversal", False),  # the last place is left to the preferred model
        (3, 2, "continuation", True),
        (0, 2, "reversal", True),  # no limit, no last place
        (1, 0, "reversal", True),  # one place alone is not kept free for ever
    ],
)
def test_the_last_place_is_left_to_the_preferred_model(
    places: int, working: int, model: str, *, passed: bool
) -> None:
    """Of several places; another model may have all but the last."""
    given_desk = crowded(places, working)
    assert [c.passed for c in said(given_desk, "model_preferred", model=model)] == [passed]


def test_no_place_is_kept_for_a_model_that_nobody_runs() -> None:
    """The bot that won with it is paused: its model does not wait for itself."""
    other = replace(only("model_preferred", account_open_trades_max=1), bot_id="other")
    given_desk = crowded(3, 2, replace(other, account_open_trades_max=3))
    paused = replace(given_desk, running=("other",))
    checks = gates.check_entry(paused, paused.bots["other"], signal(model="reversal"), NOW_MS)
    assert [c.passed for c in checks if c.rule == "memory:model_preferred"] == [True]


def test_of_one_bar_the_preferred_model_looks_first() -> None:
    """Otherwise the order of names decides, which is nobody's merit."""
    bots = (
        config(bot_id="aa", strategy="reversal"),
        config(bot_id="bb", strategy="continuation"),
        config(bot_id="cc", strategy="volatile", memory_off=("model_preferred",)),
    )
    quiet, strong = desk(*bots), desk(*bots, closed=STRONG)
    assert in_turn(quiet, ("aa", "bb", "cc"), NOW_MS) == ("aa", "bb", "cc")
    assert in_turn(strong, ("aa", "bb", "cc"), NOW_MS) == ("bb", "cc", "aa")
    assert in_turn(strong, ("aa",), NOW_MS) == ("aa",)


# ------------------------------------------------------------------------- the desk's own trades


def test_a_closed_trade_is_remembered_and_its_verdict_told() -> None:
    """The third loss in a row pauses, at the moment its result is booked, with a notice."""
    case = Case(desk(only("loss_streak_pause"), closed=ended("LL"))).to_pending()
    entry = case.latest(Role.ENTRY)
    case.fill(entry, fee=Decimal(1))
    case.report(
        entry,
        OrderStatus.FILLED,
        filled_quantity=entry.quantity,
        venue_order_id=number_of(entry),
    )
    case.see(entry.quantity).report(case.latest(Role.STOP)).report(case.latest(Role.TARGET))
    case.exit_by(Role.STOP)
    told = [t for t in case.all_said if isinstance(t, Tell) and t.kind == "memory_verdict"]
    assert case.phase is Phase.IDLE
    assert dict(told[0].fields)["rule"] == "loss_streak_pause"
    assert case.desk.memory == remember(case.desk.closed)
    assert limits_of(case.desk, case.desk.bots[BOT], case.now_ms).pause_until_ms is not None


@given(st.lists(st.sampled_from(["W", "L"]), max_size=30), st.floats(60, 100))
def test_memory_never_lets_in_what_the_limits_keep_out(letters: list[str], score: float) -> None:
    """Whatever happened before, with memory there are at least as many refusals (10)."""
    closed = ended("".join(letters), symbol=SYMBOL)
    free = config(memory_off=RULE_IDS)
    for bot in (config(), only("loss_streak_pause"), only("winrate_threshold")):
        with_memory = gates.check_entry(desk(bot, closed=closed), bot, signal(score=score), NOW_MS)
        without = gates.check_entry(desk(free, closed=closed), free, signal(score=score), NOW_MS)
        kept_out = {c.rule for c in gates.failed(without)}
        assert kept_out <= {c.rule for c in gates.failed(with_memory)}


def test_a_look_for_one_signal_limits_it_as_a_look_at_everything() -> None:
    """The quick way and the whole way allow that signal the same."""
    closed = (*ended("LWLLWLLLWL", symbol=SYMBOL), *ended("LLLLL", first=40, model="reversal"))
    given_desk, bot = desk(closed=closed), config()
    near = limits_of(given_desk, bot, NOW_MS, signal())
    whole = limits_of(given_desk, bot, NOW_MS)
    assert near.pause_until_ms == whole.pause_until_ms
    assert near.threshold_add == whole.threshold_add
    assert dict(near.symbol_threshold_add) == {
        s: v for s, v in whole.symbol_threshold_add if s == SYMBOL
    }
    assert len(verdicts_for(given_desk, bot, NOW_MS)) > 2
