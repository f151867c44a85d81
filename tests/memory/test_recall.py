"""One account's memory: its own trades and its bots', the stricter of the two."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from memory.history import Result
from memory.limits import combine
from memory.recall import Memory, remember
from memory.rules import judge
from memory.verdict import RULE_IDS
from tests.memory.shapes import HOUR_MS, result, results
from tests.memory.test_limits import is_tighter

histories = st.lists(results, max_size=40)


def ruled(memory: Memory, bot_id: str, now_ms: int) -> dict[str, str]:
    """Rules in force for a bot, and whose trades say so."""
    found = memory.verdicts(bot_id, now_ms)
    return {v.rule: dict(v.evidence)["trades_of"] for v in found}


@given(histories, st.randoms(use_true_random=False))
def test_folding_equals_incremental(rows: list[Result], dice: Random) -> None:
    """An account that grew trade by trade, in another order, equals the one folded at a start."""
    mixed = rows.copy()
    dice.shuffle(mixed)
    grown = Memory()
    for one in mixed:
        grown = grown.after(one)
    assert grown == remember(rows)


@given(histories, results)
def test_a_trade_booked_anew_replaces_its_first_result(rows: list[Result], extra: Result) -> None:
    """Taken out, the account and the bots are as before, but for a bot that never had another."""
    back = remember([*rows, extra]).without(extra)
    whole = remember(rows)
    assert back.account == whole.account
    assert {k: v for k, v in back.bots.items() if v.overall.count} == whole.bots


def test_a_bot_obeys_its_own_trades_and_its_accounts() -> None:
    """Bot one lost three in a row; so did the account. Bot two won between: the account did not."""
    alone = remember([result(n, "-1", bot="one", symbol=f"S{n}") for n in range(3)])
    assert ruled(alone, "one", 5) == {"loss_streak_pause": "account"}
    assert ruled(alone, "two", 5) == {"loss_streak_pause": "account"}
    mixed = remember(
        [
            *(result(n, "-1", bot="one", symbol=f"S{n}") for n in range(3)),
            result(1, "1", bot="two", symbol="WUSDT"),
        ]
    )
    assert ruled(mixed, "one", 5) == {"loss_streak_pause": "bot"}
    assert ruled(mixed, "two", 5) == {}


def test_the_longer_pause_of_the_two_counts() -> None:
    """The account's streak went on after the bot's: its end is the later one."""
    rows = [
        *(result(n, "-1", bot="one", symbol=f"S{n}") for n in range(3)),
        result(HOUR_MS, "-1", bot="two", symbol="TUSDT"),
    ]
    (verdict,) = remember(rows).verdicts("one", HOUR_MS)
    assert verdict.until_ms == 13 * HOUR_MS
    assert dict(verdict.evidence)["trades_of"] == "account"


def test_drawdown_is_the_accounts_alone() -> None:
    """A bot has no equity of its own: what others lost counts, once."""
    rows = [result(0, "1", bot="one", equity="1000"), result(1, "-99", bot="two", equity="901")]
    found = remember(rows).verdicts("one", 2)
    assert [(v.rule, dict(v.evidence)["trades_of"]) for v in found] == [
        ("drawdown_signals", "account"),
        ("drawdown_risk", "account"),
    ]
    assert remember(rows).verdicts("two", 2) == found


def test_a_wallet_that_others_brought_back_is_no_drawdown() -> None:
    """After its own last trade it was 6 % down; the account has recovered since."""
    rows = [
        result(0, "1", bot="one", equity="1000"),
        result(1, "-60", bot="one", equity="940"),
        result(2, "60", bot="two", equity="1000"),
    ]
    assert remember(rows).verdicts("one", 2) == ()


@given(histories, st.integers(0, 450), st.sampled_from(["one", "two", "three"]))
def test_nobody_is_allowed_more_than_its_account(
    rows: list[Result], now_h: int, bot_id: str
) -> None:
    """The limits of a bot are at least as tight as the account's and as its own trades' are."""
    now_ms = now_h * HOUR_MS
    memory = remember(rows)
    mine = combine(memory.verdicts(bot_id, now_ms), now_ms)
    assert is_tighter(mine, combine(judge(memory.account), now_ms))
    own = judge(memory.of_bot(bot_id), off=frozenset({"drawdown_signals", "drawdown_risk"}))
    assert is_tighter(mine, combine(own, now_ms))


@given(histories, st.integers(0, 450))
def test_switching_a_rule_off_only_takes_its_own_verdicts_away(
    rows: list[Result], now_h: int
) -> None:
    """The others stand as they were."""
    memory, now_ms = remember(rows), now_h * HOUR_MS
    whole = memory.verdicts("one", now_ms)
    for rule in RULE_IDS:
        left = memory.verdicts("one", now_ms, off=frozenset({rule}))
        assert left == tuple(v for v in whole if v.rule != rule)
