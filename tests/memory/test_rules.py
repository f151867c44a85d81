"""Rules: the edges of the product sheet, to the millisecond and the smallest loss."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.history import Result, fold
from memory.rules import RULES, About, judge, verdicts_of
from memory.tuning import Tuning
from memory.verdict import RULE_IDS, Effect, Scope, Verdict, as_json
from tests.memory.shapes import HOUR_MS, closed_trade, result, results

T = 1_750_000_000_000


def rows_of(letters: str, *, model: str = "continuation", symbol: str = "BTCUSDT") -> list[Result]:
    """Results a millisecond apart: W won, L lost, Z zero."""
    profits = {"W": "1", "L": "-0.01", "Z": "0"}
    return [
        result(T + n, profits[letter], model=model, symbol=symbol)
        for n, letter in enumerate(letters)
    ]


def only(rule: str, rows: list[Result], now_ms: int | None = None) -> list[Verdict]:
    """What one rule says after these trades."""
    off = frozenset(RULE_IDS) - {rule}
    return list(verdicts_of(rows, T + len(rows) if now_ms is None else now_ms, off=off))


def pause(closed_ms: int, losses: int) -> Verdict:
    """The pause that a streak of that length, ended then, asks for."""
    return Verdict(
        rule="loss_streak_pause",
        scope=Scope(),
        effect=Effect(pause_entries=True),
        reason=f"{losses} losses in a row",
        evidence=(("losses", str(losses)), ("pause_hours", "12")),
        until_ms=closed_ms + 12 * HOUR_MS,
    )


# ---------------------------------------------------------------------------- loss_streak_pause


@pytest.mark.parametrize(
    ("now_ms", "in_force"),
    [
        (T + 1, False),  # only two are known yet
        (T + 2, True),
        (T + 2 + 12 * HOUR_MS - 1, True),
        (T + 2 + 12 * HOUR_MS, False),
    ],
)
def test_three_losses_pause_for_twelve_hours_exactly(now_ms: int, *, in_force: bool) -> None:
    """From the third loss's close, included, to the same moment 12 h later, excluded."""
    found = only("loss_streak_pause", rows_of("LLL"), now_ms)
    assert found == ([pause(T + 2, 3)] if in_force else [])


@pytest.mark.parametrize(
    ("letters", "firing"),
    [
        ("LL", None),
        ("LLZ", None),
        ("LLWL", None),
        ("LZLL", (3, 3)),  # a zero does not break
        ("LLLZ", (2, 3)),  # and does not lengthen or renew
        ("LLLL", (3, 4)),  # each further loss begins the 12 h anew
        ("LLLW", (2, 3)),  # a win does not lift a pause that has begun
        ("LLLWLL", (2, 3)),
        ("LLLWLLL", (6, 3)),
    ],
)
def test_what_makes_a_streak(letters: str, firing: tuple[int, int] | None) -> None:
    """The newest loss that makes its streak three or more decides: (its place, the streak)."""
    expected = [] if firing is None else [pause(T + firing[0], firing[1])]
    assert only("loss_streak_pause", rows_of(letters)) == expected


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["-1", "0", "1"])), max_size=15),
    st.integers(0, 60),
    st.integers(0, 99),
)
def test_the_pause_is_what_a_slow_reading_of_the_sheet_says(
    rows: list[tuple[int, str]], now_h: int, seed: int
) -> None:
    """In any order of rows: in force exactly while some loss of a streak is under 12 h old."""
    ordered = [result(h * HOUR_MS + n, pnl) for n, (h, pnl) in enumerate(sorted(rows))]
    now_ms = now_h * HOUR_MS
    until_ms, losses = None, 0
    for one in (r for r in ordered if r.closed_ms <= now_ms):
        losses = 0 if one.pnl_usdt > 0 else losses + (one.pnl_usdt < 0)
        if one.pnl_usdt < 0 and losses >= 3:
            until_ms = one.closed_ms + 12 * HOUR_MS
    mixed = ordered.copy()
    random.Random(seed).shuffle(mixed)
    found = only("loss_streak_pause", mixed, now_ms)
    assert [v.until_ms for v in found] == ([until_ms] if until_ms and now_ms < until_ms else [])


# ------------------------------------------------------------------- winrate and symbol threshold


@pytest.mark.parametrize(
    ("letters", "fires"),
    [
        ("L" * 9, False),  # fewer than ten closed trades
        ("L" * 10, True),
        ("W" * 11 + "L" * 9, False),  # 11 of 20 is 55 %: not below it
        ("W" * 10 + "L" * 10, True),
        ("W" * 5 + "L" * 4, False),  # nine trades
        ("WWWWWW" + "LLLL", False),  # 60 % of ten
        ("WWWWW" + "LLLLL", True),  # 50 % of ten
        ("WWWWWW" + "ZZZZZ", True),  # 6 of 11 is 54.5 %: zeros are no wins
        ("L" * 20 + "W" * 11 + "L" * 9, False),  # only the last twenty count
        ("W" * 20 + "W" * 10 + "L" * 10, True),
    ],
)
def test_a_low_win_rate_asks_for_five_points_more(letters: str, *, fires: bool) -> None:
    """Under 55 % of the last 20, once ten have closed; while that is so, without an end."""
    found = only("winrate_threshold", rows_of(letters))
    assert [(v.scope, v.effect, v.until_ms) for v in found] == (
        [(Scope(), Effect(threshold_add=5), None)] if fires else []
    )


@pytest.mark.parametrize(
    ("letters", "fires"),
    [
        ("LLLL", False),  # fewer than five
        ("WWLLL", True),  # 40 %
        ("WWWLL", False),
        ("W" * 5 + "L" * 5, False),  # exactly 50 %
        ("W" * 4 + "L" * 6, True),
        ("L" * 9 + "W" * 5 + "L" * 5, False),  # only the last ten count
    ],
)
def test_a_symbol_with_a_low_win_rate_needs_more_score(letters: str, *, fires: bool) -> None:
    """Under 50 % of a symbol's last 10, once five have closed; other symbols do not matter."""
    rows = rows_of(letters, symbol="ADAUSDT") + rows_of("W" * 10, symbol="BTCUSDT")
    found = only("symbol_threshold", rows)
    assert [(v.scope, v.effect, v.until_ms) for v in found] == (
        [(Scope(symbol="ADAUSDT"), Effect(threshold_add=5), None)] if fires else []
    )


# ------------------------------------------------------------------------------ symbol_cooldown


@pytest.mark.parametrize(
    ("now_ms", "in_force"),
    [(T + 1, True), (T + 1 + 24 * HOUR_MS - 1, True), (T + 1 + 24 * HOUR_MS, False)],
)
def test_two_losses_cool_a_symbol_for_a_day_exactly(now_ms: int, *, in_force: bool) -> None:
    """From the second loss's close to the same moment a day later; that symbol only."""
    rows = rows_of("LL", symbol="ADAUSDT") + rows_of("LWL", symbol="BTCUSDT")
    found = only("symbol_cooldown", rows, now_ms)
    assert [(v.scope, v.effect, v.until_ms) for v in found] == (
        [(Scope(symbol="ADAUSDT"), Effect(pause_entries=True), T + 1 + 24 * HOUR_MS)]
        if in_force
        else []
    )


# ------------------------------------------------------------------------------------- drawdown


@pytest.mark.parametrize(
    ("equity", "rules"),
    [
        ("1000", []),
        ("950", []),  # exactly 5 %
        ("949.99", ["drawdown_signals"]),
        ("920", ["drawdown_signals"]),  # exactly 8 %
        ("919.99", ["drawdown_signals", "drawdown_risk"]),
    ],
)
def test_drawdown_from_the_peak(equity: str, rules: list[str]) -> None:
    """Beyond 5 % two signals a day, beyond 8 % half a percent of risk, from the first trade on."""
    rows = [
        result(T, "1", equity="990"),
        result(T + 1, "1", equity="1000"),
        result(T + 2, "1", equity=equity),
    ]
    found = verdicts_of(rows, T + 2)
    effects = {
        "drawdown_signals": Effect(signals_per_day_max=2),
        "drawdown_risk": Effect(risk_pct_max=Decimal("0.5")),
    }
    assert [(v.rule, v.scope, v.effect, v.until_ms) for v in found] == [
        (rule, Scope(), effects[rule], None) for rule in rules
    ]


def test_without_equity_there_is_no_drawdown() -> None:
    """A peak of nothing cannot be fallen from."""
    assert verdicts_of([result(T, "1", equity="0"), result(T + 1, "1", equity="-5")], T + 1) == ()


# ------------------------------------------------------------------------------- the two models


@pytest.mark.parametrize(
    ("letters", "closed_at"),
    [
        ("L" * 9, None),
        ("L" * 10, 9),
        ("W" * 9 + "L" * 11, None),  # 9 of 20 is exactly 45 %
        ("W" * 8 + "L" * 10, 17),  # 8 of 18 is 44.4 %
        ("W" * 8 + "L" * 10 + "W", 17),  # a win that makes it 47 % does not lift it
        ("W" * 8 + "L" * 10 + "WL", 17),  # 9 of 20: exactly 45 % again
        ("W" * 8 + "L" * 10 + "WLL", 20),  # the window moves on: 8 of 20
        ("L" * 10 + "Z", 10),  # every close is looked at anew, a zero too
    ],
)
def test_a_weak_reversal_model_is_off_for_two_days(letters: str, closed_at: int | None) -> None:
    """From the newest close that left it under 45 % of its last 20, once ten have closed."""
    found = only("model_off", rows_of(letters, model="reversal"))
    expected = [] if closed_at is None else [T + closed_at + 48 * HOUR_MS]
    assert [v.until_ms for v in found] == expected
    assert all(v.scope == Scope(model="reversal") for v in found)
    assert all(v.effect == Effect(model_off="reversal") for v in found)


def test_a_model_that_was_off_may_trade_again_until_its_next_close() -> None:
    """After 48 h it may trade, however bad the rate; the next close under 45 % switches it off."""
    rows = rows_of("L" * 12, model="reversal")
    end_ms = T + 11 + 48 * HOUR_MS
    assert len(only("model_off", rows, end_ms - 1)) == 1
    assert only("model_off", rows, end_ms) == []
    again = [*rows, result(end_ms + 5, "1", model="reversal")]  # 1 of 13
    assert [v.until_ms for v in only("model_off", again, end_ms + 5)] == [end_ms + 5 + 48 * HOUR_MS]


def test_only_the_reversal_model_is_switched_off() -> None:
    """Continuation and the others lose without that consequence."""
    assert only("model_off", rows_of("L" * 20) + rows_of("L" * 20, model="volatile")) == []


@pytest.mark.parametrize(
    ("letters", "fires"),
    [
        ("W" * 9, False),
        ("W" * 10, True),
        ("W" * 13 + "L" * 7, False),  # exactly 65 %
        ("W" * 14 + "L" * 6, True),
        ("W" * 7 + "L" * 3, True),
        ("W" * 6 + "L" * 3 + "Z", False),
    ],
)
def test_a_strong_continuation_model_goes_first(letters: str, *, fires: bool) -> None:
    """Over 65 % of its last 20, once ten have closed; other models do not matter."""
    rows = rows_of(letters) + rows_of("L" * 20, model="reversal")
    found = only("model_preferred", rows)
    assert [(v.scope, v.effect, v.until_ms) for v in found] == (
        [(Scope(model="continuation"), Effect(model_preferred="continuation"), None)]
        if fires
        else []
    )
    assert only("model_preferred", rows_of("W" * 20, model="reversal")) == []


# ------------------------------------------------------------------------------------- together

histories = st.lists(results, max_size=60)


@given(histories, st.integers(0, 450), st.randoms(use_true_random=False))
def test_verdicts_do_not_depend_on_the_order_of_rows(
    rows: list[Result], now_h: int, dice: random.Random
) -> None:
    """They are a function of the trades that had closed by then."""
    mixed = rows.copy()
    dice.shuffle(mixed)
    assert verdicts_of(mixed, now_h * HOUR_MS) == verdicts_of(rows, now_h * HOUR_MS)


@given(histories, st.integers(0, 400), st.sampled_from(["window", "symbols"]))
def test_order_inside_a_window_does_not_matter_for_rates(
    rows: list[Result], seed: int, kind: str
) -> None:
    """Exchanging the results of two trades of the same symbol and model changes no win rate."""
    dice = random.Random(seed)
    last = sorted(rows, key=lambda r: r.closed_ms)[-20:]
    pnls = [r.pnl_usdt for r in last]
    dice.shuffle(pnls)
    alike = [replace(r, symbol="A", model="continuation") for r in last[-10:]]
    mixed = [replace(r, pnl_usdt=p) for r, p in zip(alike, pnls[: len(alike)], strict=True)]
    back = [
        replace(r, pnl_usdt=p) for r, p in zip(alike, reversed(pnls[: len(alike)]), strict=True)
    ]
    rule = {"window": "winrate_threshold", "symbols": "symbol_threshold"}[kind]
    assert only(rule, mixed, 10**15) == only(rule, back, 10**15)


@given(histories, st.integers(0, 450))
def test_timed_verdicts_expire_to_the_millisecond(rows: list[Result], now_h: int) -> None:
    """In force until the millisecond before their end, with the same end; gone at it."""
    now_ms = now_h * HOUR_MS
    known = [r for r in rows if r.closed_ms <= now_ms]
    for verdict in verdicts_of(known, now_ms):
        if verdict.until_ms is not None:
            assert verdict in verdicts_of(known, verdict.until_ms - 1)
            after = verdicts_of(known, verdict.until_ms)
            assert all((v.rule, v.scope) != (verdict.rule, verdict.scope) for v in after)


@given(histories, results)
def test_a_look_for_one_signal_sees_what_bears_on_it(rows: list[Result], one: Result) -> None:
    """The same verdicts, less those of other symbols."""
    history = fold(rows)
    near = judge(history, about=About(symbol=one.symbol, model=one.model))
    whole = judge(history)
    assert near == tuple(v for v in whole if v.scope.symbol in ("", one.symbol))


@pytest.mark.parametrize("rule", RULE_IDS)
def test_every_rule_fires_somewhere_and_can_be_switched_off(rule: str) -> None:
    """A history that calls for all eight, and each rule silent when its name is in `off`."""
    rows = [
        *rows_of("W" * 14 + "L" * 2),
        *rows_of("L" * 16, model="reversal", symbol="ADAUSDT"),
        result(T + 20, "-1", equity="800"),
    ]
    assert {v.rule for v in verdicts_of(rows, T + 20)} == set(RULE_IDS)
    left = verdicts_of(rows, T + 20, off=frozenset({rule}))
    assert {v.rule for v in left} == set(RULE_IDS) - {rule}


def test_a_tuned_rule_uses_its_own_numbers() -> None:
    """Two losses, one hour: an owner may want it stricter."""
    plain = Tuning()
    streak = replace(plain.loss_streak_pause, losses_min=2, pause_hours=1)
    tuned = replace(plain, loss_streak_pause=streak)
    (found,) = verdicts_of(rows_of("LL")[:2], T + 1, tuning=tuned, off=OTHERS)
    assert found.until_ms == T + 1 + HOUR_MS
    assert found.evidence == (("losses", "2"), ("pause_hours", "1"))


OTHERS = frozenset(RULE_IDS) - {"loss_streak_pause"}


def test_the_cores_own_trades_are_judged() -> None:
    """Closed trades go in as the desk keeps them."""
    trades = tuple(closed_trade(T + n, "-1") for n in range(3))
    assert verdicts_of(trades, T + 2, off=OTHERS) == (pause(T + 2, 3),)


def test_no_history_says_nothing() -> None:
    """Without trades there are no verdicts."""
    assert verdicts_of((), T) == ()


def test_every_rule_of_the_sheet_is_there_in_its_order() -> None:
    """The table holds the eight names."""
    assert tuple(RULES) == RULE_IDS
    assert len(set(RULE_IDS)) == 8


def test_verdicts_print_as_the_sheet_says() -> None:
    """Scope, effect and a null end are spelled as in the product sheet."""
    held = Verdict(
        rule="symbol_threshold",
        scope=Scope(symbol="ADAUSDT"),
        effect=Effect(threshold_add=5),
        reason="2 of 5 won",
        evidence=(("wins", "2"),),
        until_ms=None,
    )
    assert as_json((pause(0, 3), held)) == [
        {
            "rule": "loss_streak_pause",
            "scope": {},
            "effect": {"pause_entries": True},
            "reason": "3 losses in a row",
            "evidence": {"losses": "3", "pause_hours": "12"},
            "until_ms": 12 * HOUR_MS,
        },
        {
            "rule": "symbol_threshold",
            "scope": {"symbol": "ADAUSDT"},
            "effect": {"threshold_add": 5},
            "reason": "2 of 5 won",
            "evidence": {"wins": "2"},
            "until_ms": None,
        },
    ]
