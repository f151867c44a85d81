"""A bar signals once for a bot: while its trade is kept, afterwards, and after a restart."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.core.desk_draft import ENDED_KEPT_MAX
from bot.core.desk_state import Desk
from bot.core.messages import AskAdvisor
from bot.core.presets import ApprovalMode
from bot.core.ruling import signalled
from bot.core.trade import trade_id_of
from bot.shell.recorder import CODEC
from tests.core.build import ACCOUNT, BOT, NOW_MS, Case, config, desk, signal

HALF_HOUR_MS = 1_800_000


def test_a_bar_signals_once_after_its_trade_left_the_record() -> None:
    """Ended trades are dropped from the desk; the same bar's signal is still known."""
    case = Case().raise_signal()
    first = trade_id_of(ACCOUNT, BOT, "s1")
    case.desk = replace(case.desk, trades={})
    case.raise_signal()
    assert not case.said
    assert not case.desk.trades
    assert first in case.desk.signalled


def test_a_bar_signals_once_across_a_restart() -> None:
    """The ids are part of the desk's own row, and a row from before they were kept still loads."""
    case = Case().raise_signal()
    text = CODEC.encode(replace(case.desk, trades={}, closed=()))
    loaded = CODEC.decode(text)
    assert isinstance(loaded, Desk)
    assert loaded.signalled == case.desk.signalled
    case.desk = loaded
    assert not case.raise_signal().of(AskAdvisor)
    old = text.replace(f'"signalled":{{"{next(iter(loaded.signalled))}":', '"signalled_no":{"x":')
    before = CODEC.decode(old)
    assert isinstance(before, Desk)
    assert before.signalled == {}


def test_another_bar_another_bot_another_symbol_signal_on_their_own() -> None:
    """Only the same bar of the same bot, symbol and timeframe is the same signal."""
    case = Case(desk(config(), config(bot_id="b2"))).raise_signal()
    for given in (
        signal("s2", bar_open_ms=NOW_MS),
        signal("s1", bot_id="b2"),
        signal("s3", symbol="ETHUSDT"),
    ):
        case.raise_signal(given)
        assert trade_id_of(ACCOUNT, given.bot_id, given.signal_id) in case.desk.trades


def test_ids_are_forgotten_when_their_bar_is_too_old_to_be_sent() -> None:
    """Three bars after its bar closed an id is gone, not before."""
    known = signalled.noted({}, "t1", signal(), NOW_MS)
    assert known == {"t1": NOW_MS + 3 * HALF_HOUR_MS}
    later = signalled.noted(known, "t2", signal(), NOW_MS + 3 * HALF_HOUR_MS - 1)
    assert set(later) == {"t1", "t2"}
    assert set(signalled.noted(known, "t3", signal(), NOW_MS + 3 * HALF_HOUR_MS)) == {"t3"}


def test_the_list_is_bounded() -> None:
    """Beyond its bound the ids nearest to being forgotten go first."""
    known = {f"t{i:05}": NOW_MS + 1 + i for i in range(signalled.IDS_KEPT_MAX)}
    more = signalled.noted(known, "new", signal(), NOW_MS)
    assert len(more) == signalled.IDS_KEPT_MAX
    assert "new" in more
    assert "t00000" not in more
    assert ENDED_KEPT_MAX < signalled.IDS_KEPT_MAX


@pytest.mark.parametrize("share", ["1", "0.5", "0.75"])
def test_a_signals_size_share_only_shrinks(share: str) -> None:
    """The planned quantity follows the strategy's share of the ordinary size."""
    bot = config(approval_mode=ApprovalMode.APPROVE)
    whole = Case(desk(bot)).raise_signal().decide().trade().plan
    plan = Case(desk(bot)).raise_signal(signal(size_share=Decimal(share))).decide().trade().plan
    assert plan is not None
    assert whole is not None
    assert plan.risk_usdt <= whole.risk_usdt * Decimal(share)
    assert abs(plan.quantity - whole.quantity * Decimal(share)) <= Decimal("0.1")


def test_a_size_share_above_one_is_one() -> None:
    """Whatever a record says, a share never makes a trade bigger."""
    bot = config(approval_mode=ApprovalMode.APPROVE)
    whole = Case(desk(bot)).raise_signal().decide().trade().plan
    grown = Case(desk(bot)).raise_signal(signal(size_share=Decimal(3))).decide().trade().plan
    assert whole == grown
